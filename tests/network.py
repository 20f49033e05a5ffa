"""pytest plugin: no test reaches another machine. Loopback and Unix sockets only."""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest


class OutsideNetwork(AssertionError):
    """A test tried to reach another machine."""


@pytest.fixture(autouse=True, scope="session")
def only_this_machine() -> Iterator[None]:
    """Refuses connections of this process to any address but loopback."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _refuse_outside(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_outside(self, address)
        return connect_ex(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    yield
    patch.undo()


def _refuse_outside(connection: socket.socket, address: Any) -> None:
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = address[0]
    if host in ("localhost", ""):
        return
    try:
        outside = not ipaddress.ip_address(host).is_loopback
    except ValueError:
        outside = True
    if outside:
        raise OutsideNetwork(f"A test tried to reach {host!r}; only this machine is allowed.")
