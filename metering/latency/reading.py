"""What a deployment's metrics are in a period: one figure a step, and one for all of it. A few queries, however long.

Closed hours bring their percentiles along; only what is merged is unpacked: the whole period, days of hours, and hours
to which something came late. Steps without requests have no figures: a gap is not a zero.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from typing import NamedTuple

from django.db.models import BigIntegerField, F, Func, Q, Sum

from metering.latency.histogram import Histogram
from metering.models import LatencyBucket, LatencySpan, UsageHour
from metering.period import Period
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
    nothing = Latency()
    steps = [
        Step(start, {m: figures.get((at, m), nothing) for m in MEASURES}, traffic.get(at))
        for start, at in ((start, int(start.timestamp())) for start in period.starts())
    ]
    begin = int(period.begin.timestamp())
    here = [each for at, each in traffic.items() if at >= begin]
    earlier = [each for at, each in traffic.items() if at < begin]
    return Metrics(steps, _whole(now, here), _whole(before, earlier))


def _whole(histograms: dict[str, Histogram], traffic: list[Traffic]) -> Whole:
    latency: dict[str, Latency] = {m: _read(histograms.get(m, Histogram())) for m in MEASURES}
    return Whole(latency, _sum(traffic))


class Epoch(Func):
    """Seconds since 1970. Thousands of moments are many times as expensive."""

    template = "extract(epoch FROM %(expressions)s)::bigint"
    output_field = BigIntegerField()


_Place = tuple[int, str]
"""Second of a start, and measure."""


def _latency(
    deployment_id: int, period: Period
) -> tuple[dict[_Place, Latency], dict[str, Histogram], dict[str, Histogram]]:
    """The steps' figures, and the histograms of this period and of the one before."""
    wanted = Q(start__gte=period.begin) | ~Q(measure=LatencyMeasure.E2E)
    spans = (
        LatencySpan.objects.filter(
            wanted, deployment_id=deployment_id, start__gte=period.before.begin, start__lt=period.end
        )
        .annotate(at=Epoch(F("start")))
        .values_list("at", "measure", "count", "total_us", "p50_us", "p95_us", "p99_us", "packed")
    )
    parts: dict[_Place, Histogram] = {}
    figures: dict[_Place, Latency] = {}
    merged: set[_Place] = set()
    now: dict[str, Histogram] = defaultdict(Histogram)
    before: dict[str, Histogram] = defaultdict(Histogram)
    step, begin = int(period.step.total_seconds()), int(period.begin.timestamp())

    def add(at: int, measure: str, part: Histogram) -> _Place | None:
        if at < begin:
            before[measure] += part
            return None
        now[measure] += part
        place = at - at % step, measure
        if place in parts:
            merged.add(place)
            parts[place] += part
        else:
            parts[place] = part
        return place

    for at, measure, count, total, p50, p95, p99, packed in spans:
        if place := add(at, measure, Histogram.unpack(packed, count, total)):
            figures[place] = Latency(count, p50, p95, p99, total / count)
    for (at, measure), part in _open(deployment_id, period).items():
        if place := add(at, measure, part):
            merged.add(place)
    for place in merged:
        figures[place] = _read(parts[place])
    return figures, now, before


def _open(deployment_id: int, period: Period) -> dict[_Place, Histogram]:
    counts: dict[_Place, dict[int, int]] = defaultdict(dict)
    totals: Counter[_Place] = Counter()
    buckets = LatencyBucket.objects.filter(
        deployment_id=deployment_id, hour__gte=period.before.begin, hour__lt=period.end
    ).annotate(at=Epoch(F("hour")))
    for at, measure, bucket, count, total in buckets.values_list(
        "at", "measure", "bucket", "count", "total_us"
    ):
        counts[at, measure][bucket] = count
        totals[at, measure] += total
    return {place: Histogram.of_counts(each, totals[place]) for place, each in counts.items()}


def _traffic(deployment_id: int, period: Period) -> dict[int, Traffic]:
    """By the second at which a step begins, those of the period before included."""
    rows = (
        UsageHour.objects.filter(
            deployment_id=deployment_id, hour__gte=period.before.begin, hour__lt=period.end
        )
        .values_list("hour", "status")
        .annotate(Sum("requests"), Sum("input_tokens"), Sum("cached_tokens"), Sum("output_tokens"))
        .annotate(at=Epoch(F("hour")))
        .values_list(
            "at",
            "status",
            "requests__sum",
            "input_tokens__sum",
            "cached_tokens__sum",
            "output_tokens__sum",
        )
        .order_by()
    )
    step = int(period.step.total_seconds())
    parts: dict[int, list[Traffic]] = defaultdict(list)
    for at, status, requests, *tokens in rows:
        if requests:  # else an hour of nothing but corrections
            parts[at - at % step].append(Traffic(Counter({status: requests}), *map(int, tokens)))
    return {at: each[0] if len(each) == 1 else _sum(each) for at, each in parts.items()}


def _sum(parts: list[Traffic]) -> Traffic:
    requests: Counter[str] = Counter()
    for each in parts:
        for status, count in each.requests.items():
            requests[status] += count
    return Traffic(
        requests,
        sum(each.input_tokens for each in parts),
        sum(each.cached_tokens for each in parts),
        sum(each.output_tokens for each in parts),
    )


def _read(histogram: Histogram) -> Latency:
    p50, p95, p99 = histogram.percentiles(50, 95, 99)
    return Latency(histogram.count, p50, p95, p99, histogram.mean_us)
