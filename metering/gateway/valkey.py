"""One connection to Valkey: pipelined, with a time limit, made again by itself when it is lost.

Commands that are sent in one turn of the event loop leave in one write, and are answered in order. An answer that is
late is a lost connection: whoever waits gets `Away`, all at once, and until there is a new connection nobody waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

from metering.limiter import Script

logger = logging.getLogger(__name__)

Word = bytes | str | int
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5


class Away(Exception):
    """Valkey cannot be reached, does not answer in time, or refuses."""


class Valkey:
    """`url` as in REDIS_URL: redis://[user:password@]host:port/db, rediss://…, unix://path?db=0."""

    def __init__(self, url: str, timeout: float = 0.2) -> None:
        self._place = _Place(url)
        self._timeout = timeout
        self._line: _Line | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._is_lost = asyncio.Event()
        self._is_lost.set()
        self.generation = 0
        """How often a connection was made; another one may mean another history."""
        self.sent = 0
        """Writes so far: round trips, as far as somebody waits for each."""

    @property
    def is_up(self) -> bool:
        return self._line is not None

    async def start(self, patience: float = 1.0) -> None:
        """Begins to connect; waits a moment, so that the first request need not be the one that finds out."""
        self._keeper = asyncio.create_task(self._keep())
        deadline = time.monotonic() + patience
        while not self.is_up and time.monotonic() < deadline:
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._line is not None:
            self._line.end()

    def send(self, *words: Word) -> asyncio.Future[Any]:
        """A command whose answer is awaited later, or by nobody. Raises Away when there is no connection."""
        if self._line is None:
            raise Away
        return self._line.send(words)

    async def call(self, *words: Word) -> Any:
        """Raises Away."""
        return await self.send(*words)

    async def evalsha(self, script: Script, keys: Sequence[Word], arguments: Sequence[Word]) -> Any:
        """Runs a script, which is loaded when Valkey does not know it. Raises Away."""
        try:
            return await self.send("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except _Unknown:
            return await self.send("EVAL", script.text, len(keys), *keys, *arguments)

    async def _keep(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            await self._is_lost.wait()
            try:
                async with asyncio.timeout(2.0):
                    line = await self._place.connect(self._timeout, self._lose, self._count)
                    for words in self._place.greeting:
                        await line.send(words)
            except (OSError, TimeoutError, Away) as error:
                if pause == _FIRST_PAUSE:
                    logger.warning("Valkey: %s", type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            if line.is_open:
                self._is_lost.clear()
                self._line = line
                self.generation += 1

    def _lose(self) -> None:
        self._line = None
        self._is_lost.set()

    def _count(self) -> None:
        self.sent += 1


class _Unknown(Away):
    """Valkey does not know the script."""


class _Line(asyncio.Protocol):
    """The connection. Answers come in the order of the commands."""

    def __init__(self, timeout: float, lost: Callable[[], None], count: Callable[[], None]) -> None:
        self._timeout, self._lost, self._count = timeout, lost, count
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=_refusal)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._unsent: list[bytes] = []
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, words: Sequence[Word]) -> asyncio.Future[Any]:
        answer = self._loop.create_future()
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(hiredis.pack_command(cast(Any, tuple(words))))
        self._waiting.append((answer, self._loop.time() + self._timeout))
        if self._alarm is None:
            self._alarm = self._loop.call_later(self._timeout, self._look)
        return answer

    def end(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are of no common class

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while True:
            try:
                answer = self._reader.gets()
            except hiredis.HiredisError:
                self.end()
                return
            if answer is False:
                return
            future, _ = self._waiting.popleft()
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
                future.exception()  # nobody has to look at it
            else:
                future.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        waiting, self._waiting = self._waiting, deque()
        self._lost()
        for future, _ in waiting:
            if not future.done():
                future.set_exception(Away())
                future.exception()

    def _flush(self) -> None:
        data, self._unsent = b"".join(self._unsent), []
        if self._transport is not None:
            self._count()
            self._transport.write(data)

    def _look(self) -> None:
        """Whether the oldest command has waited for too long."""
        self._alarm = None
        if not self._waiting:
            return
        left = self._waiting[0][1] - self._loop.time()
        if left <= 0:
            self.end()
        else:
            self._alarm = self._loop.call_later(left, self._look)


def _refusal(text: str) -> Away:
    return _Unknown(text) if text.startswith("NOSCRIPT") else Away(text)


class _Place:
    """Where Valkey is, and what it has to be told first."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._is_unix = parts.scheme == "unix"
        self._host, self._port = parts.hostname or "localhost", parts.port or 6379
        self._path = unquote(parts.path)
        self._ssl = ssl.create_default_context() if parts.scheme == "rediss" else None
        database = parse_qs(parts.query).get("db", [""])[0] or (
            "" if self._is_unix else parts.path.strip("/")
        )
        self.greeting: list[tuple[Word, ...]] = []
        if parts.password:
            names = (unquote(parts.username),) if parts.username else ()
            self.greeting.append(("AUTH", *names, unquote(parts.password)))
        self.greeting.append(("SELECT", int(database or 0)))

    async def connect(self, timeout: float, lost: Callable[[], None], count: Callable[[], None]) -> _Line:
        """`timeout` of each command, in seconds. Raises OSError."""
        loop = asyncio.get_running_loop()

        def make() -> _Line:
            return _Line(timeout, lost, count)

        if self._is_unix:
            _, line = await loop.create_unix_connection(make, self._path)
        else:
            _, line = await loop.create_connection(make, self._host, self._port, ssl=self._ssl)
        return line
