"""An engine's answer on its way to the client, piece by piece: what a link calls, and what a client's connection calls.

A stream passes as it comes; an answer that is not streamed is kept until it is whole. A client that reads slowly makes
the engine wait, and one that hangs up ends the engine's work. Under a limit on tokens nothing passes that is not
granted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from metering.gateway.body import Asked
from metering.gateway.connection import Connection
from metering.gateway.errors import Header, Refusal
from metering.gateway.journal import Note
from metering.gateway.lease import Lease
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
        note: Note,
        since_1970: float,
        begin_task: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._asked, self._connection, self._lease = asked, connection, lease
        self._headers, self._note, self._begin_task = headers, note, begin_task
        self._since_1970 = since_1970
        """Microseconds from the monotonic clock's zero to 1970."""
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
        self.touched = time.monotonic()
        """When the engine or the client last did something."""
        self.first = self.last = 0.0
        """When the first and the newest token came, by the monotonic clock."""
        self._first_moment = 0
        """The first as microseconds since 1970; 0: there was none."""

    async def fetch(self, link: Link, request: bytes) -> None:
        """Sends the request, and waits until the answer is over, lost or given up."""
        self._link, self._done = link, asyncio.get_running_loop().create_future()
        self.status, self.is_lost, self.is_asked, self.touched = 0, False, True, time.monotonic()
        self._parts, self._size = [], 0
        link.send(request, self)
        try:
            await self._done
        finally:
            self._link = None

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
        self.touched, self.status = time.monotonic(), status
        if status == 200 and self._asked.stream and content_type.startswith("text/event-stream"):
            asked = self._asked
            self.stream = Stream(
                keep_last=asked.include_usage,
                keep_all=asked.continuous_usage,
                prompts=asked.prompts,
                choices=asked.choices,
            )

    def on_data(self, data: bytes) -> None:
        self.touched = now = time.monotonic()
        stream = self.stream
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
        moment = int(now * 1e6 + self._since_1970)
        if stream.has_text:
            self.last = now
            if not self.first:
                self.first, self._first_moment = now, moment
        counted, lease = stream.counted, self._lease
        output = counted.output if counted.is_known else stream.texts
        # Before it passes, so that what a client has is in the ledger even if this process is killed right here.
        self._note(
            counted.input if counted.is_known else -1, output, counted.cached, self._first_moment, moment
        )
        if lease.is_needed and (output > lease.calm_until or self._held_back):
            self._under_limit(stream, piece)
        elif piece:
            if self.has_sent:
                self._connection.send(piece)
            else:
                self._pass(piece)

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
        self._is_slow, self.touched = True, time.monotonic()
        if self._link is not None:
            self._link.pause()

    def on_client_ready(self) -> None:
        self._is_slow, self.touched = False, time.monotonic()
        if self._link is not None and not self._held_back:
            self._link.resume()

    # What the clock calls

    def tick(self, now: float, first_answer: float, silence: float) -> None:
        """Ends what has been silent for too long; seconds."""
        if now - self.touched < (silence if self.status else first_answer) or not self.is_asked:
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
        if self.first and self.last > self.first:
            lease.pace(stream.output / (self.last - self.first))
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
