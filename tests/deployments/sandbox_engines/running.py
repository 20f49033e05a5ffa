"""An engine on a real socket, in a thread with an event loop of its own, for clients that block."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from deployments.sandbox.engines.engine_config import EngineConfig
from deployments.sandbox.engines.hosting import Engines

KEY = "pod/engine"


class Running:
    """Handles of one running engine."""

    def __init__(self, loop: asyncio.AbstractEventLoop, engines: Engines) -> None:
        self._loop = loop
        self.engines = engines
        self.url = ""
        self.lines: list[str] = []

    def call(self, do: Callable[[], Any]) -> Any:
        """Do something on the engine's loop and return its result."""

        async def run() -> Any:
            return do()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    @property
    def core(self) -> Any:
        return self.engines._engines[KEY].core

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so on the engine's loop; 10 seconds at most."""

        async def run() -> None:
            while not condition():
                await asyncio.sleep(0.005)

        asyncio.run_coroutine_threadsafe(asyncio.wait_for(run(), 10), self._loop).result(12)


@contextlib.contextmanager
def running(config: EngineConfig) -> Iterator[Running]:
    """Serve an engine until the end of the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    handle = Running(loop, Engines())
    try:
        handle.url = handle.call(lambda: handle.engines.open(KEY, config, handle.lines.append))
        yield handle
    finally:
        handle.call(handle.engines.close_all)
        asyncio.run_coroutine_threadsafe(_settle(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _settle() -> None:
    """Let everything that was cancelled end."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    if others:
        await asyncio.wait(others, timeout=5)
