"""A server that misbehaves on request, for tests of what we do then.

It speaks raw HTTP over real sockets, so that a reset, a half-open connection or a dripping answer are the real
thing. Each test scripts the answers; every request is recorded.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Answer = Callable[[socket.socket, "Request"], None]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FaultyServer:
    """Plays `script` answer by answer; the last one is repeated."""

    script: list[Answer] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # shutdown wakes the thread that waits in accept(); close alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while (request := _read(connection)) is not None:
                self.requests.append(request)
                answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                answer(connection, request)


@contextlib.contextmanager
def faulty_server(*script: Answer) -> Iterator[FaultyServer]:
    server = FaultyServer(list(script))
    try:
        yield server
    finally:
        server.close()


def says(status: int, body: object = b"", **headers: str) -> Answer:
    """A whole answer; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(connection: socket.socket, request: Request) -> None:
        lines = [f"HTTP/1.1 {status} Told", f"Content-Length: {len(data)}", "Content-Type: application/json"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

    return answer


def refuses(status: int, message: str, reason: str = "", **headers: str) -> Answer:
    """A Kubernetes `Status` answer."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return says(status, body | {"code": status}, **headers)


def resets(connection: socket.socket, request: Request) -> None:
    """Ends the connection with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def swallows(seconds: float) -> Answer:
    """Takes the request and says nothing."""

    def answer(connection: socket.socket, request: Request) -> None:
        time.sleep(seconds)
        resets(connection, request)

    return answer


def cuts(body: bytes, after: int) -> Answer:
    """Promises the whole body and closes after some bytes."""

    def answer(connection: socket.socket, request: Request) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body[:after])
        connection.close()

    return answer


def drips(pause: float) -> Answer:
    """Sends one byte at a time, for ever."""

    def answer(connection: socket.socket, request: Request) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(pause)

    return answer


def _read(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    method, path, _version = first.split(" ")
    return Request(method, path, headers, body)
