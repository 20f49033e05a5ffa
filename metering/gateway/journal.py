"""What must outlive the process: requests that are under way, and events that nobody has taken over yet.

A file that is mapped into memory holds one slot for each. Writing to it costs no system call, and what was written is
there after the process was killed, because the file's pages belong to the kernel. A gateway that starts looks for the
journals of gateways that are gone (nobody holds their lock) and finishes their requests: what had come by then is what
the ledger gets. Only a machine that loses power can lose the last seconds.

A slot: one byte of state, the length of the event, five counters, the event as `metering.events` encodes it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

from metering.events import Event, decode, encode
from metering.vocabulary import RequestStatus

SUFFIX = ".journal"
_SLOT = 768
_HEAD = struct.Struct("<BxHxxxx")
_COUNTERS = struct.Struct("=5q")
_PAYLOAD = _HEAD.size + _COUNTERS.size
LONGEST = _SLOT - _PAYLOAD
"""Bytes of an event."""
_FREE, _UNDER_WAY, _OVER = 0, 1, 2
#: The counters: tokens of the prompt (-1: the engine has not said), of the answer, and from the cache; then the moments
#: of its first and its newest piece in microseconds since 1970, 0: there is none.
INPUT, OUTPUT, CACHED, FIRST, NEWEST = range(5)

Progress = tuple[memoryview, int]
"""Where a request's counters are: cells, and the index of the first one. To note something is an assignment, because
that is done for each piece of each stream."""


class Full(Exception):
    """Every slot is taken."""


class Journal:
    """One process's journal; `slots` requests at most."""

    def __init__(self, folder: Path, gateway: str, slots: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{gateway}{SUFFIX}"
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(self._file, slots * _SLOT)
        self._map = mmap.mmap(self._file, slots * _SLOT)
        self._cells = memoryview(self._map).cast("q")
        self._free = list(range(slots - 1, -1, -1))

    def open(self, event: Event) -> int:
        """Notes a request that begins; returns its slot. Raises Full."""
        if not self._free:
            raise Full
        slot = self._free.pop()
        self._write(slot, encode(event), _UNDER_WAY, (-1, 0, 0, 0, 0))
        return slot

    def progress(self, slot: int) -> Progress:
        """Where to note how far a request has come."""
        return self._cells, (slot * _SLOT + _HEAD.size) // self._cells.itemsize

    def finish(self, slot: int, payload: bytes) -> None:
        """The event as it is to be recorded. It stays until `free`."""
        self._map[slot * _SLOT] = _UNDER_WAY
        self._write(slot, payload, _OVER, None)

    def free(self, slot: int) -> None:
        """Somebody else keeps the event now."""
        self._map[slot * _SLOT] = _FREE
        self._free.append(slot)

    def close(self) -> None:
        """Ends an orderly run: a journal in which nothing is left goes away."""
        is_empty = len(self._free) * _SLOT == len(self._map)
        self._cells.release()
        self._map.close()
        if is_empty:
            self.path.unlink(missing_ok=True)
        os.close(self._file)

    def _write(
        self, slot: int, payload: bytes, state: int, counters: tuple[int, int, int, int, int] | None
    ) -> None:
        if len(payload) > LONGEST:
            raise ValueError("an event is too long for its slot")
        at = slot * _SLOT
        self._map[at + _PAYLOAD : at + _PAYLOAD + len(payload)] = payload
        if counters is not None:
            _COUNTERS.pack_into(self._map, at + _HEAD.size, *counters)
        # The state is written last: a slot is what it was until it is whole.
        _HEAD.pack_into(self._map, at, state, len(payload))


def unkept() -> Progress:
    """For a request that found no slot."""
    return memoryview(bytearray(_COUNTERS.size)).cast("q"), 0


def left_behind(folder: Path) -> Iterator[tuple[str, list[bytes], Path, int]]:
    """Journals of gateways that are gone: the gateway, its events as payloads, the file, and the lock that we now hold.

    Whoever takes them removes the file and then closes the lock.
    """
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)  # its gateway lives
            continue
        if not path.exists():  # another gateway was quicker
            os.close(lock)
            continue
        yield path.name.removesuffix(SUFFIX), list(_read(path.read_bytes())), path, lock


def _read(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data) - _SLOT + 1, _SLOT):
        state, length = _HEAD.unpack_from(data, at)
        payload = data[at + _PAYLOAD : at + _PAYLOAD + length]
        if state == _OVER:
            yield payload
        elif state == _UNDER_WAY:
            yield _ended(payload, *_COUNTERS.unpack_from(data, at + _HEAD.size))


def _ended(payload: bytes, input_: int, output: int, cached: int, first: int, last: int) -> bytes:
    """A request whose gateway died: what had reached it counts."""
    event = decode(payload)
    is_known = input_ >= 0
    if not is_known:
        input_ = event.input_tokens if output else 0
    fresh = msgspec.structs.replace(
        event,
        status=RequestStatus.ENGINE_FAILED,
        ended=last or event.started,
        first=first or None,
        input_tokens=input_,
        output_tokens=output,
        cached_tokens=cached,
        is_estimated=not is_known and output > 0,
        itl_us=(last - first) // (output - 1) if first and output > 1 else None,
    )
    return encode(fresh)
