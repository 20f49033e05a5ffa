"""Counts, once a minute, the GPUs that each deployment's pods hold, as the last look at its cluster saw them.

A GPU is held from when its pod has a node until the pod is gone, whether it serves or not: nobody else can have it.
While a cluster cannot be reached, what was seen last goes on: the GPUs are very likely still held.

The clock makes every second count once, however often, late, or never this runs. What nobody counted for longer than
`MOST_GAP` is left out, because nothing is known of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction

from metering.models import GpuClock
from metering.period import HOUR

MOST_GAP = timedelta(minutes=15)
_CLOCK = 1


def count(now: datetime) -> int:
    """Adds the time since the last run; returns how many rows of hours were touched."""
    now = now.replace(microsecond=0)
    with transaction.atomic():
        clock, is_new = GpuClock.objects.select_for_update().get_or_create(
            pk=_CLOCK, defaults={"counted_until": now}
        )
        begin = max(clock.counted_until, now - MOST_GAP)
        if is_new or begin >= now:
            return 0
        parts = list(_by_hour(begin, now))
        with connection.cursor() as cursor:
            cursor.execute(_ADD, [[hour for hour, _ in parts], [seconds for _, seconds in parts]])
            touched = cursor.rowcount
        clock.counted_until = now
        clock.save(update_fields=["counted_until"])
    return touched


def _by_hour(begin: datetime, end: datetime) -> list[tuple[datetime, int]]:
    """(hour, seconds of it), in order."""
    parts = []
    while begin < end:
        hour = begin.replace(minute=0, second=0)
        until = min(end, hour + HOUR)
        parts.append((hour, round((until - begin).total_seconds())))
        begin = until
    return parts


#: What pods hold now, by deployment, cluster and product; nodes that are not known any more have no product.
HELD = """
SELECT observation.deployment_id, cluster.id AS cluster_id, coalesce(node.product, '') AS product,
       sum((pod ->> 'gpus')::integer)::bigint AS gpus
FROM deployments_observation AS observation
JOIN deployments_deployment AS deployment ON deployment.id = observation.deployment_id
JOIN deployments_endpoint AS endpoint ON endpoint.id = deployment.endpoint_id
JOIN deployments_cluster AS cluster ON cluster.id = endpoint.cluster_id
CROSS JOIN LATERAL jsonb_array_elements(
    CASE jsonb_typeof(observation.details -> 'replicas')
        WHEN 'array' THEN observation.details -> 'replicas' ELSE '[]' END
) AS pod
LEFT JOIN LATERAL (
    SELECT each ->> 'product' AS product FROM jsonb_array_elements(
        CASE jsonb_typeof(cluster.facts -> 'gpu_nodes')
            WHEN 'array' THEN cluster.facts -> 'gpu_nodes' ELSE '[]' END
    ) AS each
    WHERE each ->> 'name' = pod ->> 'node' LIMIT 1
) AS node ON true
WHERE pod ->> 'node' <> '' AND (pod ->> 'gpus')::integer > 0
GROUP BY 1, 2, 3
"""
_ADD = f"""
INSERT INTO metering_gpuhour AS old (deployment_id, cluster_id, product, hour, gpu_seconds, seconds)
SELECT deployment_id, cluster_id, left(product, 100), part.hour, gpus * part.seconds, part.seconds
FROM ({HELD}) AS held CROSS JOIN unnest(%s::timestamptz[], %s::integer[]) AS part (hour, seconds)
ON CONFLICT (deployment_id, hour, cluster_id, product) DO UPDATE SET
    gpu_seconds = old.gpu_seconds + excluded.gpu_seconds, seconds = old.seconds + excluded.seconds
"""  # noqa: S608 - of constants alone
