"""The host of all running engines: one listener per pod on loopback, all on the sandbox's own event loop.

The HTTP protocol is uvicorn's, used directly: a whole uvicorn server per pod would wake up ten times a second for
each of hundreds of pods, while a bare listener costs nothing until somebody connects.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from deployments.sandbox.api.exchange import ClientGone, Exchange
from deployments.sandbox.engines.dynamo_frontend import Door, FrontendDoor, WorkerDoor, page
from deployments.sandbox.engines.engine_api import EngineApi
from deployments.sandbox.engines.engine_config import EngineConfig
from deployments.sandbox.engines.engine_core import EngineCore

_LOOPBACK = "127.0.0.1"
_BACKLOG = 256
# How long a dead engine still answers: 503 on /health, and the last event of open streams.
_DEATH_SECONDS = 0.3
_KEEP_ALIVE_SECONDS = 5


class _Engine:
    """One engine with its listener and its connections."""

    def __init__(
        self,
        config: EngineConfig,
        write: Callable[[str], None],
        on_failure: Callable[[], None],
        peers: Callable[[str], list[_Engine]],
    ) -> None:
        self.core = EngineCore(config, write)
        self._api = EngineApi(self.core, on_failure)
        self.api: Door = self._api
        part = config.dynamo
        if part is not None and part.role == "frontend":
            self.api = FrontendDoor(config, lambda: peers(part.namespace))
        elif part is not None:
            self.api = WorkerDoor(self.core)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it: a streamed token must not wait for the receipt of the one before.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.bind((_LOOPBACK, 0))
        self.socket.listen(_BACKLOG)
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.server: asyncio.Server | None = None
        self.state = ServerState()
        self.state.default_headers = [(b"server", b"uvicorn")]
        self.closed = False
        self._uvicorn = uvicorn.Config(
            self._application,
            interface="asgi3",
            proxy_headers=False,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        self._uvicorn.load()
        self._write = write

    async def generate(self, exchange: Exchange) -> None:
        """Answer a request that one of Dynamo's frontends passes on."""
        await self._api.answer(exchange)

    async def serve(self) -> None:
        """Accept connections until closed."""
        if self.closed:
            return
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            return H11Protocol(config=self._uvicorn, server_state=self.state, app_state={}, _loop=loop)

        self.server = await loop.create_server(protocol, sock=self.socket)
        if self.closed:
            self.server.close()

    def hush(self) -> None:
        """Listen no longer; open connections go on."""
        self.closed = True
        self.core.close()
        if self.server is not None:
            self.server.close()
        else:
            self.socket.close()

    def drop(self) -> None:
        """Listen no longer and cut every connection."""
        self.hush()
        for connection in list(self.state.connections):
            transport = connection.transport
            if isinstance(transport, asyncio.Transport):
                transport.abort()

    async def _application(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        with contextlib.suppress(ClientGone):
            await self.api.answer(exchange)
        if exchange.path not in ("/health", "/metrics"):
            client = ":".join(str(part) for part in scope.get("client") or ("-",))
            line = (
                f'"{exchange.method} {exchange.path} HTTP/{scope["http_version"]}" {exchange.status or 499}'
            )
            self._write(f"(APIServer pid=1) INFO:     {client} - {line}")


class Engines:
    """An EngineHost on real sockets. Before an event loop runs, listeners already hold their port and queue callers."""

    def __init__(self) -> None:
        self._engines: dict[str, _Engine] = {}
        self._dying: set[_Engine] = set()
        self._failed: set[str] = set()
        self._wake: Callable[[], None] = lambda: None
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, wake: Callable[[], None]) -> None:
        """Serve what was opened before the loop ran; `wake` is called when an engine dies by itself."""
        self._wake = wake
        for engine in self._engines.values():
            if engine.server is None:
                self._spawn(engine)

    def open(self, key: str, config: EngineConfig, write: Callable[[str], None]) -> str:
        """See EngineHost."""
        self.close(key)
        engine = _Engine(config, write, lambda: self._on_failure(key), self._workers)
        self._engines[key] = engine
        self._spawn(engine)
        return f"http://{_LOOPBACK}:{engine.port}"

    def stop(self, key: str, drain_seconds: float) -> None:
        """See EngineHost."""
        engine = self._engines.get(key)
        if engine is None:
            return
        if drain_seconds > 0 and engine.core.running + engine.core.waiting:
            engine.core.draining = True
            return
        engine.core.interrupt()
        engine.hush()

    def stopped(self, key: str) -> bool:
        """See EngineHost."""
        engine = self._engines.get(key)
        if engine is None:
            return True
        if engine.core.running + engine.core.waiting:
            return False
        if engine.core.draining and not engine.closed:
            engine.hush()
        return not any(_busy(connection) for connection in engine.state.connections)

    def fail(self, key: str) -> None:
        """See EngineHost."""
        engine = self._engines.pop(key, None)
        if engine is None:
            return
        engine.core.interrupt(dead=True)
        self._dying.add(engine)
        try:
            asyncio.get_running_loop().call_later(_DEATH_SECONDS, self._bury, engine)
        except RuntimeError:
            self._bury(engine)

    def close(self, key: str) -> None:
        """See EngineHost."""
        engine = self._engines.pop(key, None)
        if engine is not None:
            engine.drop()

    def close_all(self) -> None:
        """End every engine."""
        for key in list(self._engines):
            self.close(key)
        for engine in list(self._dying):
            self._bury(engine)

    def take_failed(self) -> set[str]:
        """See EngineHost."""
        failed, self._failed = self._failed, set()
        return failed

    def busy_seconds(self, key: str) -> float:
        """See EngineHost."""
        engine = self._engines.get(key)
        return engine.core.busy_seconds() if engine else 0.0

    def extra_load(self, key: str) -> tuple[int, int]:
        """See EngineHost."""
        engine = self._engines.get(key)
        return engine.api.extra_load if engine else (0, 0)

    def page(self, key: str) -> str:
        """See EngineHost."""
        engine = self._engines.get(key)
        return page(engine.core) if engine else ""

    def _workers(self, namespace: str) -> list[_Engine]:
        """Dynamo's workers that have registered in a namespace and take requests."""
        return [
            engine
            for engine in self._engines.values()
            if engine.core.config.dynamo is not None
            and engine.core.config.dynamo.namespace == namespace
            and engine.core.config.dynamo.role != "frontend"
            and not (engine.closed or engine.core.draining or engine.core.aborting)
        ]

    def _bury(self, engine: _Engine) -> None:
        self._dying.discard(engine)
        engine.drop()

    def _on_failure(self, key: str) -> None:
        self._failed.add(key)
        self._wake()

    def _spawn(self, engine: _Engine) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        task = loop.create_task(engine.serve())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _busy(connection: Any) -> bool:
    """Whether a connection has an answer that is not complete."""
    cycle = getattr(connection, "cycle", None)
    return cycle is not None and not cycle.response_complete
