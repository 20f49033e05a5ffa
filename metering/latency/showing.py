"""Metrics as a page, a chart and a file show them: milliseconds, shares, words. Pure.

The chart and the table are made of the same rows, so that they cannot say different things.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from console.presentation.times import MONTHS
from metering.engine_metrics.reading import Series
from metering.latency.reading import Latency, Metrics, Step, Traffic
from metering.period import HOUR, Period
from metering.vocabulary import LatencyMeasure, RequestStatus

_MOST_TICKS = 8
SERIES = ("ttft_p50", "ttft_p95", "ttft_p99", "ttft_mean", "itl_p50", "itl_p95", "itl_p99", "itl_mean")
COLUMNS = (*SERIES, "requests", "failed", "input_per_second", "output_per_second")


class Row(NamedTuple):
    """One step: its name, and its figures by column; None is a gap."""

    start: datetime
    name: str
    figures: dict[str, Decimal | int | None]
    is_partial: bool
    over: tuple[bool, bool]
    """Whether the p95 of TTFT and of ITL is above its target."""


class EngineRow(NamedTuple):
    """What the engines said in one minute or hour, by column; None is a gap."""

    start: datetime
    name: str
    figures: dict[str, Decimal | int | None]


class Targets(NamedTuple):
    """In milliseconds; None: no target."""

    ttft: int | None = None
    itl: int | None = None


class Mark(NamedTuple):
    """Something that happened to the deployment."""

    at: datetime
    label: str
    tone: str = ""


def rows(metrics: Metrics, period: Period, targets: Targets, now: datetime) -> list[Row]:
    """In the order of time."""
    return [_row(step, period, targets, now) for step in metrics.steps]


def _row(step: Step, period: Period, targets: Targets, now: datetime) -> Row:
    ttft, itl = step.latency[LatencyMeasure.TTFT], step.latency[LatencyMeasure.ITL]
    seconds = min(now - step.start, period.step).total_seconds()
    traffic = step.traffic
    figures: dict[str, Decimal | int | None] = {
        **{f"ttft_{name}": milliseconds(value) for name, value in _named(ttft)},
        **{f"itl_{name}": milliseconds(value) for name, value in _named(itl)},
        "requests": traffic.total if traffic else None,
        "failed": traffic.failed if traffic else None,
        "input_per_second": _rate(traffic.input_tokens if traffic else None, seconds),
        "output_per_second": _rate(traffic.output_tokens if traffic else None, seconds),
    }
    return Row(
        step.start,
        step_name(step.start, period),
        figures,
        step.start + period.step > now,
        (_is_over(ttft, targets.ttft), _is_over(itl, targets.itl)),
    )


def _named(latency: Latency) -> Iterable[tuple[str, float | None]]:
    return zip(("p50", "p95", "p99", "mean"), latency[1:], strict=True)


def milliseconds(microseconds: float | None) -> Decimal | None:
    """To three digits, which is what a bound of one percent is good for: 412, 37.8, 5.12, 0.512."""
    if microseconds is None:
        return None
    value = Decimal(microseconds) / 1000
    places = next((p for p, least in enumerate((100, 10, 1)) if value >= least), 3)
    return value.quantize(Decimal(1).scaleb(-places))


def _rate(tokens: int | None, seconds: float) -> Decimal | None:
    if tokens is None or seconds <= 0:
        return None
    return Decimal(f"{tokens / seconds:.1f}")


def _is_over(latency: Latency, target: int | None) -> bool:
    return target is not None and latency.p95 is not None and latency.p95 > target * 1000


def step_name(start: datetime, period: Period) -> str:
    """ "23 Nov 10:00" for an hour in the period's zone, "23 Nov 2026" for a day of UTC."""
    if period.is_daily:
        return f"{start.day} {MONTHS[start.month - 1][:3]} {start.year}"
    here = start.astimezone(period.zone)
    return f"{here.day} {MONTHS[here.month - 1][:3]} {here:%H:%M}"


def engine_rows(series: Series, period: Period) -> list[EngineRow]:
    """In the order of time; shares as percent."""
    return [
        EngineRow(
            point.at,
            step_name(point.at, period),
            {
                "replicas": point.replicas or None,
                "running": _tenths(point.running),
                "waiting": _tenths(point.waiting),
                "kv_use": _percent(point.kv_use),
                "kv_use_max": _percent(point.kv_use_max),
                "prefix_hit_rate": _percent(point.prefix_hit_rate),
                "preemptions": point.preemptions,
            },
        )
        for point in series.points
    ]


