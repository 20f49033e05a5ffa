"""Events on disk while Valkey is away: files that are only appended to, read again when it is back.

A record is its length, its checksum and the event. What a full disk or a kill left half-written at the end of a file is
recognised and skipped: whoever wrote it still had the event.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

SUFFIX = ".spool"
_RECORD = struct.Struct("<II")
#: A file that has grown to this size is followed by another one, so that it can be read and removed.
_LARGE = 16 * 1024 * 1024


class Spool:
    """The files of one gateway. Raises OSError when the disk takes no more."""

    def __init__(self, folder: Path, gateway: str) -> None:
        self._folder, self._gateway = folder, gateway
        self._number = 0
        self._file: int | None = None
        self._size = 0
        self.events = 0
        """In files that are not yet read again, as far as this process knows."""

    def append(self, payloads: Sequence[bytes]) -> None:
        """Writes them, all or none."""
        data = b"".join(_RECORD.pack(len(each), zlib.crc32(each)) + each for each in payloads)
        if self._file is None:
            self._number += 1
            path = self._folder / f"{self._gateway}-{self._number}{SUFFIX}"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._size = 0
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)
        self.events += len(payloads)
        if self._size > _LARGE:
            self.seal()

    def seal(self) -> None:
        """Ends the present file, so that it can be read."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._file)
            os.close(self._file)
            self._file = None


def sealed(folder: Path) -> Iterator[tuple[Path, int]]:
    """Files that nobody writes or reads at present, with the lock that we now hold: also those of gateways gone by."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        if not path.exists():
            os.close(lock)
            continue
        yield path, lock


def read(path: Path) -> Iterator[bytes]:
    """The events of a file, up to the first record that is not whole."""
    data = path.read_bytes()
    at = 0
    while at + _RECORD.size <= len(data):
        length, checksum = _RECORD.unpack_from(data, at)
        payload = data[at + _RECORD.size : at + _RECORD.size + length]
        if len(payload) < length or zlib.crc32(payload) != checksum:
            return
        yield payload
        at += _RECORD.size + length
