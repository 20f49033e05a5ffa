"""How much of the time in which GPUs were held there was work: the union of all requests of a deployment in an hour.

Read from the ledger once an hour is over, and again for two hours more, because a request is recorded when it ends.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from metering.period import HOUR

#: Hours that are looked at, the last one included; a request that began earlier is not found.
_AGAIN, _LONGEST_REQUEST = 3, "6 hours"


def close(now: datetime, hours: int = _AGAIN) -> int:
    """Returns how many rows of so many hours before this one know it now. Twice is as once."""
    end = now.replace(minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [end - hours * HOUR, end, _LONGEST_REQUEST])
        return cursor.rowcount


_WRITE = """
WITH asked (begins, ends, longest) AS (
    VALUES (%s::timestamptz, %s::timestamptz, %s::interval)
), place AS (
    SELECT DISTINCT deployment_id, hour FROM metering_gpuhour, asked WHERE hour >= begins AND hour < ends
), spans AS (
    SELECT place.deployment_id, place.hour, range_agg(tstzrange(
        greatest(event.started_at, place.hour), least(event.ended_at, place.hour + interval '1 hour')
    )) AS work
    FROM asked CROSS JOIN place JOIN metering_usageevent AS event
      ON event.deployment_id = place.deployment_id AND event.kind = 'request'
     AND event.started_at >= place.hour - longest AND event.started_at < place.hour + interval '1 hour'
     AND event.ended_at > place.hour AND event.ended_at > event.started_at
    WHERE event.started_at >= begins - longest AND event.started_at < ends
    GROUP BY 1, 2
), busy AS (
    SELECT place.deployment_id, place.hour, coalesce((
        SELECT ceil(sum(extract(epoch FROM upper(span) - lower(span)))) FROM unnest(spans.work) AS span
    ), 0)::integer AS seconds
    FROM place LEFT JOIN spans USING (deployment_id, hour)
)
UPDATE metering_gpuhour AS gpu SET busy_seconds = busy.seconds
FROM busy WHERE gpu.deployment_id = busy.deployment_id AND gpu.hour = busy.hour
  AND gpu.busy_seconds IS DISTINCT FROM busy.seconds
"""
