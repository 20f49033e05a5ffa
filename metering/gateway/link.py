"""One connection to an engine: HTTP/1.1, one request at a time, the answer handed on as it comes."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import httptools

#: Bytes of an answer's head that an engine may send.
LONGEST_HEAD = 64 * 1024


class Sink(Protocol):
    """Who takes the answer. Exactly one of `on_end` and `on_lost` comes last."""

    def on_head(self, status: int, content_type: str) -> None: ...

    def on_data(self, data: bytes) -> None: ...

    def on_end(self) -> None: ...

    def on_lost(self) -> None:
        """The connection ended, or what came was no HTTP, before the answer was complete."""


class Link(asyncio.Protocol):
    """A connection. It is used again only after an answer that ended as it should."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._sink: Sink | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._parts: list[bytes] = []
        self._content_type = ""
        self._head_size = 0
        self._is_bounded = self._is_over = self._has_head = self._keeps = False
        self.has_begun = False
        """Something of the answer has come."""
        self.may_be_kept = False

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, sink: Sink) -> None:
        """Sends one request; the answer goes to `sink`."""
        assert self._transport is not None
        self._sink, self._parser = sink, httptools.HttpResponseParser(self)
        self._content_type, self._head_size = "", 0
        self._is_bounded = self._is_over = self._has_head = self._keeps = False
        self.has_begun = self.may_be_kept = False
        self._transport.write(request)

    def pause(self) -> None:
        """Stops reading: what the client does not take, the engine keeps."""
        if self.is_open:
            self._transport.pause_reading()  # type: ignore[union-attr]

    def resume(self) -> None:
        if self.is_open:
            self._transport.resume_reading()  # type: ignore[union-attr]

    def abort(self) -> None:
        """Ends the connection at once, and with it the engine's work; nobody is told any more."""
        self._sink = None
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's are of no common class

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        if self._sink is None or parser is None:  # nothing was asked, so nothing can be answered
            self.abort()
            return
        self.has_begun = True
        if not self._has_head:
            self._head_size += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._lose()
            return
        if self._parts and self._sink is not None:
            parts, self._parts = self._parts, []
            self._sink.on_data(parts[0] if len(parts) == 1 else b"".join(parts))
        if self._is_over:
            self._finish()
        elif not self._has_head and self._head_size > LONGEST_HEAD:
            self._lose()

    def eof_received(self) -> bool:
        if self._has_head and not self._is_bounded and not self._is_over:
            self._is_over = True
            self._finish()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._lose()

    # What httptools calls

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"content-type":
            self._content_type = value.decode("latin-1").lower()
        elif name in (b"content-length", b"transfer-encoding"):
            self._is_bounded = True

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < 200:
            return  # "100 Continue" and its kind; the answer follows
        if self._is_over:  # an answer to a question that nobody asked
            self._is_bounded = False
            return
        self._has_head = True
        self._keeps = self._parser.should_keep_alive()
        if self._sink is not None:
            self._sink.on_head(status, self._content_type)

    def on_body(self, body: bytes) -> None:
        if not self._is_over:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        if self._has_head:
            self._is_over = True

    def _finish(self) -> None:
        sink, self._sink = self._sink, None
        self.may_be_kept = self._is_bounded and self._keeps and self.is_open
        if sink is not None:
            sink.on_end()
        if not self.may_be_kept:
            self.abort()

    def _lose(self) -> None:
        sink, self._sink = self._sink, None
        if self._transport is not None:
            self._transport.abort()
        if sink is not None:
            sink.on_lost()
