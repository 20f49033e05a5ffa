"""The figures of many deployments in one period, in a fixed number of queries: latency, traffic, money, GPU time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from django.db.models import F, Q, Sum

from metering.fleet.strain import strain
from metering.gpu_time import reading as gpu_reading
from metering.gpu_time.economics import GpuTime
from metering.latency.histogram import Histogram
from metering.latency.reading import Epoch
from metering.models import FleetFigure, LatencyBucket, LatencySpan, LatencyTarget, UsageHour
from metering.period import DAY, HOUR
from metering.pricing import in_full, totals
from metering.vocabulary import LatencyMeasure, RequestStatus

#: By the word of a period: its length, and the length of a step of its line. Steps divide the period.
PERIODS: dict[str, tuple[timedelta, timedelta]] = {
    "24h": (DAY, HOUR),
    "7d": (7 * DAY, 6 * HOUR),
    "30d": (30 * DAY, DAY),
}
_SHOWN = (LatencyMeasure.TTFT, LatencyMeasure.ITL)


class Line(NamedTuple):
    """Of one measure: the p95 of the whole period and of each step, in microseconds; None is a gap."""

    p95: float | None
    steps: list[int | None]


def compute(word: str, deployments: Sequence[int], now: datetime) -> list[FleetFigure]:
    """One unsaved row for each deployment, in their order; the running hour is the last one of the period."""
    length, step = PERIODS[word]
    end = now.replace(minute=0, second=0, microsecond=0) + HOUR
    begin = end - length
    lines = _lines(deployments, begin, end, step)
    traffic = _traffic(deployments, begin, end)
    gpu = gpu_reading.read(begin, end, deployments)
    targets = {
        deployment: (ttft, itl)
        for deployment, ttft, itl in LatencyTarget.objects.filter(deployment__in=deployments).values_list(
            "deployment_id", "ttft_ms", "itl_ms"
        )
    }
    empty = Line(None, [None] * (length // step))
    rows = []
    for deployment in deployments:
        ttft, itl = (lines.get((deployment, measure), empty) for measure in _SHOWN)
        used = traffic.get(deployment, Traffic())
        costs, revenues = gpu.get(deployment, GpuTime()).costs, used.revenues
        rows.append(
            FleetFigure(
                deployment_id=deployment,
                period=word,
                computed_at=now,
                ttft_p95_us=ttft.p95,
                itl_p95_us=itl.p95,
                ttft_line=ttft.steps,
                itl_line=itl.steps,
                requests=used.requests,
                failed=used.failed,
                tokens=used.tokens,
                gpu_seconds=gpu.get(deployment, GpuTime()).gpu_seconds,
                costs=_texts(costs),
                revenues=_texts(revenues),
                cost=_first(costs),
                revenue=_first(revenues),
                strain=strain(
                    (ttft.p95, itl.p95), targets.get(deployment, (None, None)), used.requests, used.failed
                ),
            )
        )
    return rows


def _lines(
    deployments: Sequence[int], begin: datetime, end: datetime, step: timedelta
) -> dict[tuple[int, str], Line]:
    """By deployment and measure."""
    first, width, count = int(begin.timestamp()), int(step.total_seconds()), (end - begin) // step
    steps: dict[tuple[int, str], dict[int, Histogram]] = defaultdict(lambda: defaultdict(Histogram))
    wanted = Q(deployment_id__in=deployments, measure__in=_SHOWN)
    spans = LatencySpan.objects.filter(wanted, start__gte=begin, start__lt=end)
    for deployment, measure, at, number, total, packed in (
        spans.annotate(at=Epoch(F("start")))
        .values_list("deployment_id", "measure", "at", "count", "total_us", "packed")
        .iterator(chunk_size=5000)
    ):
        steps[deployment, measure][(at - first) // width] += Histogram.unpack(packed, number, total)
    for place, parts in _open(wanted, begin, end).items():
        deployment, measure, at = place
        steps[deployment, measure][(at - first) // width] += parts
    return {
        place: Line(
            sum(parts.values(), Histogram()).percentiles(95)[0],
            [_whole(parts[index].percentiles(95)[0]) if index in parts else None for index in range(count)],
        )
        for place, parts in steps.items()
    }


def _open(wanted: Q, begin: datetime, end: datetime) -> dict[tuple[int, str, int], Histogram]:
    """Hours that are not closed yet."""
    counts: dict[tuple[int, str, int], dict[int, int]] = defaultdict(dict)
    sums: dict[tuple[int, str, int], int] = defaultdict(int)
    buckets = LatencyBucket.objects.filter(wanted, hour__gte=begin, hour__lt=end).annotate(
        at=Epoch(F("hour"))
    )
    for deployment, measure, at, bucket, number, total in buckets.values_list(
        "deployment_id", "measure", "at", "bucket", "count", "total_us"
    ):
        counts[deployment, measure, at][bucket] = number
        sums[deployment, measure, at] += total
    return {place: Histogram.of_counts(each, sums[place]) for place, each in counts.items()}


class Traffic(NamedTuple):
    """Of one deployment in the whole period. Corrections change revenue, and are no requests."""

    requests: int = 0
    failed: int = 0
    tokens: int = 0
    revenues: Mapping[str, Decimal] = MappingProxyType({})


def _traffic(deployments: Sequence[int], begin: datetime, end: datetime) -> dict[int, Traffic]:
    rows = (
        UsageHour.objects.filter(deployment_id__in=deployments, hour__gte=begin, hour__lt=end)
        .order_by()
        .values_list("deployment_id", "status", "currency")
        .annotate(Sum("requests"), Sum("input_tokens"), Sum("output_tokens"), Sum("amount"))
    )
    found: dict[int, Traffic] = {}
    for deployment, status, currency, requests, input_, output, amount in rows:
        old = found.get(deployment, Traffic())
        earned = [(currency, amount)] if currency else []
        found[deployment] = Traffic(
            old.requests + int(requests),
            old.failed + (int(requests) if status == RequestStatus.ENGINE_FAILED else 0),
            old.tokens + int(input_) + int(output),
            totals([*old.revenues.items(), *earned]),
        )
    return found


def _texts(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {currency: in_full(amounts[currency]) for currency in sorted(amounts)}


def _first(amounts: Mapping[str, Decimal]) -> Decimal | None:
    return amounts[min(amounts)].quantize(Decimal("0.000001")) if amounts else None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
