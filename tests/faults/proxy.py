"""A proxy between us and a server, which misbehaves when a test says so: for Valkey, PostgreSQL, engines, anything on
a socket.

It runs in a thread of its own, so that tests may wait. What it does can be changed at any time, and reaches connections
that exist already.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

#: Seconds that bytes which are written may take to arrive once a connection ends.
_LINGER = 1.0


class Fault(enum.Enum):
    PASS = "pass"
    REFUSE = "refuse"
    """Nobody listens, and what was connected is reset."""
    SWALLOW = "swallow"
    """Takes everything and answers nothing; connections stay open."""
    DRIP = "drip"
    """One byte at a time, slowly."""


class FaultProxy:
    """`target` is (host, port) or the path of a Unix socket; listens on `port` of loopback."""

    def __init__(self, target: tuple[str, int] | str) -> None:
        self._target = target
        self._fault = Fault.PASS
        self._delay = 0.0
        self._cut_after: int | None = None
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.connections = 0
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._listen())

    def set(self, fault: Fault, *, delay: float = 0.0) -> None:
        """From now on, also for connections that are open. `delay` in seconds for each piece."""
        self._fault, self._delay = fault, delay
        if fault is Fault.REFUSE:
            self._do(self._refuse())
        elif self._listener is None:
            self._do(self._listen())

    def cut_after(self, count: int | None) -> None:
        """Resets each new connection when so many bytes of the server's answers have passed."""
        self._cut_after = count

    def close(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._loop.add_reader(self._listener, self._accept)

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for writer in list(self._writers):
            _reset(writer)
        await asyncio.sleep(0.01)

    async def _end(self) -> None:
        """Nothing may be open when the loop stops: it would be found, and warned of, in the middle of another test."""
        await self._refuse()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self) -> None:
        """Not by asyncio's own server: what that accepts while it closes, nobody ever closes."""
        assert self._listener is not None
        with contextlib.suppress(BlockingIOError, ConnectionError):
            connection, _ = self._listener.accept()
            self.connections += 1
            task = self._loop.create_task(self._serve(connection))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
            task.add_done_callback(lambda _: connection.close())

    async def _serve(self, connection: socket.socket) -> None:
        ends, pumps = list[asyncio.StreamWriter](), list[asyncio.Task[None]]()
        try:
            connection.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=connection)
            ends.append(writer)
            self._writers.add(writer)
            far_reader, far_writer = await self._reach()
            ends.append(far_writer)
            self._writers.add(far_writer)
            pumps.append(asyncio.create_task(self._pump(reader, far_writer, None)))
            pumps.append(asyncio.create_task(self._pump(far_reader, writer, self._cut_after)))
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            for each in ends:
                _reset(each)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for each in ends:
                await self._close(each)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    async def _close(self, writer: asyncio.StreamWriter) -> None:
        """Lets what is written arrive, unless nobody takes it."""
        writer.close()
        try:
            async with asyncio.timeout(_LINGER):
                await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.CancelledError):
            _reset(writer)
        self._writers.discard(writer)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 if self._fault is Fault.DRIP else 65536):
                if self._delay:
                    await asyncio.sleep(self._delay)
                while self._fault is Fault.SWALLOW:
                    await asyncio.sleep(0.02)
                if left is not None:
                    data, left = data[:left], left - len(data)
                writer.write(data)
                await writer.drain()
                if left is not None and left <= 0:
                    _reset(writer)
                    return


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def fault_proxy(target: tuple[str, int] | str) -> Iterator[FaultProxy]:
    proxy = FaultProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
