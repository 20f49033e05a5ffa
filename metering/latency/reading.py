"""What a deployment's metrics are in a period: one figure a step, and one for all of it. A few queries, however long.

Closed hours bring their percentiles along; only what is merged is unpacked: the whole period, days of hours, and hours
to which something came late. Steps without requests have no figures: a gap is not a zero.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import NamedTuple

from django.db.models import Sum

from metering.latency.histogram import Histogram
from metering.latency.period import DAY, Period
from metering.models import LatencyBucket, LatencySpan, UsageHour
from metering.vocabulary import LatencyMeasure, RequestStatus

MEASURES = (LatencyMeasure.TTFT, LatencyMeasure.ITL, LatencyMeasure.E2E)


class Latency(NamedTuple):
    """Of a step or a whole period, in microseconds; None: there was nothing."""

    number: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    mean: float | None = None


class Traffic(NamedTuple):
    """Of a step or a whole period. Corrections are no requests and count nowhere here."""

    requests: Counter[str]
    """By status."""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    @property
    def total(self) -> int:
        return self.requests.total()

    @property
    def failed(self) -> int:
        """What the tenant could not help: the engine failed. A refused request and a limit are no failures."""
        return self.requests[RequestStatus.ENGINE_FAILED]


class Step(NamedTuple):
    """One hour or day."""

    start: datetime
    latency: dict[str, Latency]
    traffic: Traffic | None


class Whole(NamedTuple):
    """A whole period."""

    latency: dict[str, Latency]
    traffic: Traffic


class Metrics(NamedTuple):
    """A period of one deployment, and the one before it that is as long."""

    steps: list[Step]
    whole: Whole
    before: Whole


def read(deployment_id: int, period: Period) -> Metrics:
    """Three queries."""
    figures, now, before = _latency(deployment_id, period)
    traffic = _traffic(deployment_id, period)
    steps = [
        Step(start, {m: figures.get((start, m), Latency()) for m in MEASURES}, traffic.get(start))
        for start in period.starts()
    ]
    here = [each for start, each in traffic.items() if start >= period.begin]
    earlier = [each for start, each in traffic.items() if start < period.begin]
    return Metrics(steps, _whole(now, here), _whole(before, earlier))


def _whole(histograms: dict[str, Histogram], traffic: list[Traffic]) -> Whole:
    latency: dict[str, Latency] = {m: _read(histograms.get(m, Histogram())) for m in MEASURES}
    return Whole(latency, _sum(traffic))


def _latency(
    deployment_id: int, period: Period
) -> tuple[dict[tuple[datetime, str], Latency], dict[str, Histogram], dict[str, Histogram]]:
    """The steps' figures, and the histograms of this period and of the one before."""
    spans = LatencySpan.objects.filter(
        deployment_id=deployment_id, start__gte=period.before.begin, start__lt=period.end
    ).values_list("start", "measure", "count", "total_us", "p50_us", "p95_us", "p99_us", "packed")
    parts: dict[tuple[datetime, str], Histogram] = {}
    figures: dict[tuple[datetime, str], Latency] = {}
    merged: set[tuple[datetime, str]] = set()
    now: dict[str, Histogram] = defaultdict(Histogram)
    before: dict[str, Histogram] = defaultdict(Histogram)

    def add(start: datetime, measure: str, part: Histogram) -> tuple[datetime, str]:
        place = _start(start, period), measure
        if place in parts:
            merged.add(place)
            parts[place] += part
        else:
            parts[place] = part
        (now if start >= period.begin else before)[measure] += part
        return place

    for start, measure, count, total, p50, p95, p99, packed in spans:
        place = add(start, measure, Histogram.unpack(bytes(packed), count, total))
        figures[place] = Latency(count, p50, p95, p99, total / count)
    for (start, measure), part in _open(deployment_id, period).items():
        merged.add(add(start, measure, part))
    for place in merged:
        figures[place] = _read(parts[place])
    return figures, now, before


def _open(deployment_id: int, period: Period) -> dict[tuple[datetime, str], Histogram]:
    counts: dict[tuple[datetime, str], dict[int, int]] = defaultdict(dict)
    totals: Counter[tuple[datetime, str]] = Counter()
    buckets = LatencyBucket.objects.filter(
        deployment_id=deployment_id, hour__gte=period.before.begin, hour__lt=period.end
    )
    for hour, measure, bucket, count, total in buckets.values_list(
        "hour", "measure", "bucket", "count", "total_us"
    ):
        counts[hour, measure][bucket] = count
        totals[hour, measure] += total
    return {place: Histogram.of_counts(each, totals[place]) for place, each in counts.items()}


def _read(histogram: Histogram) -> Latency:
    p50, p95, p99 = histogram.percentiles(50, 95, 99)
    return Latency(histogram.count, p50, p95, p99, histogram.mean_us)


def _traffic(deployment_id: int, period: Period) -> dict[datetime, Traffic]:
    rows = (
        UsageHour.objects.filter(
            deployment_id=deployment_id, hour__gte=period.before.begin, hour__lt=period.end
        )
        .values_list("hour", "status")
        .annotate(Sum("requests"), Sum("input_tokens"), Sum("cached_tokens"), Sum("output_tokens"))
        .order_by()
    )
    parts: dict[datetime, list[Traffic]] = defaultdict(list)
    for hour, status, requests, *tokens in rows:
        if requests:  # an hour of nothing but corrections
            parts[_start(hour, period)].append(Traffic(Counter({status: requests}), *tokens))
    return {start: _sum(each) for start, each in parts.items()}


def _sum(parts: list[Traffic]) -> Traffic:
    requests: Counter[str] = Counter()
    for each in parts:
        requests.update(each.requests)
    tokens = (sum(column) for column in zip(*(each[1:] for each in parts), strict=True))
    return Traffic(requests, *tokens)


def _start(at: datetime, period: Period) -> datetime:
    """The step that a moment belongs to."""
    at = at.astimezone(UTC)
    return at.replace(hour=0) if period.step == DAY else at
