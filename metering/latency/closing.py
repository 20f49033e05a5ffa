"""Packs the buckets of hours that are over, and days of hours that are old. Twice, late or never: all the same.

What is packed leaves its buckets in the same transaction, so a duration is in exactly one place at any time; one lock
keeps two of these from merging into one row at once. The ledger is not waited for: a bucket that it adds to meanwhile
was either taken before, and it opens a new one, or afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from metering.latency.histogram import Histogram
from metering.models import LatencySpan
from metering.period import HOURS_KEPT

#: Histograms of one transaction.
_AT_ONCE = 500
_LOCK = 0x536C6970_4C617465
"""Any number that nothing else takes as an advisory lock."""

Place = tuple[int, datetime, str]
"""Deployment, start and measure."""


def close(now: datetime) -> int:
    """Closes what is over; returns how many histograms were written."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    return _until_done(_close_hours, hour) + _until_done(_close_days, hour - HOURS_KEPT)


def _until_done(work: Any, before: datetime) -> int:
    written = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            done = work(cursor, before)
        written += done
        if done < _AT_ONCE:
            return written


def _close_hours(cursor: Any, before: datetime) -> int:
    cursor.execute(_TAKE_BUCKETS, [before, _AT_ONCE])
    counts: dict[Place, dict[int, int]] = defaultdict(dict)
    totals: dict[Place, int] = defaultdict(int)
    for deployment, hour, measure, bucket, count, total in cursor.fetchall():
        counts[deployment, hour, measure][bucket] = count
        totals[deployment, hour, measure] += total
    found = {place: Histogram.of_counts(each, totals[place]) for place, each in counts.items()}
    # An hour that is so late that it is kept as a part of its day by now is closed as one first, like any other.
    return _merge(cursor, LatencySpan.Length.HOUR, found)


def _close_days(cursor: Any, before: datetime) -> int:
    cursor.execute(_TAKE_HOURS, [before, _AT_ONCE])
    found: dict[Place, Histogram] = {}
    for deployment, day, measure, count, total, packed in cursor.fetchall():
        place = deployment, day, measure
        found[place] = found.get(place, Histogram()) + Histogram.unpack(bytes(packed), count, total)
    return _merge(cursor, LatencySpan.Length.DAY, found)


def _merge(cursor: Any, length: str, found: dict[Place, Histogram]) -> int:
    """Adds to the rows that are there, or makes them."""
    places = sorted(found)
    deployments, starts, measures = ([place[index] for place in places] for index in range(3))
    cursor.execute(_KNOWN, [deployments, starts, measures, length])
    for deployment, start, measure, count, total, packed in cursor.fetchall():
        place = deployment, start, measure
        found[place] = found[place] + Histogram.unpack(bytes(packed), count, total)
    cursor.executemany(_WRITE, _rows(length, ((place, found[place]) for place in places)))
    return len(places)


def _rows(length: str, found: Iterable[tuple[Place, Histogram]]) -> list[tuple[object, ...]]:
    return [
        (*place, length, each.count, each.total_us, *each.percentiles(50, 95, 99), each.pack())
        for place, each in found
    ]


_TAKE_BUCKETS = """
WITH due AS (
    SELECT DISTINCT deployment_id, hour, measure FROM metering_latencybucket WHERE hour < %s
    ORDER BY hour, deployment_id, measure LIMIT %s
)
DELETE FROM metering_latencybucket AS bucket USING due
WHERE (bucket.deployment_id, bucket.hour, bucket.measure) = (due.deployment_id, due.hour, due.measure)
RETURNING bucket.deployment_id, bucket.hour, bucket.measure, bucket.bucket, bucket.count, bucket.total_us
"""
_TAKE_HOURS = """
WITH due AS (
    SELECT DISTINCT deployment_id, date_trunc('day', start, 'UTC') AS day, measure FROM metering_latencyspan
    WHERE length = 'hour' AND start < date_trunc('day', %s::timestamptz, 'UTC')
    ORDER BY day, deployment_id, measure LIMIT %s
)
DELETE FROM metering_latencyspan AS span USING due
WHERE span.length = 'hour' AND span.deployment_id = due.deployment_id AND span.measure = due.measure
  AND span.start >= due.day AND span.start < due.day + interval '1 day'
RETURNING span.deployment_id, due.day, span.measure, span.count, span.total_us, span.packed
"""
_KNOWN = """
SELECT deployment_id, start, measure, count, total_us, packed
FROM metering_latencyspan
JOIN unnest(%s::bigint[], %s::timestamptz[], %s::text[]) AS place (deployment_id, start, measure)
    USING (deployment_id, start, measure)
WHERE length = %s
"""
_WRITE = """
INSERT INTO metering_latencyspan
    (deployment_id, start, measure, length, count, total_us, p50_us, p95_us, p99_us, packed)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (deployment_id, start, measure, length) DO UPDATE SET
    count = excluded.count, total_us = excluded.total_us, packed = excluded.packed,
    p50_us = excluded.p50_us, p95_us = excluded.p95_us, p99_us = excluded.p99_us
"""
