"""One client's connection: HTTP/1.1 read with httptools (llhttp, strict), one request after the other.

What could be read in two ways is refused, because whoever stands in front of the gateway may read it in the other one:
two lengths, a length with a transfer coding, codings other than chunked, no host or two of them. What a client sends
is bounded, and so is the time that it takes. What comes while an answer is under way waits, and no more of it is
read than one piece.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol, cast

import httptools

from metering.gateway.errors import Header, Refusal
from metering.gateway.snapshot import Key

LONGEST_HEAD, MOST_HEADERS, LONGEST_ADDRESS = 32 * 1024, 100, 8 * 1024
#: Seconds for a head to be complete, between two pieces of a body, that an unused connection is kept, and that what a
#: refused client still sends is thrown away before the connection ends.
HEAD_SECONDS, BODY_SECONDS, IDLE_SECONDS, LINGER_SECONDS = 10.0, 30.0, 75.0, 2.0
_UNSENT = 64 * 1024
"""Bytes of an answer that wait for a slow reader before the engine is made to wait."""
_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    401: b"Unauthorized",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    411: b"Length Required",
    413: b"Content Too Large",
    414: b"URI Too Long",
    422: b"Unprocessable Content",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}
_LARGE_HEAD = Refusal(431, "The head of the request is too large. At most 32 KiB and 100 headers are taken.")
#: A body of this size is waited for even when the answer is known, so that the connection can be used again.
_SMALL = 64 * 1024


class Request:
    """What a client asks, complete."""

    __slots__ = ("authorization", "body", "is_old", "keep_alive", "key", "method", "path", "refusal")

    def __init__(self) -> None:
        self.method = self.path = self.authorization = ""
        self.body = b""
        self.keep_alive = True
        self.is_old = False
        """HTTP/1.0: the answer cannot be sent in chunks."""
        self.key: Key | None = None
        self.refusal: Refusal | None = None
        """What is wrong with it, once that is known."""


class Handler(Protocol):
    """Who answers requests; `Doors` does."""

    most_body: int
    is_draining: bool

    def early(self, request: Request) -> Refusal | None:
        """What can be said before the body has come; finds the key."""

    def handle(self, connection: Connection, request: Request) -> Listener | None:
        """Answers, now or later; who wants to know what becomes of the client."""


class Listener(Protocol):
    """An answer that takes its time."""

    def on_client_gone(self) -> None: ...

    def on_client_slow(self) -> None: ...

    def on_client_ready(self) -> None: ...


class Connection(asyncio.Protocol):
    """A connection and the request on it."""

    def __init__(self, handler: Handler, connections: set[Connection]) -> None:
        self._handler, self._connections = handler, connections
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Request] = deque()
        self._listener: Listener | None = None
        self._present: Request | None = None
        self._deadline = 0.0
        self._discarding = self._is_reading = self._has_head = self._chunked = False
        self._head_size = 0
        self.peer = ""
        self.is_forwarded = False
        """A proxy in front passed the last request on."""

    # What the rest of the gateway calls

    def answer(
        self, status: int, body: bytes, headers: Iterable[Header] = (), *, close: bool = False
    ) -> None:
        """A whole answer, in JSON unless the headers say otherwise."""
        request, self._listener = self._present, None
        keep = request is not None and request.keep_alive and not close and not self._handler.is_draining
        head = self._head(status, headers, keep)
        if not any(name == b"content-type" for name, _ in headers):
            head.append(b"content-type: application/json")
        head.append(b"content-length: %d\r\n\r\n" % len(body))
        is_head = request is not None and request.method == "HEAD"
        self._write(b"\r\n".join(head) + (b"" if is_head else body))
        self._next(keep)

    def refuse(self, refusal: Refusal, headers: Iterable[Header] = (), *, close: bool = False) -> None:
        self.answer(refusal.status, refusal.body, (*refusal.headers, *headers), close=close)

    def begin(self, status: int, headers: Iterable[Header]) -> None:
        """The head of an answer that comes in pieces."""
        request = self._present
        assert request is not None
        self._chunked = not request.is_old
        head = self._head(
            status, headers, request.keep_alive and self._chunked and not self._handler.is_draining
        )
        if self._chunked:
            head.append(b"transfer-encoding: chunked")
        self._write(b"\r\n".join(head) + b"\r\n\r\n")

    def send(self, piece: bytes) -> None:
        """One piece; an empty one is nothing."""
        if piece:
            self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)

    def end(self) -> None:
        """The answer is complete."""
        request, self._listener = self._present, None
        if self._chunked:
            self._write(b"0\r\n\r\n")
        keep = self._chunked and request is not None and request.keep_alive
        self._next(keep and not self._handler.is_draining)

    def drop(self) -> None:
        """Ends the connection at once: the answer cannot be completed."""
        self._listener = None
        if self._transport is not None:
            self._transport.abort()

    def tick(self, now: float) -> None:
        """Called every second: ends what takes too long."""
        if now < self._deadline or self._present is not None or self._transport is None:
            return
        if self._discarding:
            self._transport.abort()
        elif self._is_reading:
            self._deny(Refusal(408, "The request did not arrive in time."))
        else:
            self._transport.close()

    def end_if_unused(self) -> None:
        """Ends a connection on which nothing is asked or answered."""
        if self._present is None and not self._is_reading and self._transport is not None:
            self._transport.close()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's are of no common class
        transport.set_write_buffer_limits(_UNSENT)
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) and peer else ""
        self._connections.add(self)
        self._deadline = time.monotonic() + HEAD_SECONDS

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None
        self._queue.clear()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.on_client_gone()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        if self._listener is not None:
            self._listener.on_client_slow()

    def resume_writing(self) -> None:
        if self._listener is not None:
            self._listener.on_client_ready()

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        if not self._is_reading:
            # The first bytes of a request: from here on it has to arrive in time.
            self._deadline = time.monotonic() + HEAD_SECONDS
        elif self._has_head:
            self._deadline = time.monotonic() + BODY_SECONDS
        self._is_reading = True
        if not self._has_head:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (
            httptools.HttpParserUpgrade,
            httptools.HttpParserError,
        ):  # also what our own callbacks raise to stop it
            if not self._discarding:
                self._deny(Refusal(400, "This is not a request that can be read in one way only."))
        if not self._has_head and self._head_size > LONGEST_HEAD and not self._discarding:
            self._deny(_LARGE_HEAD)
        if not self._discarding:
            self._start()

    # What httptools calls

    def on_message_begin(self) -> None:
        self._is_reading, self._has_head, self._head_size = True, False, 0
        self._incoming = Request()
        self._address = b""
        self._headers = self._hosts = self._size = self._length = 0
        self._is_chunked = self._expects = self._forwarded = False
        self._parts: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._address += url
        if len(self._address) > LONGEST_ADDRESS:
            self._note(Refusal(414, "The address is too long."))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers += 1
        self._head_size += len(name) + len(value)
        if self._headers > MOST_HEADERS or self._head_size > 2 * LONGEST_HEAD:
            self._note(_LARGE_HEAD)
            return
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"authorization":
            if self._incoming.authorization:
                self._note(Refusal(400, "There are two Authorization headers."))
            self._incoming.authorization = value.decode("latin-1")
        elif name == b"content-length":
            self._length = int(value[:16])
            if self._length > self._handler.most_body:
                self._note(self._too_large())
        elif name == b"transfer-encoding":
            self._is_chunked = True
            if value.strip().lower() != b"chunked":
                self._note(Refusal(501, "The only transfer coding that is taken is chunked."))
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            self._note(Refusal(415, "The body must not be compressed."))
        elif name == b"upgrade":
            self._note(Refusal(501, "This connection cannot be upgraded."))
        elif name == b"expect":
            self._expects = value.strip().lower() == b"100-continue"
        elif name in (b"x-forwarded-for", b"forwarded", b"via"):
            self._forwarded = True

    def on_headers_complete(self) -> None:
        self._has_head = True
        request, parser = self._incoming, self._parser
        version = parser.get_http_version()
        request.method = parser.get_method().decode("latin-1")
        request.is_old = version == "1.0"
        if version not in ("1.0", "1.1"):
            self._note(Refusal(400, "This version of HTTP is not spoken here."))
        elif self._hosts != 1 and not (request.is_old and not self._hosts):
            self._note(Refusal(400, "A request names one host."))
        elif request.is_old and self._is_chunked:
            self._note(Refusal(400, "HTTP/1.0 knows no transfer coding."))
        path, _, _ = self._address.partition(b"?")
        request.path = path.decode("latin-1")
        request.keep_alive = parser.should_keep_alive()
        self.is_forwarded = self._forwarded
        is_plain = request.refusal is None
        if is_plain:
            request.refusal = self._handler.early(request)
        # What follows a request that is not plain is not looked at, and a large body is not waited for.
        if request.refusal is not None and (not is_plain or self._is_chunked or self._length > _SMALL):
            self._deny(request.refusal)
            raise _Stop
        if self._expects and request.refusal is None:
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > self._handler.most_body:
            self._deny(self._too_large())
            raise _Stop
        self._parts.append(body)

    def on_message_complete(self) -> None:
        request = self._incoming
        request.body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        self._is_reading = False
        self._queue.append(request)

    # Inside

    def _start(self) -> None:
        """Takes the next request, unless one is being answered."""
        while self._queue and self._present is None and self._transport is not None:
            self._present = self._queue.popleft()
            if self._present.refusal is not None:
                self.refuse(self._present.refusal)
                continue
            listener = self._handler.handle(self, self._present)
            # It may have been answered by now, and the next one as well.
            if self._present is not None and listener is not None:
                self._listener = listener
                if self._queue:
                    self._transport.pause_reading()
                return

    def _next(self, keep: bool) -> None:
        """After an answer."""
        self._present = None
        if self._transport is None:
            return
        if not keep:
            self._linger()
            return
        self._deadline = time.monotonic() + IDLE_SECONDS
        if self._queue:
            self._transport.resume_reading()
            asyncio.get_running_loop().call_soon(self._start)

    def _note(self, refusal: Refusal) -> None:
        if self._incoming.refusal is None:
            self._incoming.refusal = refusal

    def _too_large(self) -> Refusal:
        most = self._handler.most_body // (1024 * 1024)
        return Refusal(413, f"The body is too large. At most {most} MiB are taken.")

    def _deny(self, refusal: Refusal) -> None:
        """Answers what will never be a request, and ends the connection."""
        if self._present is not None or self._queue:
            # An answer is under way before this one; there is no place for another.
            self._discarding = True
            self.drop()
            return
        self.refuse(refusal, close=True)

    def _linger(self) -> None:
        """Ends the connection so that the client still reads the answer: unread bytes would make it a reset."""
        self._discarding = True
        self._deadline = time.monotonic() + LINGER_SECONDS
        if self._transport is not None:
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()

    def _head(self, status: int, headers: Iterable[Header], keep: bool) -> list[bytes]:
        head = [b"HTTP/1.1 %d %b" % (status, _REASONS.get(status, b"-")), b"cache-control: no-store"]
        head += [name + b": " + value for name, value in headers]
        if not keep:
            head.append(b"connection: close")
        elif self._present is not None and self._present.is_old:
            head.append(b"connection: keep-alive")
        return head

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


class _Stop(Exception):
    """Nothing more is read from this connection."""
