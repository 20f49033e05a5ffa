"""`python -m tests.bench.relay PORT ENGINE_URL`: the gateway's own relay, with keys, limits and metering switched off.

It reads requests and asks engines with the gateway's very parts, and passes on what comes; so what the gateway costs
more than this is what deciding and counting cost.
"""

from __future__ import annotations

import asyncio
import gc
import sys

import uvloop

from metering.gateway.connection import Connection, Request
from metering.gateway.errors import Refusal
from metering.gateway.link import Link
from metering.gateway.upstream import Replica, Upstreams


class Relay:
    """Hands every request on to one engine."""

    most_body = 8 * 1024 * 1024
    is_draining = False

    def __init__(self, url: str) -> None:
        self._url = url
        self._upstreams = Upstreams()
        self._tasks: set[asyncio.Task[None]] = set()

    def early(self, request: Request) -> Refusal | None:
        return None

    def handle(self, connection: Connection, request: Request) -> Passing:
        passing = Passing(connection)
        task = asyncio.get_running_loop().create_task(self._pass(passing, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return passing

    async def _pass(self, passing: Passing, request: Request) -> None:
        replica = await self._upstreams.pick((self._url,))
        assert replica is not None
        replica.in_flight += 1
        link = await replica.link()
        await passing.fetch(link, _head(replica, request) + request.body)
        replica.in_flight -= 1
        if link.may_be_kept:
            replica.keep(link)


class Passing:
    """An answer on its way."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._parts: list[bytes] = []
        self._is_stream = False
        self._status = 0
        self._link: Link | None = None

    async def fetch(self, link: Link, request: bytes) -> None:
        self._link, self._done = link, asyncio.get_running_loop().create_future()
        link.send(request, self)
        await self._done

    def on_head(self, status: int, content_type: str) -> None:
        self._status, self._is_stream = status, content_type.startswith("text/event-stream")
        if self._is_stream:
            self._connection.begin(status, [(b"content-type", content_type.encode())])

    def on_data(self, data: bytes) -> None:
        if self._is_stream:
            self._connection.send(data)
        else:
            self._parts.append(data)

    def on_end(self) -> None:
        if self._is_stream:
            self._connection.end()
        else:
            self._connection.answer(self._status, b"".join(self._parts))
        self._over()

    def on_lost(self) -> None:
        self._connection.drop()
        self._over()

    def on_client_gone(self) -> None:
        if self._link is not None:
            self._link.abort()
        self._over()

    def on_client_slow(self) -> None:
        if self._link is not None:
            self._link.pause()

    def on_client_ready(self) -> None:
        if self._link is not None:
            self._link.resume()

    def _over(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


def _head(replica: Replica, request: Request) -> bytes:
    return (
        f"{request.method} {request.path} HTTP/1.1\r\nhost: {replica.place.authority}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(request.body)}\r\n\r\n"
    ).encode("latin-1")


async def _serve(port: int, url: str) -> None:
    relay, connections = Relay(url), set[Connection]()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(relay, connections), "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    gc.collect()
    gc.freeze()
    uvloop.run(_serve(int(sys.argv[1]), sys.argv[2]))
