"""`python -m tests.bench.engine PORT`: an engine that costs as little as it can, for measuring what is before it.

It speaks vLLM's shapes. `user` of a request is the pace of its stream in milliseconds, and `work_ms` how long a whole
answer takes. All streams of a pace move in one step, as a batch of a real engine does. Each event of a stream says when
it was sent, so that a client on the same machine knows what was added on the way.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import msgspec
import uvloop

TOKENS, PACE_MS = 24, 5
_PROMPT = 26
MARK = b'"content":"t'
"""What stands before the time in an event."""


class Options(msgspec.Struct):
    include_usage: bool = False
    continuous_usage_stats: bool = False


class Asked(msgspec.Struct):
    model: str = ""
    stream: bool = False
    stream_options: Options | None = None
    max_tokens: int | None = None
    user: str | None = None
    work_ms: int = 0


_decoder = msgspec.json.Decoder(Asked)


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


def _usage(count: int) -> bytes:
    words = b'{"prompt_tokens":%d,"total_tokens":%d,"completion_tokens":%d}'
    return words % (_PROMPT, _PROMPT + count, count)


def _event(rest: bytes) -> bytes:
    head = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764170000,"model":"chat",'
    return head + rest + b"}\n\n"


_CHOICE = b'"choices":[{"index":0,"delta":{%b},"logprobs":null,"finish_reason":%b,"token_ids":null}]'
_ROLE = _CHOICE % (b'"role":"assistant","content":""', b"null")
_TOKEN = _CHOICE % (MARK + b'%d"', b"null")
_TEXT = b" word" * TOKENS
_WHOLE = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1764170000,"model":"chat","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"%b","refusal":null},"logprobs":null,"finish_reason":"stop",'
    b'"stop_reason":null}],"system_fingerprint":"bench","usage":%b}' % (_TEXT, _usage(TOKENS))
)
_HEAD = b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-type: %b\r\n%b\r\n\r\n"
_ANSWER = _HEAD % (b"application/json", b"content-length: %d" % len(_WHOLE)) + _WHOLE
_BEGIN = _HEAD % (b"text/event-stream; charset=utf-8", b"transfer-encoding: chunked")
_END = _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Pace:
    """Streams that move together."""

    def __init__(self, milliseconds: int) -> None:
        self.streams: dict[Connection, None] = {}
        self._seconds = milliseconds / 1000
        self._loop = asyncio.get_running_loop()
        self._next = self._loop.time()
        self._step()

    def _step(self) -> None:
        for each in list(self.streams):
            each.step(self)
        # A step that is late does not hurry the next ones.
        self._next = max(self._next + self._seconds, self._loop.time())
        self._loop.call_at(self._next, self._step)


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, paces: dict[int, Pace]) -> None:
        self._paces = paces
        self._loop = asyncio.get_running_loop()
        self._data = b""
        self._pace: Pace | None = None
        self._sent = self._wanted = 0
        self._usage = self._continuous = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._leave()

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, gap, rest = self._data.partition(b"\r\n\r\n")
        if not gap:
            return
        if head.startswith(b"GET"):
            self._data = b""
            self._transport.write(_HEAD % (b"application/json", b"content-length: 2") + b"{}")
            return
        _, name, after = head.lower().partition(b"content-length:")
        size = int(after.partition(b"\r\n")[0]) if name else 0
        if len(rest) < size:
            return
        self._data = rest[size:]
        asked = _decoder.decode(rest[:size])
        if not asked.stream:
            if asked.work_ms:
                self._loop.call_later(asked.work_ms / 1000, self._transport.write, _ANSWER)
            else:
                self._transport.write(_ANSWER)
            return
        options = asked.stream_options or Options()
        self._usage, self._continuous = options.include_usage, options.continuous_usage_stats
        self._sent, self._wanted = 0, asked.max_tokens or TOKENS
        self._transport.write(_BEGIN + _chunk(_event(_ROLE + self._count())))
        pace = int(asked.user or PACE_MS)
        if pace not in self._paces:
            self._paces[pace] = Pace(pace)
        self._pace = self._paces[pace]
        self._pace.streams[self] = None

    def step(self, pace: Pace) -> None:
        """The next token, or the end."""
        if self._sent < self._wanted:
            self._sent += 1
            self._transport.write(_chunk(_event(_TOKEN % time.monotonic_ns() + self._count())))
            return
        self._leave()
        last = b'"choices":[],"usage":' + _usage(self._sent)
        self._transport.write((_chunk(_event(last)) if self._usage else b"") + _END)

    def _count(self) -> bytes:
        return b',"usage":' + _usage(self._sent) if self._continuous else b""

    def _leave(self) -> None:
        if self._pace is not None:
            self._pace.streams.pop(self, None)
            self._pace = None


async def _serve(port: int) -> None:
    paces: dict[int, Pace] = {}
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(paces), "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
