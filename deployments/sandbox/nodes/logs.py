"""What containers have written: bounded lines per container, for the current run and the one before it."""

from __future__ import annotations

from collections import deque

LINES_KEPT = 2_000

Key = tuple[str, str, str, bool]


class LogBook:
    """Lines by (namespace, pod, container, previous); the oldest lines of a container go first."""

    def __init__(self) -> None:
        self._lines: dict[Key, deque[str]] = {}
        self._written: dict[Key, int] = {}

    def append(
        self,
        namespace: str,
        pod: str,
        container: str,
        *lines: str,
        previous: bool = False,
    ) -> None:
        """Add lines (without line feeds) to a container's log."""
        key = (namespace, pod, container, previous)
        self._lines.setdefault(key, deque(maxlen=LINES_KEPT)).extend(lines)
        self._written[key] = self._written.get(key, 0) + len(lines)

    def lines(self, namespace: str, pod: str, container: str, previous: bool = False) -> list[str]:
        """The lines that are still kept, oldest first."""
        return list(self._lines.get((namespace, pod, container, previous), ()))

    def since(self, namespace: str, pod: str, container: str, position: int) -> tuple[list[str], int]:
        """Lines written after `position` (a number from an earlier call, 0 for all) and the new position.

        A container that was restarted counts from zero again; then everything of the new run is returned.
        """
        key = (namespace, pod, container, False)
        written = self._written.get(key, 0)
        if position > written:
            position = 0
        kept = self._lines.get(key, ())
        fresh = min(written - position, len(kept))
        return (list(kept)[len(kept) - fresh :] if fresh else []), written

    def rotate(self, namespace: str, pod: str, container: str) -> None:
        """The container starts anew: its lines become those of the previous run."""
        current, previous = (
            (namespace, pod, container, False),
            (namespace, pod, container, True),
        )
        self._lines[previous] = self._lines.pop(current, deque(maxlen=LINES_KEPT))
        self._written[previous] = self._written.pop(current, 0)

    def forget(self, namespace: str, pod: str) -> None:
        """Drop everything of a pod that is gone."""
        for key in [key for key in self._lines if key[:2] == (namespace, pod)]:
            del self._lines[key]
            self._written.pop(key, None)

    def dump(self) -> list[tuple[str, str, str, bool, list[str]]]:
        """All lines in a form that can be saved."""
        return [(*key, list(lines)) for key, lines in self._lines.items()]

    def load(self, saved: list[tuple[str, str, str, bool, list[str]]]) -> None:
        """Take back what `dump` gave."""
        for namespace, pod, container, previous, lines in saved:
            self.append(namespace, pod, container, *lines, previous=previous)
