"""Times as the Kubernetes API writes them.

Owned here because every controller stamps conditions and reads them back; the current time itself always comes
from the caller, so that tests move it by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, the precision of `metav1.Time`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The time that `stamp` wrote; fractions of a second are read too."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def earliest(moments: Iterable[datetime | None]) -> datetime | None:
    """The first of several times at which something is due; None when nothing is."""
    known = [each for each in moments if each is not None]
    return min(known) if known else None


def go_duration(seconds: float) -> str:
    """A duration as Go prints it in events: `850ms`, `7.2s`, `1m30s`."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    shown = f"{rest:.3f}".rstrip("0").rstrip(".")
    return f"{int(minutes)}m{shown}s" if minutes else f"{shown}s"
