"""One request to the gateway over HTTP, whose answer is read piece by piece. Closing it tells the gateway to stop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import httptools

_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 630.0
"""Longer than the gateway itself waits for an engine, so that it is the one to say so."""
_PIECE = 64 * 1024
_MOST_PENDING = 4 * 1024 * 1024


class Broken(Exception):
    """There is no answer, or no more of it."""


class Answer:
    """The head of an answer, and its body as it comes."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._has_head = self._is_over = False
        self.headers: dict[str, str] = {}
        """Names in lower case."""

    @property
    def status(self) -> int:
        return int(self._parser.get_status_code())

    async def begin(self) -> None:
        """Waits for the head. Raises Broken."""
        while not self._has_head:
            await self._feed()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Raises Broken when the connection ends before the body does."""
        while True:
            found, self._pieces = self._pieces, []
            for piece in found:
                yield piece
            if self._is_over:
                return
            await self._feed()

    async def whole(self, most: int = 64 * 1024) -> bytes:
        """A short body, cut at `most` bytes."""
        content = b""
        async for piece in self.pieces():
            content += piece
            if len(content) > most:
                break
        return content[:most]

    async def _feed(self) -> None:
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                data = await self._reader.read(_PIECE)
            if data:
                self._parser.feed_data(data)
        except (OSError, TimeoutError, httptools.HttpParserError) as error:
            raise Broken(type(error).__name__) from error
        if not data and not self._is_over:
            raise Broken("closed")
        if sum(map(len, self._pieces)) > _MOST_PENDING:
            raise Broken("too much")

    # What the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._has_head = True

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._is_over = True


@asynccontextmanager
async def post(url: str, content: bytes, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
    """`url` is our own setting's. Raises Broken when the gateway cannot be reached."""
    parts = urlsplit(url)
    secure: Any = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if secure else 80)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure)
    except (OSError, TimeoutError) as error:
        raise Broken(type(error).__name__) from error
    try:
        lines = {
            "host": parts.netloc.rpartition("@")[2],
            "connection": "close",
            "content-type": "application/json",
            "content-length": str(len(content)),
            **headers,
        }
        head = f"POST {parts.path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
        answer = Answer(reader)
        try:
            writer.write(head.encode("latin-1") + content)
            await writer.drain()
        except OSError as error:
            raise Broken(type(error).__name__) from error
        await answer.begin()
        yield answer
    finally:
        # At once and not politely: whoever stops reading wants the engine to stop as well.
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()
