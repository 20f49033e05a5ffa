"""A metrics page of 30 days, alone and among other deployments: CPU of its data, bytes of its chart; and the fleet."""

from __future__ import annotations

import gzip
import json
import math
import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from metering import period
from metering.fleet import figures
from metering.latency import reading, showing
from metering.latency.histogram import Histogram
from metering.latency.showing import EngineRow, Row, Targets

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
    yield "chart_kb_compressed.20_series_of_720", f"{_chart_bytes(now) / 1000:.1f}"
    everybody = range(2, _DEPLOYMENTS + 2)
    for word in figures.PERIODS:
        began = time.process_time()
        figures.compute(word, everybody, now)
        yield (
            f"fleet_cpu_ms_a_deployment.{word}",
            f"{(time.process_time() - began) * 1000 / _DEPLOYMENTS:.2f}",
        )


def _chart_bytes(now: datetime) -> int:
    """Of all that a page sends to be drawn: 12 series of the gateway's figures and 8 of the engines', as noisy as life.

    Each hour is 20 % beside the one before; nothing repeats itself, so that compression has only the digits to work on.
    """
    chance, span = random.Random(2), period.read({"period": "30d"}, now)

    def walk(value: float) -> Iterator[Decimal | None]:
        while True:
            value *= math.exp(chance.gauss(0, 0.2)) if value > 1 else 2
            yield showing.milliseconds(value * 1000)

    starts = list(span.starts())
    columns = {name: walk(400.0) for name in showing.COLUMNS}
    engine = {f"engine_{number}": walk(30.0) for number in range(20 - len(columns))}
    rows = [
        Row(at, showing.step_name(at, span), {n: next(v) for n, v in columns.items()}, False, (False, False))
        for at in starts
    ]
    engine_rows = [
        EngineRow(at, showing.step_name(at, span), {name: next(values) for name, values in engine.items()})
        for at in starts
    ]
    chart = showing.chart(rows, span, Targets(800, 40), ())
    whole = {**chart, "engine": showing.engine_chart(engine_rows)}
    return len(gzip.compress(json.dumps(whole, separators=(",", ":")).encode()))


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
