"""`python -m deployments.sandbox`: the sandbox cluster as a process of its own, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import yaml

from deployments.sandbox.server import Place, run
from deployments.sandbox.settings import NodeSpec, Settings, read_settings

# How the durations of the settings are called on the command line.
_DURATIONS = {
    "--import-seconds": "import_seconds",
    "--warm-seconds": "warm_up_seconds",
    "--ttft-seconds": "ttft_seconds",
    "--itl-seconds": "itl_seconds",
}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cluster; 0 after a clean stop, 2 for wrong options."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings = _settings(options)
    except (OSError, TypeError, ValueError, yaml.YAMLError) as problem:
        parser.error(str(problem))
    place = Place(
        data=options.data,
        kubeconfig=options.kubeconfig or options.data / "kubeconfig",
        host=options.host,
        port=options.port,
        settings=settings,
        controllers=not options.no_controllers,
    )
    try:
        asyncio.run(_until_signal(place))
    except OSError as problem:
        sys.stderr.write(f"The sandbox cannot listen on {options.host}:{options.port}: {problem.strerror}.\n")
        return 1
    return 0


async def _until_signal(place: Place) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(place, stop, ready=_tell)


def _tell(address: str) -> None:
    sys.stdout.write(f"The sandbox cluster listens on {address}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deployments.sandbox", description=__doc__)
    parser.add_argument(
        "--host", default="127.0.0.1", choices=_LOOPBACK, help="loopback address to listen on"
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="folder for the state and the token")
    parser.add_argument(
        "--kubeconfig", type=Path, help="file to write once the API answers (default: in the data)"
    )
    parser.add_argument("--nodes", type=Path, help="YAML list of machines instead of the usual four")
    parser.add_argument("--speed", type=float, help="simulated seconds in a real one")
    for option in _DURATIONS:
        parser.add_argument(option, type=float, help="simulated seconds")
    parser.add_argument(
        "--no-controllers", action="store_true", help="serve the API only; nothing moves by itself"
    )
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    settings = read_settings(os.environ)
    if options.nodes:
        settings = replace(settings, nodes=_read_nodes(options.nodes))
    if options.speed is not None:
        if options.speed <= 0:
            raise ValueError("--speed must be greater than zero")
        settings = replace(settings, speed=options.speed)
    for option, name in _DURATIONS.items():
        value = getattr(options, option.removeprefix("--").replace("-", "_"))
        if value is not None:
            if value < 0:
                raise ValueError(f"{option} must not be negative")
            settings = replace(settings, **{name: value})
    return settings


def _read_nodes(path: Path) -> tuple[NodeSpec, ...]:
    listed = yaml.safe_load(path.read_text())
    if not isinstance(listed, list) or not listed:
        raise ValueError(f"{path.name}: expected a list of machines")
    known = {each.name for each in fields(NodeSpec)}
    for node in listed:
        if not isinstance(node, dict) or set(node) - known:
            raise ValueError(f"{path.name}: a machine has only {', '.join(sorted(known))}")
    return tuple(NodeSpec(**node) for node in listed)


if __name__ == "__main__":
    sys.exit(main())
