"""`python -m metering.gateway`: one gateway process, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys

import uvloop

from metering.gateway.gateway import Gateway
from metering.gateway.settings import read


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m metering.gateway", description="Serves the OpenAI API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument(
        "--reuse-port", action="store_true", help="share the port with other gateways on this machine"
    )
    options = parser.parse_args()
    logging.basicConfig(
        level=logging.WARNING,
        format='{"level":"%(levelname)s","logger":"%(name)s","message":"%(message)s"}',
    )
    # What is loaded by now stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(options.host, options.port, reuse_port=options.reuse_port))


async def _serve(host: str, port: int, *, reuse_port: bool) -> int:
    settings = read()
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    gateway = Gateway(settings)
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    try:
        await gateway.start(host, port, reuse_port=reuse_port)
    except OSError as error:
        print(f"{host}:{port} cannot be listened on: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    await told.wait()
    await gateway.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
