"""The fault proxy itself: a fault that does not happen would make the tests that rely on it say nothing."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Fault, FaultProxy, fault_proxy


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """In front of a server that says what it is told."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        with fault_proxy(server.server_address) as one:
            yield one
        server.shutdown()


def _connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def _say(connection: socket.socket, words: bytes) -> bytes:
    connection.sendall(words)
    heard = b""
    while len(heard) < len(words) and (data := connection.recv(65536)):
        heard += data
    return heard


def _until_reset(connection: socket.socket) -> bytes:
    """All that comes before it. Fails when the connection ends in any other way."""
    heard = b""
    try:
        while data := connection.recv(65536):
            heard += data
    except ConnectionResetError:
        return heard
    pytest.fail("the connection ended as it should")


def test_what_is_said_passes_and_connections_are_counted(proxy: FaultProxy) -> None:
    with _connect(proxy) as one, _connect(proxy) as other:
        assert _say(one, b"x" * 200_000) == b"x" * 200_000
        assert _say(other, b"hello") == b"hello"
    assert proxy.connections == 2


def test_a_delay_reaches_connections_that_are_open(proxy: FaultProxy) -> None:
    with _connect(proxy) as connection:
        assert _say(connection, b"one") == b"one"
        proxy.set(Fault.PASS, delay=0.1)
        began = time.monotonic()
        assert _say(connection, b"two") == b"two"
        assert time.monotonic() - began >= 0.2  # there and back


def test_what_is_swallowed_is_not_answered_but_the_connection_stays(proxy: FaultProxy) -> None:
    with _connect(proxy) as connection:
        assert _say(connection, b"one") == b"one"
        proxy.set(Fault.SWALLOW)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            _say(connection, b"two")
        with _connect(proxy):  # new ones are taken, too
            pass


def test_a_refusal_resets_what_is_open_and_ends_with_the_fault(proxy: FaultProxy) -> None:
    with _connect(proxy) as connection:
        assert _say(connection, b"one") == b"one"
        proxy.set(Fault.REFUSE)
        with pytest.raises(ConnectionError):
            connection.recv(1) or connection.recv(1)
        with pytest.raises(ConnectionRefusedError):
            _connect(proxy)
        proxy.set(Fault.PASS)
    with _connect(proxy) as again:
        assert _say(again, b"back") == b"back"


@pytest.mark.parametrize("count", [1, 7, 1000])
def test_an_answer_is_cut_after_exactly_so_many_bytes(proxy: FaultProxy, count: int) -> None:
    proxy.cut_after(count)
    with _connect(proxy) as connection:
        connection.sendall(b"y" * 5000)
        heard = _until_reset(connection)
    # A reset may overtake bytes that are on their way; it never lets more through.
    assert heard == b"y" * len(heard)
    assert len(heard) <= count
