"""What a limit means, by brute force: every grant and every use is remembered, and every window is looked at."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass
class Log:
    """An exact log in front of one limit: the most that any limiter may admit. Times in milliseconds."""

    limit: int
    window: int = 60_000
    admitted: deque[int] = field(default_factory=deque)
    total: int = 0

    def ask(self, now: int) -> bool:
        while self.admitted and self.admitted[0] <= now - self.window:
            self.admitted.popleft()
        if len(self.admitted) >= self.limit:
            return False
        self.admitted.append(now)
        self.total += 1
        return True


def worst_window(moments: list[tuple[int, int]], window: int = 60_000) -> int:
    """The most that any trailing window holds, of amounts with their moments."""
    worst = inside = 0
    live: deque[tuple[int, int]] = deque()
    for at, amount in sorted(moments):
        live.append((at, amount))
        inside += amount
        while live[0][0] <= at - window:
            inside -= live.popleft()[1]
        worst = max(worst, inside)
    return worst


def worst_overlap(spans: list[tuple[int, int, int]], window: int = 60_000) -> int:
    """The most that counts at any moment, of amounts that may have been spent at any time from a grant to a report.

    An amount counts from its grant until a window after its report; whatever moment in between is taken for that at
    which it was spent, no trailing window has more.
    """
    edges: list[tuple[int, int, int]] = []
    for granted, reported, amount in spans:
        edges += [(granted, 1, amount), (reported + window, 0, -amount)]
    worst = inside = 0
    for _, _, change in sorted(edges):
        inside += change
        worst = max(worst, inside)
    return worst
