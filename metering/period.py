"""The period that a page shows, and which hours are its steps. Pure.

Hours are hours of UTC; the zone only says how they are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PRESETS = {"24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
#: Hours are kept as such for 13 months; after that as days (UTC).
HOURS_KEPT = timedelta(days=396)
#: The longest period; beyond `_HOURLY`, and where hours are kept no more, it is shown by days (UTC).
MOST, _HOURLY = timedelta(days=5 * 366), timedelta(days=62)
_LONGEST_ZONE = 64


class BadPeriod(ValueError):
    """Says, in a sentence for people, what is wrong with a period that was asked for."""


class Period(NamedTuple):
    """From `begin` up to `end`, both whole hours (or days) of UTC."""

    key: str
    """"24h", "7d", "30d" or "custom"."""
    begin: datetime
    end: datetime
    zone: tzinfo
    zone_name: str
    step: timedelta

    @property
    def is_daily(self) -> bool:
        return self.step == DAY

    @property
    def local(self) -> tuple[datetime, datetime]:
        """Beginning and end by the zone's clock, without a zone: templates would turn them into UTC again."""
        begin, end = (at.astimezone(self.zone).replace(tzinfo=None) for at in (self.begin, self.end))
        return begin, end

    @property
    def before(self) -> Period:
        """The period of the same length that ends where this one begins."""
        return self._replace(begin=self.begin - (self.end - self.begin), end=self.begin)

    def starts(self) -> Iterator[datetime]:
        """Of each of its steps."""
        at = self.begin
        while at < self.end:
            yield at
            at += self.step


def read(query: Mapping[str, str], now: datetime) -> Period:
    """From `period`, or `from` and `to`, and `zone`; the last 24 hours by default. Raises BadPeriod.

    `from` and `to` are local times of the zone ("2026-11-22T14:00"), widened to whole hours.
    """
    zone, name = _zone(query.get("zone", ""))
    here = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
    if query.get("from") or query.get("to"):
        begin, end = _custom(query, zone)
        if end <= begin:
            raise BadPeriod("The period ends before it begins. Choose an end that is later.")
        if begin >= here:
            raise BadPeriod("The period is in the future. Choose a beginning in the past.")
        if end - begin > MOST:
            raise BadPeriod("The period is longer than five years. Choose a shorter one.")
        is_recent = begin >= here - HOURS_KEPT + DAY
        step = HOUR if is_recent and end - begin <= _HOURLY else DAY
        if step == DAY:
            begin, end = _down(begin, DAY), _up(end, DAY)
        return Period("custom", begin, end, zone, name, step)
    key = query.get("period") or "24h"
    if key not in PRESETS:
        raise BadPeriod("There is no such period. Choose 24 hours, 7 days, 30 days, or your own.")
    return Period(key, here - PRESETS[key], here, zone, name, HOUR)


def _zone(name: str) -> tuple[tzinfo, str]:
    if not name or name == "UTC":
        return UTC, "UTC"
    try:
        if len(name) > _LONGEST_ZONE:
            raise ZoneInfoNotFoundError
        return ZoneInfo(name), name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadPeriod("There is no such time zone. Times are shown in UTC.") from None


def _custom(query: Mapping[str, str], zone: tzinfo) -> tuple[datetime, datetime]:
    try:
        begin, end = (
            datetime.strptime(query.get(name, ""), "%Y-%m-%dT%H:%M").replace(tzinfo=zone).astimezone(UTC)
            for name in ("from", "to")
        )
        return _down(begin, HOUR), _up(end, HOUR)
    except (ValueError, OverflowError):
        raise BadPeriod("A beginning and an end are needed, such as 2026-11-22T14:00.") from None


def _down(at: datetime, step: timedelta) -> datetime:
    return at - (at - datetime(1970, 1, 1, tzinfo=UTC)) % step


def _up(at: datetime, step: timedelta) -> datetime:
    down = _down(at, step)
    return down if down == at else down + step
