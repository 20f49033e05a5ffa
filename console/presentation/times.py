"""Moments and spans as text: UTC clock times, durations such as "9 min 14 s", ages such as "4 s ago"."""

from datetime import UTC, datetime, timedelta

from console.presentation.figures import MISSING

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def moment(at: datetime, now: datetime, *, seconds: bool = False) -> str:
    """Return "14:02" for today, "22 Nov 14:00" for this year, "22 Nov 2025 14:00" before; days are UTC days.

    Raises ValueError for a naive datetime: its zone would be a guess.
    """
    at, now = _utc(at), _utc(now)
    clock = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    if at.date() == now.date():
        return clock
    day = f"{at.day} {MONTHS[at.month - 1][:3]}"
    return f"{day} {clock}" if at.year == now.year else f"{day} {at.year} {clock}"


def full_moment(at: datetime) -> str:
    """Return "23 November 2026, 14:12:08 UTC", the text of a time's tooltip."""
    at = _utc(at)
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}, {at:%H:%M:%S} UTC"


def iso(at: datetime) -> str:
    """Return the machine-readable form for `<time datetime>`: "2026-11-23T14:12:08Z"."""
    return f"{_utc(at):%Y-%m-%dT%H:%M:%SZ}"


def duration(span: timedelta | int | None) -> str:
    """Return a span (or seconds) in its two largest units: "412 ms", "38 s", "9 min 14 s", "2 d 4 h"."""
    if span is None:
        return MISSING
    span = _span(span)
    if timedelta(0) < span < timedelta(seconds=1):
        return f"{max(span // timedelta(milliseconds=1), 1)} ms"
    total = span // timedelta(seconds=1)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02} s"
    if total < 86400:
        return f"{total // 3600} h {total % 3600 // 60:02} min"
    return f"{total // 86400} d {total % 86400 // 3600} h"


def age(span: timedelta | int | None) -> str:
    """Return a span in its largest unit alone, for tables: "9 min", "18 d"."""
    if span is None:
        return MISSING
    total = _span(span) // timedelta(seconds=1)
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if total >= length:
            return f"{total // length} {unit}"
    return f"{total} s"


def ago(at: datetime, now: datetime) -> str:
    """Return "4 s ago" or "18 d ago"; "just now" within the last second, and for clocks that run ahead."""
    span = _utc(now) - _utc(at)
    return "just now" if span < timedelta(seconds=1) else f"{age(span)} ago"


def _span(span: timedelta | int) -> timedelta:
    return max(span if isinstance(span, timedelta) else timedelta(seconds=span), timedelta(0))


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone")
    return at.astimezone(UTC)
