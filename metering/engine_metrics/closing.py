"""Makes hours of minutes, and forgets what is old. Twice, late or never: each hour is there once, and whole.

An hour is made of its minutes anew as long as there are any, and its minutes go together, after it was made, in the
same transaction. So nothing depends on when this is done, or on who does it at the same time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction

from metering.engine_metrics.minutes import MINUTES_KEPT

HOURS_KEPT = timedelta(days=396)
"""Thirteen months, so that any month can be held against that of a year ago."""
_LATEST = timedelta(hours=2)
"""How long after its end a look may still add to an hour without adding a minute to it."""


def close(now: datetime) -> int:
    """Closes the hours that are over; how many rows were written because they were new or had become more."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLOSE, [hour, hour - _LATEST])
        written = cursor.rowcount
        cursor.execute("DELETE FROM metering_engineminute WHERE minute < %s", [hour - MINUTES_KEPT])
        cursor.execute("DELETE FROM metering_enginehour WHERE hour < %s", [hour - HOURS_KEPT])
    return written


_COLUMNS = (
    "deployment_id, upstream, hour, minutes, looks, seconds, running_mean, running_max, waiting_mean, waiting_max, "
    "kv_use_mean, kv_use_max, prefix_hits, prefix_queries, preemptions, prompt_tokens, generation_tokens"
)
_SET = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[3:])


def hours_of(minutes: str) -> str:
    """Rows as in metering_enginehour, of the minutes for which this condition holds.

    The time in which a deployment's counters grew is that of the replica which was read most recently before: one that
    comes back after a while must not make the others slower. Of whole hours only, or what is said of a deployment is
    that of a part of it.
    """
    return f"""
WITH chosen AS (
    SELECT *, date_trunc('hour', minute, 'UTC') AS hour FROM metering_engineminute WHERE {minutes}
), deployment_minute AS (
    SELECT deployment_id, hour, minute, min(over_seconds) AS seconds FROM chosen GROUP BY 1, 2, 3
), deployment_hour AS (
    SELECT deployment_id, hour, count(*) AS looks, sum(seconds) AS seconds FROM deployment_minute GROUP BY 1, 2
)
SELECT deployment_id, upstream, hour, count(*) AS minutes, max(looks) AS looks, max(seconds) AS seconds,
       avg(running)::float8 AS running_mean, max(running) AS running_max,
       avg(waiting)::float8 AS waiting_mean, max(waiting) AS waiting_max,
       avg(kv_use) AS kv_use_mean, max(kv_use) AS kv_use_max,
       sum(prefix_hits)::bigint AS prefix_hits, sum(prefix_queries)::bigint AS prefix_queries,
       sum(preemptions)::bigint AS preemptions, sum(prompt_tokens)::bigint AS prompt_tokens,
       sum(generation_tokens)::bigint AS generation_tokens
FROM chosen JOIN deployment_hour USING (deployment_id, hour)
GROUP BY deployment_id, upstream, hour
ORDER BY deployment_id, upstream, hour
"""  # noqa: S608 - of constants alone


# Always in the same order, so that two of these wait for each other and none waits for ever.
_CLOSE = f"""
INSERT INTO metering_enginehour AS known ({_COLUMNS})
{hours_of("minute < %s")}
ON CONFLICT (deployment_id, upstream, hour) DO UPDATE SET {_SET}
WHERE excluded.minutes > known.minutes OR excluded.looks > known.looks
   OR (excluded.minutes = known.minutes AND excluded.hour >= %s)
"""
