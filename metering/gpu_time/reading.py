"""GPU time and its cost in a period, of some deployments or all of them. One query."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from django.db import connection

from metering.gpu_time.economics import GpuTime


def read(begin: datetime, end: datetime, deployments: Collection[int]) -> dict[int, GpuTime]:
    """By deployment, of the hours that begin in this time; those that held nothing are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [list(deployments), begin, end])
        rows = cursor.fetchall()
    found: dict[int, GpuTime] = {}
    for deployment, currency, held, seconds, idle, judged, weighed in rows:
        old = found.get(deployment, GpuTime())
        weights = dict(old.weighed)
        if currency:
            weights[currency] = weighed
        found[deployment] = GpuTime(
            gpu_seconds=old.gpu_seconds + held,
            unrated=old.unrated + (0 if currency else held),
            seconds=seconds,
            idle=old.idle + (idle or Decimal(0)),
            judged=old.judged + (judged or 0),
            weighed=weights,
        )
    return found


# Products of one hour are held side by side: the time in which anything was held is the longest of them, not the sum.
_READ = """
WITH part AS (
    SELECT gpu.deployment_id, gpu.hour, gpu.gpu_seconds, gpu.seconds, gpu.busy_seconds, rate.currency, rate.per_hour
    FROM metering_gpuhour AS gpu
    LEFT JOIN LATERAL (
        SELECT currency, per_hour FROM metering_gpurate AS rate
        WHERE rate.cluster_id = gpu.cluster_id AND rate.product = gpu.product AND rate.effective_from <= gpu.hour
        ORDER BY effective_from DESC, id DESC LIMIT 1
    ) AS rate ON true
    WHERE gpu.deployment_id = ANY(%s) AND gpu.hour >= %s AND gpu.hour < %s
), held AS (
    SELECT deployment_id, sum(seconds)::bigint AS seconds
    FROM (SELECT deployment_id, hour, max(seconds) AS seconds FROM part GROUP BY 1, 2) AS hour GROUP BY 1
)
SELECT part.deployment_id, currency, sum(gpu_seconds)::bigint, held.seconds,
       sum(gpu_seconds::numeric * (part.seconds - least(busy_seconds, part.seconds)) / part.seconds)
           FILTER (WHERE busy_seconds IS NOT NULL AND part.seconds > 0),
       (sum(gpu_seconds) FILTER (WHERE busy_seconds IS NOT NULL))::bigint,
       sum(gpu_seconds * per_hour)
FROM part JOIN held USING (deployment_id)
GROUP BY part.deployment_id, currency, held.seconds
"""
