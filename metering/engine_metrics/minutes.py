"""Keeps readings of replicas by the minute, with the growth of their counters since the reading before.

A look takes three statements, whatever the number of replicas. Looks that overlap, or that are done twice, count what
grew once: a reading that is not clearly later than the one that is kept says nothing new, or is even the older one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction

from metering.engine_counters import grown
from metering.engine_metrics.door import Reading
from metering.engine_metrics.families import COUNTERS
from metering.models import EngineMinute

MINUTES_KEPT = timedelta(days=2)
#: More than reading a page may take, so that of two readings the one that was begun later did see later counters.
CLOSEST = timedelta(seconds=10)
_LOCK = 0x536C6970_456E6769
"""Any number that nothing else takes as an advisory lock."""
_GAUGES = ("running", "waiting", "kv_use")
_WRITTEN = [
    "read_at",
    "over_seconds",
    *_GAUGES,
    *(name for counter in COUNTERS for name in (counter.value, f"{counter}_read")),
]


def keep(readings: Sequence[Reading], now: datetime) -> int:
    """Writes the minute of `now`, one row a replica; how many were written."""
    if not readings:
        return 0
    minute = now.replace(second=0, microsecond=0)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        before = _last(readings, minute)
        rows = [
            _next(before.get((each.place.deployment_id, each.place.upstream)), each, minute)
            for each in readings
        ]
        return _write(row for row in rows if row is not None)


def _last(readings: Sequence[Reading], minute: datetime) -> dict[tuple[int, str], EngineMinute]:
    """The last minute that is kept of each replica."""
    deployments = [each.place.deployment_id for each in readings]
    upstreams = [each.place.upstream for each in readings]
    rows = EngineMinute.objects.raw(_LAST, [deployments, upstreams, minute - MINUTES_KEPT])
    return {(row.deployment_id, row.upstream): row for row in rows}


def _next(before: EngineMinute | None, reading: Reading, minute: datetime) -> EngineMinute | None:
    """The row of this minute; None when the reading says nothing new."""
    if before is not None and reading.at < before.read_at + CLOSEST:
        return None
    figures = reading.figures
    row = EngineMinute(
        deployment_id=reading.place.deployment_id,
        upstream=reading.place.upstream,
        # A look that was overtaken by the next one adds to the minute of that one.
        minute=max(minute, before.minute) if before else minute,
        read_at=reading.at,
        over_seconds=(reading.at - before.read_at).total_seconds() if before else None,
        **{name: getattr(figures, name) for name in _GAUGES},
    )
    for counter in COUNTERS:
        after, last = getattr(figures, counter), getattr(before, f"{counter}_read", None)
        setattr(row, counter, None if after is None or last is None else grown(last, after))
        # What is not said now is compared with what was said last when it is said again.
        setattr(row, f"{counter}_read", last if after is None else after)
    return _joined(before, row) if before is not None and before.minute == row.minute else row


def _joined(before: EngineMinute, row: EngineMinute) -> EngineMinute:
    """Two readings in one minute: the gauges of the later one, and the growth of both."""
    for name in ("over_seconds", *COUNTERS):
        parts = [part for part in (getattr(before, name), getattr(row, name)) if part is not None]
        setattr(row, name, sum(parts) if parts else None)
    return row


def _write(rows: Iterable[EngineMinute]) -> int:
    written = EngineMinute.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["deployment_id", "upstream", "minute"],
        update_fields=_WRITTEN,
    )
    return len(written)


_LAST = """
SELECT last.*
FROM unnest(%s::bigint[], %s::text[]) AS place (deployment_id, upstream)
CROSS JOIN LATERAL (
    SELECT * FROM metering_engineminute AS each
    WHERE each.deployment_id = place.deployment_id AND each.upstream = place.upstream AND each.minute >= %s
    ORDER BY minute DESC LIMIT 1
) AS last
"""
