"""A metrics page of 30 days: CPU of its data, and bytes of its chart, alone and among the rows of other deployments."""

from __future__ import annotations

import gzip
import json
import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

from metering import period
from metering.latency import reading, showing
from metering.latency.histogram import Histogram
from metering.latency.showing import Targets

_DEPLOYMENTS, _AT_ONCE, _ROUNDS = 100, 10, 9
_FILL = """
INSERT INTO metering_latencyspan
    (deployment_id, start, length, measure, count, total_us, p50_us, p95_us, p99_us, packed)
SELECT deployment, hour, 'hour', measure, %s, %s, %s, %s, %s, %s
FROM generate_series(%s, %s) AS deployment,
     generate_series(%s::timestamptz, %s::timestamptz, interval '1 hour') AS hour,
     unnest(ARRAY['ttft', 'itl', 'e2e']) AS measure;
"""
_USAGE = """
INSERT INTO metering_usagehour
    (hour, deployment_id, deployment, model, organization_id, user_id, api_key_id, status, price_id, currency, requests,
     estimated_requests, corrections, input_tokens, cached_tokens, output_tokens, amount)
SELECT hour, deployment, 'd', 'm', 1, 1, key, 'completed', 0, '', 100, 0, 0, 1000, 0, 1000, 0
FROM generate_series(%s, %s) AS deployment,
     generate_series(%s::timestamptz, %s::timestamptz, interval '1 hour') AS hour, generate_series(1, 3) AS key;
"""


def measure() -> Iterator[tuple[str, object]]:
    """CPU in milliseconds of this process; a month for one deployment, with and without a hundred others."""
    now = timezone.now().astimezone(UTC).replace(minute=30, second=0, microsecond=0)
    hour = now.replace(minute=0)
    chance = random.Random(1)
    sample = Histogram.of(int(chance.lognormvariate(12.3, 0.5)) for _ in range(2000))
    p50, p95, p99 = sample.percentiles(50, 95, 99)
    facts = [sample.count, sample.total_us, p50, p95, p99, sample.pack()]
    yield "packed_bytes", len(sample.pack())

    def fill(first: int, last: int, days: int) -> None:
        with connection.cursor() as cursor:
            span = [first, last, hour - timedelta(days=days), hour - timedelta(hours=1)]
            cursor.execute(_FILL, [*facts, *span])
            cursor.execute(_USAGE, span)
            cursor.execute("ANALYZE metering_latencyspan; ANALYZE metering_usagehour")

    fill(1, 1, 60)
    alone = _cpu(now)
    for first in range(2, _DEPLOYMENTS + 2, _AT_ONCE):
        fill(first, first + _AT_ONCE - 1, 30)
    crowded = _cpu(now)
    yield "cpu_ms.alone", f"{alone:.1f}"
    yield "cpu_ms.among_100", f"{crowded:.1f}"
    found = period.read({"period": "30d"}, now)
    rows = showing.rows(reading.read(1, found), found, Targets(), now)
    chart = json.dumps(showing.chart(rows, found, Targets(), ()), separators=(",", ":")).encode()
    yield "chart_kb_compressed", f"{len(gzip.compress(chart)) / 1000:.1f}"


def _cpu(now: datetime) -> float:
    found = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        span = period.read({"period": "30d"}, now)
        showing.chart(
            showing.rows(reading.read(1, span), span, Targets(), now),
            span,
            Targets(),
            (),
        )
        found.append((time.process_time() - began) * 1000)
    return statistics.median(found)
