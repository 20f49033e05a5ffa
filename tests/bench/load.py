"""Puts a server under load and counts what comes back: so many connections, each asking again when it is answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools
import msgspec

from tests.bench.engine import MARK

_CONTENT = "a" * 250


@dataclass(frozen=True)
class Question:
    """One request, again and again."""

    stream: bool = False
    tokens: int = 24
    pace_ms: int = 5
    """Between two tokens of a stream."""
    work_ms: int = 0
    """What the engine takes for an answer that is not streamed."""

    def bytes_for(self, url: str, key: str) -> bytes:
        body = msgspec.json.encode(
            {
                "model": "chat",
                "messages": [{"role": "user", "content": _CONTENT}],
                "max_tokens": self.tokens,
                "stream": self.stream,
                "user": str(self.pace_ms),
                **({"work_ms": self.work_ms} if self.work_ms else {}),
            }
        )
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass
class Counts:
    """What has come back so far."""

    answers: Counter[int] = field(default_factory=Counter)
    """Complete ones, by status."""
    lost: int = 0
    """Connections that ended in an answer."""
    frames: int = 0
    """Events of streams that carry a token."""
    seconds: list[float] = field(default_factory=list)
    """From asking to the end of the answer."""
    added: list[float] = field(default_factory=list)
    """Seconds that each pause between two frames was longer (or shorter) for the client than for the engine."""

    @property
    def requests(self) -> int:
        return sum(self.answers.values())


class Load:
    """`connections` to one server. `once`: each asks one time; else until the end."""

    def __init__(
        self,
        url: str,
        key: str,
        question: Question,
        connections: int,
        *,
        once: bool = False,
        timed: bool = False,
    ) -> None:
        self.counts = Counts()
        self._place = urlsplit(url)
        self._request = question.bytes_for(url, key)
        self._connections = connections
        self._once, self._timed = once, timed
        self._open: list[_Connection] = []
        self._left = connections
        self._done: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Load:
        loop = asyncio.get_running_loop()
        self._done = loop.create_future()
        for _ in range(self._connections):
            _, made = await loop.create_connection(
                lambda: _Connection(self, self._request, timed=self._timed),
                self._place.hostname,
                self._place.port,
            )
            self._open.append(made)
        for each in self._open:
            each.ask()
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._open:
            each.end()
        await asyncio.sleep(0.05)  # for those at the other end to take note

    async def finish(self, patience: float) -> None:
        """Waits until each connection has had its one answer."""
        assert self._done is not None
        async with asyncio.timeout(patience):
            await self._done

    def wants_more(self) -> bool:
        """What a connection asks after an answer."""
        if self._once:
            self._left -= 1
            if not self._left and self._done is not None:
                self._done.set_result(None)
        return not self._once


class _Connection(asyncio.Protocol):
    def __init__(self, load: Load, request: bytes, *, timed: bool) -> None:
        self._load, self._counts, self._request, self._timed = load, load.counts, request, timed
        self._is_over = False
        self._began = self._delay = 0.0
        self._rest = b""

    def ask(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._is_waiting, self._rest, self._delay = True, b"", 0.0
        self._began = time.perf_counter()
        self._transport.write(self._request)

    def end(self) -> None:
        self._is_over = True
        self._transport.abort()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_over and self._is_waiting:
            self._counts.lost += 1
            self._load.wants_more()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        # Whatever the pieces, an event is counted when the blank line after it is there.
        *events, self._rest = (self._rest + body).split(b"\n\n")
        for event in events:
            at = event.find(MARK)
            if at >= 0:
                self._counts.frames += 1
                if self._timed:
                    self._time(event, at + len(MARK))

    def _time(self, event: bytes, at: int) -> None:
        delay = (time.monotonic_ns() - int(event[at : event.index(b'"', at)])) / 1e9
        if self._delay:
            self._counts.added.append(delay - self._delay)
        self._delay = delay

    def on_message_complete(self) -> None:
        counts = self._counts
        counts.answers[self._parser.get_status_code()] += 1
        counts.seconds.append(time.perf_counter() - self._began)
        self._is_waiting = False
        if self._load.wants_more() and not self._is_over:
            asyncio.get_running_loop().call_soon(self._again)

    def _again(self) -> None:
        if not self._is_over:
            self.ask()
