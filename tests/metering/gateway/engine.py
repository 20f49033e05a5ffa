"""An engine that does what a test says, on real sockets, and keeps its own books.

It speaks vLLM's shapes. A prompt has as many tokens as its messages have words, an answer as many as the script says.
Its record says of each request what was really generated, which the ledger must agree with.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

NORMAL = object()


@dataclass
class Script:
    """How the engine answers from now on."""

    tokens: int = 5
    ttft: float = 0.0
    itl: float = 0.0
    usage: Any = NORMAL
    """What stands in the place of usage at the end; None: nothing. NORMAL: the truth."""
    continuous: bool = True
    """It knows how to report usage in every event."""
    repeats_usage: bool = False
    cached: int = 0
    error: tuple[int, bytes] | None = None
    """A status and a body instead of an answer."""
    fails_after: int | None = None
    """An error event after so many tokens, then the end mark, as vLLM does when it dies."""
    cut_after: int | None = None
    """Resets the connection when so many bytes of the answer are written."""
    hangs: bool = False
    """Takes the request and says nothing."""
    closes_early: bool = False
    """Ends the connection before it has said anything."""
    merge: int = 1
    """Tokens in one event."""
    pieces: int = 0
    """Bytes of a write; 0: an event each."""
    keep_alive: bool = True


@dataclass
class Seen:
    """One request in the engine's own books."""

    body: dict[str, Any]
    headers: dict[str, str]
    prompt: int
    began: float
    generated: int = 0
    is_complete: bool = False
    ended: float = 0.0


@dataclass
class Engine:
    """A running engine; `script` may be changed at any time."""

    script: Script = field(default_factory=Script)
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)

    def stop_listening(self) -> None:
        """The engine is gone: nobody listens, and what was open is reset."""
        asyncio.run_coroutine_threadsafe(self._hush(), self._loop).result(5)

    def listen_again(self) -> None:
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)

    def close(self) -> None:
        self.stop_listening()
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def totals(self) -> tuple[int, int]:
        """Prompt and generated tokens of everything."""
        return sum(each.prompt for each in self.seen), sum(each.generated for each in self.seen)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _hush(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer(reader, writer):
                pass
        self._writers.discard(writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))) or b"{}")
        script = self.script
        seen = Seen(body, headers, _words(body), time.monotonic())
        self.seen.append(seen)
        if script.closes_early:
            return False
        if script.hangs:
            await reader.read(1)
            return False
        out = _Out(writer, script)
        gone = asyncio.ensure_future(reader.read(1))
        try:
            work = asyncio.ensure_future(self._write(out, script, seen, head[0].split(" ")[1]))
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await work
                return False
            work.result()
        finally:
            seen.ended = time.monotonic()
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await gone
        return script.keep_alive

    async def _write(self, out: _Out, script: Script, seen: Seen, path: str) -> None:
        if script.error is not None:
            await out.whole(*script.error)
            return
        await asyncio.sleep(script.ttft)
        wanted = seen.body.get("max_tokens") or seen.body.get("max_completion_tokens") or script.tokens
        count = 0 if path.endswith("embeddings") else min(script.tokens, wanted)
        if not seen.body.get("stream"):
            await asyncio.sleep(script.itl * count)
            seen.generated, seen.is_complete = count, True
            answer: dict[str, Any] = {"id": "x", "object": "chat.completion", "choices": [_choice(count)]}
            if path.endswith("embeddings"):
                answer = {"object": "list", "data": [{"index": 0, "object": "embedding", "embedding": [0.5]}]}
            if script.usage is not None:
                answer["usage"] = _usage(seen, script) if script.usage is NORMAL else script.usage
            await out.whole(200, json.dumps(answer, separators=(",", ":")).encode())
            return
        await self._stream(out, script, seen, count)

    async def _stream(self, out: _Out, script: Script, seen: Seen, count: int) -> None:
        asked = seen.body.get("stream_options") or {}
        continuous = script.continuous and asked.get("continuous_usage_stats") and script.usage is NORMAL
        await out.begin()
        await out.event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        for start in range(0, count, script.merge):
            if script.fails_after is not None and seen.generated >= script.fails_after:
                await out.event({"error": {"message": "EngineCore: see stack trace", "code": 500}})
                await out.end()
                return
            if start:
                await asyncio.sleep(script.itl * script.merge)
            fresh = min(script.merge, count - start)
            text = "".join(f" w{start + number}" for number in range(fresh))
            # What is written is generated: the books and the wire must not differ by what a cancelled write took.
            seen.generated += fresh
            message: dict[str, Any] = {
                "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]
            }
            if continuous:
                message["usage"] = _usage(seen, script)
            await out.event(message)
        if asked.get("include_usage") and script.usage is not None:
            usage = _usage(seen, script) if script.usage is NORMAL else script.usage
            for _ in range(2 if script.repeats_usage else 1):
                await out.event({"choices": [], "usage": usage})
        seen.is_complete = True
        await out.end()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class _Out:
    """The answer's way out, with the faults of the script."""

    def __init__(self, writer: asyncio.StreamWriter, script: Script) -> None:
        self._writer, self._script = writer, script
        self._written = 0

    async def whole(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        await self._put(head.encode() + body)

    async def begin(self) -> None:
        await self._put(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
        )

    async def event(self, message: dict[str, Any]) -> None:
        shape = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "chat",
            **message,
        }
        await self._chunk(b"data: " + json.dumps(shape, separators=(",", ":")).encode() + b"\n\n")

    async def end(self) -> None:
        await self._chunk(b"data: [DONE]\n\n")
        await self._put(b"0\r\n\r\n")

    async def _chunk(self, data: bytes) -> None:
        size = self._script.pieces or len(data)
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            await self._put(b"%x\r\n%b\r\n" % (len(piece), piece))
            if self._script.pieces:
                await asyncio.sleep(0)

    async def _put(self, data: bytes) -> None:
        cut = self._script.cut_after
        if cut is not None and self._written + len(data) > cut:
            self._writer.write(data[: cut - self._written])
            await self._writer.drain()
            raw = self._writer.get_extra_info("socket")
            await asyncio.sleep(0.05)  # let it arrive before the reset
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
            raise ConnectionResetError
        self._written += len(data)
        self._writer.write(data)
        await self._writer.drain()


def _words(body: dict[str, Any]) -> int:
    texts = [str(message.get("content")) for message in body.get("messages", [])]
    texts += [body[name] for name in ("prompt", "input") if isinstance(body.get(name), str)]
    return sum(len(text.split()) for text in texts)


def _choice(count: int) -> dict[str, Any]:
    text = "".join(f" w{number}" for number in range(count))
    return {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}


def _usage(seen: Seen, script: Script) -> dict[str, Any]:
    return {
        "prompt_tokens": seen.prompt,
        "total_tokens": seen.prompt + seen.generated,
        "completion_tokens": seen.generated,
        "prompt_tokens_details": {"cached_tokens": script.cached} if script.cached else None,
    }


@contextlib.contextmanager
def running(script: Script | None = None) -> Iterator[Engine]:
    engine = Engine(script or Script())
    engine.start()
    try:
        yield engine
    finally:
        engine.close()
