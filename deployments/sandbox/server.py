"""One process: the store with its snapshot, the API on loopback, and the controllers that move the cluster."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from deployments.sandbox import events, kubeconfig, seeds, snapshot, tls
from deployments.sandbox.api import discovery
from deployments.sandbox.api.door import Api
from deployments.sandbox.settings import Settings
from deployments.sandbox.store import Store

_EVENTS_EXPIRE_SECONDS = 60.0
_PATIENCE_AT_STOP = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where the cluster listens and what it writes."""

    data: Path
    kubeconfig: Path
    host: str = "127.0.0.1"
    # 0 takes any free port; the kubeconfig tells which.
    port: int = 0
    settings: Settings = field(default_factory=Settings)
    # Without controllers the objects stay as they are written: for tests of the API alone.
    controllers: bool = True


async def run(place: Place, stop: asyncio.Event, ready: Callable[[str], None] = lambda address: None) -> None:
    """Serve until `stop` is set. `ready` gets the address once the API answers."""
    place.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = Store(lambda: datetime.now(UTC))
    state = place.data / "state.json"
    snapshot.load(store, state)
    seeds.seed(store, place.settings, store.now())
    discovery.add_served_apis(store, place.settings.absent)
    token = kubeconfig.read_token(place.data)
    api = Api(store, token, place.settings.absent)
    authority, certificate_file, key_file = tls.prepare(place.data)
    listener = _listen(place.host, place.port)
    host, port = listener.getsockname()[:2]
    address = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    server = _Server(
        uvicorn.Config(
            api,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            ssl_certfile=str(certificate_file),
            ssl_keyfile=str(key_file),
            timeout_graceful_shutdown=_PATIENCE_AT_STOP,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    async with _background(_parts(place, store, state)) as broken:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        kubeconfig.write_kubeconfig(place.kubeconfig, address, token, authority)
        ready(address)
        waits = [asyncio.create_task(stop.wait()), asyncio.create_task(broken.wait()), serving]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits[:2]:
            wait.cancel()
        api.stopping.set()
        server.should_exit = True
        await serving
    if broken.is_set():
        raise RuntimeError("a part of the sandbox ended by itself; its error is above")


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: this process has several parts to end in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it: an answer's body must not wait 40 ms for the receipt of its headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _parts(place: Place, store: Store, state: Path) -> list[Any]:
    parts = [snapshot.keep(store, state), _expire_events(store)]
    if place.controllers:
        # Imported here, as a cluster without controllers needs none of their engines.
        module = importlib.import_module("deployments.sandbox.controllers")
        parts.append(module.Controllers(store, place.settings, store.now).run())
    return parts


async def _expire_events(store: Store) -> None:
    while True:
        await asyncio.sleep(_EVENTS_EXPIRE_SECONDS)
        events.expire(store)


@contextlib.asynccontextmanager
async def _background(parts: list[Any]) -> AsyncIterator[asyncio.Event]:
    """Run the parts beside the body and end them after it; the event is set if one of them fails."""
    broken = asyncio.Event()

    async def watch(part: Any) -> None:
        try:
            await part
        except Exception:
            _log.exception("A part of the sandbox failed.")
            broken.set()

    tasks = [asyncio.create_task(watch(part)) for part in parts]
    try:
        yield broken
    finally:
        # The snapshot is the first part and ends last, so that it has the final word of the others.
        for task in reversed(tasks):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
