"""An engine's answer on its way to the client, piece by piece: what a link calls, and what a client's connection calls.

A stream passes as it comes; an answer that is not streamed is kept until it is whole. A client that reads slowly makes
the engine wait, and one that hangs up ends the engine's work. Under a limit on tokens nothing passes that is not
granted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

from metering.gateway.body import Asked
from metering.gateway.connection import Connection
from metering.gateway.errors import Header, Refusal
from metering.gateway.journal import CACHED, FIRST, INPUT, NEWEST, OUTPUT, Progress
from metering.gateway.lease import Lease
from metering.gateway.likeness import Likeness
from metering.gateway.link import Link
from metering.gateway.stream import Stream
from metering.limiter import Refused

#: Bytes of an answer that is not streamed; no engine sends more for a request that fits.
MOST_ANSWER = 256 * 1024 * 1024


class Answer:
    """The answer to one request, over all tries to get one."""

    def __init__(
        self,
        asked: Asked,
        connection: Connection,
        lease: Lease,
        headers: Callable[[], list[Header]],
        progress: Progress,
        since_1970: float,
        begin_task: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        # What is needed for each piece comes first: attributes lie in memory in this order.
        self._like: Likeness | None = None
        """What the next piece is likely to be; there is one only when it may pass at once."""
        self._cells, self._at = progress
        self._since_1970 = since_1970
        """Microseconds from the monotonic clock's zero to 1970."""
        self._connection = connection
        self._asked, self._lease, self._headers, self._begin_task = asked, lease, headers, begin_task
        self._link: Link | None = None
        self._done: asyncio.Future[None] | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._held_back: list[bytes] = []
        self._has_ended = self._is_slow = False
        self.status = 0
        """As the engine sent it; 0: nothing came."""
        self.stream: Stream | None = None
        self.cut: Refused | None = None
        """The limit that ended the stream."""
        self.is_asked = self.is_gone = self.is_lost = self.is_late = self.has_sent = False
        self.touched = monotonic()
        """When the engine or the client last did something, as far as it was no event that was foretold."""

    async def fetch(self, link: Link, request: bytes) -> None:
        """Sends the request, and waits until the answer is over, lost or given up."""
        self._link, self._done = link, asyncio.get_running_loop().create_future()
        self.status, self.is_lost, self.is_asked, self.touched = 0, False, True, monotonic()
        self._parts, self._size = [], 0
        link.send(request, self)
        try:
            await self._done
        finally:
            self._link = None

    @property
    def moments(self) -> tuple[int, int]:
        """When the first and the newest text came, in microseconds since 1970; 0: there was none."""
        return self._cells[self._at + FIRST], self._cells[self._at + NEWEST]

    @property
    def body(self) -> bytes:
        """Of an answer that is not streamed."""
        return b"".join(self._parts)

    def finish_with(self, refusal: Refusal) -> None:
        """Ends a stream that has begun with an error, as an event in OpenAI's shape."""
        self._pass(b"data: " + refusal.body + b"\n\ndata: [DONE]\n\n")
        self._connection.end()

    def finish(self, rest: bytes) -> None:
        """Ends a stream that is complete."""
        self._pass(rest)
        self._connection.end()

    # What the link calls

    def on_head(self, status: int, content_type: str) -> None:
        self.touched, self.status = monotonic(), status
        if status == 200 and self._asked.stream and content_type.startswith("text/event-stream"):
            asked = self._asked
            self.stream = Stream(
                keep_last=asked.include_usage,
                keep_all=asked.continuous_usage,
                prompts=asked.prompts,
                choices=asked.choices,
            )

    def on_data(self, data: bytes) -> None:
        like = self._like
        if like is None or (piece := like.follow(data)) is None:
            self._take(data)
            return
        # Before it passes, so that what a client has is in the ledger even if this process is killed right here.
        cells, at = self._cells, self._at
        cells[at + OUTPUT] += 1
        cells[at + NEWEST] = int(monotonic() * 1e6 + self._since_1970)
        self._connection.send(piece)

    def on_end(self) -> None:
        self._has_ended = True
        if not self._held_back:
            self._over()

    def on_lost(self) -> None:
        self.is_lost = True
        self._over()

    # What the connection calls

    def on_client_gone(self) -> None:
        self.is_gone = True
        self.give_up()

    def on_client_slow(self) -> None:
        self._is_slow, self.touched = True, monotonic()
        if self._link is not None:
            self._link.pause()

    def on_client_ready(self) -> None:
        self._is_slow, self.touched = False, monotonic()
        if self._link is not None and not self._held_back:
            self._link.resume()

    # What the clock calls

    def tick(self, now: float, first_answer: float, silence: float) -> None:
        """Ends what has been silent for too long; seconds."""
        touched = max(self.touched, (self.moments[1] - self._since_1970) / 1e6)
        if now - touched < (silence if self.status else first_answer) or not self.is_asked:
            return
        if self._is_slow:
            self._connection.drop()
            self.on_client_gone()
        else:
            self.is_late = True
            self.give_up()

    def give_up(self) -> None:
        """Ends the engine's work."""
        if self._link is not None:
            self._link.abort()
        self.on_lost()

    # Inside

    def _take(self, data: bytes) -> None:
        """A piece of an answer, whatever it is."""
        self.touched = now = monotonic()
        stream, self._like = self.stream, None
        if stream is None:
            self._size += len(data)
            self._parts.append(data)
            if self._size > MOST_ANSWER:
                self.give_up()
            return
        try:
            piece = stream.feed(data)
        except ValueError:
            self.give_up()
            return
        output, lease = stream.output, self._lease
        self._note(stream, output, int(now * 1e6 + self._since_1970))
        if output > lease.calm_until:
            self._under_limit(stream, piece)
        elif piece:
            self._pass(piece)
        if self.has_sent:
            self._like = stream.foretell(lease.calm_until - output)

    def _note(self, stream: Stream, output: int, moment: int) -> None:
        """How far it has come."""
        cells, at, counted = self._cells, self._at, stream.counted
        if counted.is_known:
            cells[at + INPUT], cells[at + CACHED] = counted.input, counted.cached
        cells[at + OUTPUT] = output
        if stream.has_text:
            cells[at + NEWEST] = moment
            if not cells[at + FIRST]:
                cells[at + FIRST] = moment

    def _over(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _pass(self, piece: bytes) -> None:
        if not self.has_sent:
            self.has_sent = True
            kind = (b"content-type", b"text/event-stream; charset=utf-8")
            self._connection.begin(200, [kind, *self._headers()])
        self._connection.send(piece)

    def _under_limit(self, stream: Stream, piece: bytes) -> None:
        """Passes what is granted, and keeps back the rest until it is."""
        lease = self._lease
        if stream.counted.is_known:
            lease.learn_prompt(stream.counted.input)
        if lease.wants_more(stream.output):
            self._begin_task(self._extend(stream))
        if self._held_back or not lease.covers(stream.output):
            self._held_back.append(piece)
            if self._link is not None:
                self._link.pause()
        elif piece:
            self._pass(piece)

    async def _extend(self, stream: Stream) -> None:
        lease = self._lease
        first, newest = self.moments
        if newest > first:
            lease.pace(stream.output * 1e6 / (newest - first))
        while (refused := await lease.extend(stream.output)) is None and not lease.covers(stream.output):
            continue
        if refused is not None:
            if self._held_back:  # it has used up what was granted before
                self.cut = refused
                self.give_up()
            return
        if self._held_back:
            piece, self._held_back = b"".join(self._held_back), []
            self._pass(piece)
            if self._has_ended:
                self._over()
            elif self._link is not None and not self._is_slow:
                self._link.resume()
