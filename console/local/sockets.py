"""Ports and socket paths: is one free, is one answered, is one short enough."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
# sockaddr_un holds 108 bytes on Linux and 104 on macOS, one of them the closing NUL.
_LONGEST_SOCKET_PATH: Final = 103
_LONGEST_SOCKET_NAME: Final = len("/.s.PGSQL.5432.lock")


def is_free(port: int) -> bool:
    """Whether we could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        # As a server does, so that connections of an earlier run that are still closing do not count as
        # taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def answers(port: int, path: str) -> bool:
    """Whether a web server on the loopback address answers this path with 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=1.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def socket_folder(preferred: Path) -> Path:
    """A folder of ours alone for Unix sockets: `preferred`, or a short one when its path does not fit an address."""
    if len(os.fsencode(preferred)) + _LONGEST_SOCKET_NAME <= _LONGEST_SOCKET_PATH:
        preferred.mkdir(mode=0o700, parents=True, exist_ok=True)
        return preferred
    # The same name each time, so that a killed run leaves one empty folder at most.
    digest = hashlib.sha256(os.fsencode(preferred)).hexdigest()[:12]
    short = Path("/tmp") / f"slipway-{os.getuid()}-{digest}"  # noqa: S108  (not $TMPDIR: it is what may be long)
    with contextlib.suppress(FileExistsError):
        short.mkdir(mode=0o700)
    return short if _is_ours_alone(short) else Path(tempfile.mkdtemp(prefix="slipway-", dir="/tmp"))


def _is_ours_alone(folder: Path) -> bool:
    facts = folder.lstat()
    return (
        stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and stat.S_IMODE(facts.st_mode) == 0o700
    )
