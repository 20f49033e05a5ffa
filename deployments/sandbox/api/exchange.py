"""One HTTP request and its answer on the ASGI interface, without a framework.

Hundreds of engines share one process; what each needs of a web framework is these few lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

Message = dict[str, Any]


class ClientGone(Exception):
    """The client closed the connection before the answer was complete."""


class Exchange:
    """Reads the request, writes the answer, and counts both."""

    def __init__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.status = 0
        self.read = self.sent = 0
        self.extra_headers: list[tuple[bytes, bytes]] = []
        # Told every part of the answer's body, for whoever passes the exchange on and keeps count.
        self.on_sent: Callable[[bytes], None] = lambda part: None
        self._headers = {name.lower(): value for name, value in scope["headers"]}
        self._receive = receive
        self._send = send

    def header(self, name: str) -> str:
        """A request header; empty when it is missing."""
        value: bytes = self._headers.get(name.encode(), b"")
        return value.decode("latin-1")

    async def body(self, limit: int) -> bytes | None:
        """The whole body, or None when it is longer than `limit` bytes."""
        parts = []
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            self.read += len(part)
            if self.read > limit:
                return None
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)

    async def until_gone(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, unless the client hangs up first: then cancel it and raise ClientGone."""
        task = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ClientGone
            await task
        finally:
            for each in (task, gone):
                each.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task

    async def send(self, status: int, body: bytes, content_type: str = "") -> None:
        """A complete answer."""
        headers = [(b"content-length", str(len(body)).encode())]
        if content_type:
            headers.append((b"content-type", content_type.encode()))
        await self._start(status, headers)
        self.sent += len(body)
        self.on_sent(body)
        await self._send({"type": "http.response.body", "body": body})

    async def send_json(self, status: int, document: dict[str, Any]) -> None:
        """A complete JSON answer."""
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        # A client's lone surrogates come back as they were sent, in ASCII.
        body = text.encode("utf-8", "backslashreplace")
        await self.send(status, body, "application/json")

    async def begin_events(self) -> None:
        """Start a stream of events."""
        await self._start(200, [(b"content-type", b"text/event-stream; charset=utf-8")])

    async def send_part(self, part: bytes, *, last: bool = False) -> None:
        """A piece of a stream."""
        self.sent += len(part)
        self.on_sent(part)
        await self._send({"type": "http.response.body", "body": part, "more_body": not last})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        shown = [*headers, (b"vary", b"Origin"), *self.extra_headers]
        await self._send({"type": "http.response.start", "status": status, "headers": shown})

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