def _tenths(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(f"{value:.1f}")


def _percent(share: float | None) -> Decimal | None:
    return None if share is None else Decimal(f"{share * 100:.1f}")


def engine_chart(found: Sequence[EngineRow]) -> dict[str, Any]:
    """As `chart` does, for what the engines said."""
    names = found[0].figures if found else ()
    step = found[1].start - found[0].start if len(found) > 1 else HOUR
    return {
        "step": int(step.total_seconds()),
        "begin": f"{found[0].start:%Y-%m-%dT%H:%M}" if found else "",
        "names": [row.name for row in found],
        "series": {name: [_number(row.figures[name]) for row in found] for name in names},
    }


def chart(found: Sequence[Row], period: Period, targets: Targets, marks: Iterable[Mark]) -> dict[str, Any]:
    """What the script draws, as JSON. Positions are moments of UTC; what people read comes as words of the zone.

    Steps are of one length, so the script makes the positions itself: hundreds of moments are a good part of the bytes.
    """
    return {
        "names": [row.name for row in found],
        "series": {name: [_number(row.figures[name]) for row in found] for name in COLUMNS},
        "targets": {"ttft": targets.ttft, "itl": targets.itl},
        "ticks": [[f"{at:%Y-%m-%dT%H:%M}", text] for at, text in ticks(period)],
        "marks": [[f"{mark.at:%Y-%m-%dT%H:%M:%S}", mark.label, mark.tone] for mark in marks],
        "range": [f"{period.begin:%Y-%m-%dT%H:%M}", f"{period.end:%Y-%m-%dT%H:%M}"],
        "step": int(period.step.total_seconds()),
        "zone": period.zone_name,
        "partial": bool(found and found[-1].is_partial),
    }


def _number(value: Decimal | int | None) -> float | int | None:
    """JSON has no other numbers; they are to be drawn, not added up."""
    return value if value is None or isinstance(value, int) else float(value)


def ticks(period: Period) -> list[tuple[datetime, str]]:
    """Round moments of the zone on the axis, at most eight."""
    starts = list(period.starts())
    for hours in (1, 2, 3, 6, 12, 24):
        chosen = [at for at in starts if _is_round(at, hours, period)]
        if len(chosen) <= _MOST_TICKS:
            break
    else:
        step = -(-len(chosen) // _MOST_TICKS)
        chosen = chosen[::step]
    return [(at, _tick(at, period)) for at in chosen]


def _is_round(at: datetime, hours: int, period: Period) -> bool:
    return period.is_daily or at.astimezone(period.zone).hour % hours == 0


def _tick(at: datetime, period: Period) -> str:
    here = at if period.is_daily else at.astimezone(period.zone)
    if period.is_daily or here.hour == 0:
        return f"{here.day} {MONTHS[here.month - 1][:3]}"
    return f"{here:%H:%M}"


def share_failed(traffic: Traffic) -> Decimal | None:
    """Percent of requests that failed; None of none."""
    if not traffic.total:
        return None
    return (Decimal(100) * traffic.failed / traffic.total).quantize(Decimal("0.01"))


def met(found: Sequence[Row], measure: int) -> tuple[int, int]:
    """Steps that met the target of TTFT (0) or ITL (1), and steps that had requests."""
    name = ("ttft_p95", "itl_p95")[measure]
    with_requests = [row for row in found if row.figures[name] is not None]
    return sum(not row.over[measure] for row in with_requests), len(with_requests)


def finding(found: Sequence[Row], name: str, target: int | None) -> str:
    """What a chart shows, in words, for those who do not see it."""
    values = [(row.figures[name], row.name) for row in found if row.figures[name] is not None]
    if not values:
        return "No requests in this period."
    low, high = min(values), max(values)
    said = f"p95 lies between {low[0]} ms ({low[1]}) and {high[0]} ms ({high[1]})."
    if target is None:
        return said
    over = sum(1 for value, _ in values if value is not None and value > target)
    return f"{said} It was above the target of {target} ms in {over} of {len(values)} hours."


def by_status(traffic: Traffic) -> list[tuple[RequestStatus, int]]:
    return [(status, traffic.requests[status]) for status in RequestStatus if traffic.requests[status]]


def change(now: float | None, before: float | None) -> str:
    """ "12 % more than in the period before"; empty where there is nothing to compare."""
    if not now or not before:
        return ""
    percent = round((now - before) / before * 100)
    if percent == 0:
        return "as in the period before"
    return f"{abs(percent):,} % {'more' if percent > 0 else 'less'} than in the period before"
