"""What engines of a deployment said in a period, over all its replicas, as a row of points for a chart. One query.

`read` is all that a page calls. Who may see the deployment is the caller's business: it takes an id, so that the page
finds the deployment through `visible_to(user)` first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from metering.engine_metrics.closing import HOURS_KEPT, hours_of
from metering.engine_metrics.minutes import MINUTES_KEPT

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LONGEST_BY_MINUTE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Point:
    """One minute or one hour. A figure is None when no replica said it: a gap in a line, never a 0."""

    at: datetime
    """When it begins, UTC."""
    replicas: int = 0
    """That were read in it; of an hour: that were read at any time in it."""
    running: float | None = None
    """Requests in the engines' batches, all replicas together; of an hour: the mean."""
    waiting: float | None = None
    """Requests that wait for a place in a batch, in the same way."""
    kv_use: float | None = None
    """Share of the KV cache in use, 0 to 1: the mean of the replicas."""
    kv_use_max: float | None = None
    """The same of the fullest replica; of an hour: at its fullest."""
    preemptions: int | None = None
    """Requests that were put back because the KV cache was full: a count in this minute or hour."""
    prefix_hit_rate: float | None = None
    """Prompt tokens found in the prefix cache, of those looked up, 0 to 1; None when none was looked up."""
    prompt_tokens_per_second: float | None = None
    """All replicas together, over the time that was measured: after a gap that is the time since before the gap."""
    generation_tokens_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points of a period at equal distances, the earliest first, gaps included."""

    step: timedelta
    """A minute or an hour."""
    points: tuple[Point, ...]

    @property
    def is_empty(self) -> bool:
        """No engine of the deployment was read in all this time."""
        return not any(point.replicas for point in self.points)


def read(deployment_id: int, start: datetime, end: datetime, now: datetime) -> Series:
    """From the minute or hour of `start` up to, and without, `end`; all three are aware times.

    Points are minutes when the period is six hours long at most and minutes of it are still kept (two days), and hours
    otherwise, the one that runs included. What lies after `now`, or before hours are kept (13 months), has no points; a
    period that ends before it begins has none either.
    """
    by_minute = end - start <= LONGEST_BY_MINUTE and start >= now - MINUTES_KEPT
    step = MINUTE if by_minute else HOUR
    start = _floor(max(start, now - HOURS_KEPT), step)
    end = _ceiling(min(end, now), step)
    with connection.cursor() as cursor:
        if by_minute:
            cursor.execute(_BY_MINUTE, [deployment_id, start, end])
        else:
            cursor.execute(_BY_HOUR, [deployment_id, start, deployment_id, end, deployment_id, start, end])
        found = {row[0]: _point(row) for row in cursor.fetchall()}
    count = max(0, (end - start) // step)
    moments = (start + number * step for number in range(count))
    return Series(step, tuple(found.get(moment) or Point(moment) for moment in moments))


def _floor(moment: datetime, step: timedelta) -> datetime:
    minute = moment.replace(second=0, microsecond=0)
    return minute if step == MINUTE else minute.replace(minute=0)


def _ceiling(moment: datetime, step: timedelta) -> datetime:
    floor = _floor(moment, step)
    return floor if floor == moment else floor + step


def _point(row: Sequence[Any]) -> Point:
    at, replicas, running, waiting, use, use_max, preemptions, hits, queries, prompt, generation = row
    return Point(
        at=at,
        replicas=replicas,
        running=running,
        waiting=waiting,
        kv_use=use,
        kv_use_max=use_max,
        preemptions=preemptions,
        prefix_hit_rate=hits / queries if queries else None,
        prompt_tokens_per_second=prompt,
        generation_tokens_per_second=generation,
    )


# Only lookups of replicas that count hits, too, or the rate would be that of two different sets of replicas.
_CACHE = """
       sum(prefix_hits) FILTER (WHERE prefix_queries IS NOT NULL)::float8,
       sum(prefix_queries) FILTER (WHERE prefix_hits IS NOT NULL)::float8
"""
_BY_MINUTE = f"""
SELECT minute, count(*), sum(running)::float8, sum(waiting)::float8, avg(kv_use), max(kv_use),
       sum(preemptions)::bigint, {_CACHE},
       sum(prompt_tokens / nullif(over_seconds, 0)), sum(generation_tokens / nullif(over_seconds, 0))
FROM metering_engineminute
WHERE deployment_id = %s AND minute >= %s AND minute < %s
GROUP BY minute
"""  # noqa: S608 - of constants alone
_OPEN = hours_of("""deployment_id = %s AND minute >= greatest(%s, (
    SELECT max(hour) + interval '1 hour' FROM metering_enginehour WHERE deployment_id = %s
)) AND minute < %s""")
# A replica counts as long as it was there: two that follow each other in an hour are one at any time of it. Hours that
# are not closed yet are made of their minutes here.
_BY_HOUR = f"""
WITH open AS (
    {_OPEN}
), replica_hour AS (
    SELECT hour, minutes, looks, seconds, running_mean, waiting_mean, kv_use_mean, kv_use_max, prefix_hits,
           prefix_queries, preemptions, prompt_tokens, generation_tokens
    FROM metering_enginehour WHERE deployment_id = %s AND hour >= %s AND hour < %s
    UNION ALL
    SELECT hour, minutes, looks, seconds, running_mean, waiting_mean, kv_use_mean, kv_use_max, prefix_hits,
           prefix_queries, preemptions, prompt_tokens, generation_tokens
    FROM open
)
SELECT hour, count(*), sum(running_mean * minutes) / max(looks), sum(waiting_mean * minutes) / max(looks),
       sum(kv_use_mean * minutes) / sum(minutes) FILTER (WHERE kv_use_mean IS NOT NULL), max(kv_use_max),
       sum(preemptions)::bigint, {_CACHE},
       (sum(prompt_tokens) / nullif(max(seconds), 0))::float8,
       (sum(generation_tokens) / nullif(max(seconds), 0))::float8
FROM replica_hour
GROUP BY hour
"""  # noqa: S608
