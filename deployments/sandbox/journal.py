"""The recent writes of each kind, for watches; a watch that asks for older ones is told to list again (410)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deployments.sandbox.api.errors import ApiError

WRITES_KEPT = 4_000


@dataclass(frozen=True, slots=True)
class Write:
    """One write: ADDED, MODIFIED or DELETED, with the object after it and before it."""

    revision: int
    change: str
    obj: dict[str, Any]
    before: dict[str, Any] | None


class Journal:
    """Bounded history by kind."""

    def __init__(self) -> None:
        self._writes: dict[str, deque[Write]] = {}
        self._floor: dict[str, int] = {}
        self._start = 0
        self._wakers: set[Callable[[], None]] = set()

    def begin(self, revision: int) -> None:
        """Forget all history up to `revision` (after a restart)."""
        self._writes.clear()
        self._floor.clear()
        self._start = revision

    def write(
        self,
        revision: int,
        plural: str,
        change: str,
        obj: dict[str, Any],
        before: dict[str, Any] | None,
    ) -> None:
        """Note a write and wake everybody who watches."""
        writes = self._writes.setdefault(plural, deque())
        writes.append(Write(revision, change, obj, before))
        if len(writes) > WRITES_KEPT:
            self._floor[plural] = writes.popleft().revision
        for wake in list(self._wakers):
            wake()

    def since(self, plural: str, revision: int) -> list[Write]:
        """Writes of one kind after `revision`, oldest first. Raises ApiError 410 if some of them are forgotten."""
        floor = self._floor.get(plural, self._start)
        if revision < floor:
            raise ApiError(410, f"too old resource version: {revision} ({floor})", reason="Expired")
        found: list[Write] = []
        for write in reversed(self._writes.get(plural, ())):
            if write.revision <= revision:
                break
            found.append(write)
        found.reverse()
        return found

    def compact(self, revision: int) -> None:
        """Forget everything up to and including `revision`, as etcd's compaction does."""
        for plural, writes in self._writes.items():
            while writes and writes[0].revision <= revision:
                self._floor[plural] = writes.popleft().revision
        self._start = max(self._start, revision)
        for plural, floor in self._floor.items():
            self._floor[plural] = max(floor, revision)

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after each write until the returned function is called."""
        self._wakers.add(wake)
        return lambda: self._wakers.discard(wake)
