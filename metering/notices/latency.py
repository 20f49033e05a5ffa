"""Tells of closed hours (UTC) whose p95 is above its target, and of the first one that is not any more.

Hours are judged when they are closed. What arrives later changes the histogram, but an hour is told of once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import F
from django.db.models.fields.json import KeyTextTransform

from console.notices.announcing import Announcement, announce
from console.notices.kinds import Kind
from console.notices.rows import Notice
from console.presentation.figures import grouped
from metering.models import LatencySpan, LatencyTarget
from metering.period import HOUR
from metering.vocabulary import LatencyMeasure

FEWEST_REQUESTS = 20
"""Below, one slow answer is the p95."""
HOURS_JUDGED = 3
"""The newest closed ones; older ones would be no news."""
_REMEMBERED = timedelta(days=30)
_KINDS = (Kind.LATENCY_ABOVE, Kind.LATENCY_BACK)
_NAMES = {LatencyMeasure.TTFT: "TTFT", LatencyMeasure.ITL: "ITL"}


class Judged(NamedTuple):
    """One hour of one measure of a deployment that has a target."""

    deployment_id: int
    deployment: str
    measure: LatencyMeasure
    hour: datetime
    p95_us: float
    target_ms: int
    requests: int

    @property
    def is_above(self) -> bool:
        return self.p95_us > self.target_ms * 1000


def tell(now: datetime) -> int:
    """After hours are closed; twice is the same. A constant number of queries. Returns how many are new."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    judged = list(_judge(hour - HOURS_JUDGED * HOUR, hour))
    if not judged:
        return 0
    was_above = _told(now)
    told = []
    for each in judged:
        place = each.deployment_id, each.measure.value
        last = was_above.get(place)
        if last is not None and each.hour <= last[0]:
            continue
        if each.is_above or (last is not None and last[1]):
            told.append(_announcement(each, now))
        was_above[place] = each.hour, each.is_above
    return announce(*told) if told else 0


def _judge(since: datetime, until: datetime) -> Iterator[Judged]:
    """In the order of time."""
    targets = {
        pk: (name, {LatencyMeasure.TTFT: ttft, LatencyMeasure.ITL: itl})
        for pk, name, ttft, itl in LatencyTarget.objects.values_list(
            "deployment_id", "deployment__name", "ttft_ms", "itl_ms"
        )
    }
    spans = LatencySpan.objects.filter(
        length=LatencySpan.Length.HOUR,
        start__gte=since,
        start__lt=until,
        measure__in=[*_NAMES],
        count__gte=FEWEST_REQUESTS,
        deployment_id__in=[*targets],
    ).order_by("start", "deployment_id", "measure")
    for pk, measure, start, p95, count in spans.values_list(
        "deployment_id", "measure", "start", "p95_us", "count"
    ):
        name, wanted = targets[pk]
        target = wanted[LatencyMeasure(measure)]
        if target is not None:
            yield Judged(pk, name, LatencyMeasure(measure), start, p95, target, count)


def _told(now: datetime) -> dict[tuple[int, str], tuple[datetime, bool]]:
    """Of each deployment and measure: the last hour that was told of, and whether it was above."""
    rows = (
        Notice.objects.filter(kind__in=_KINDS, send_at__gt=now - _REMEMBERED)
        .annotate(measure=KeyTextTransform("measure", "facts"), hour=KeyTextTransform("hour", "facts"))
        .order_by("deployment_id", F("measure"), "-hour")
        .distinct("deployment_id", "measure")
    )
    found: dict[tuple[int, str], tuple[datetime, bool]] = {}
    for pk, measure, hour, kind in rows.values_list("deployment_id", "measure", "hour", "kind"):
        assert pk is not None, "latency is that of a deployment"
        found[pk, measure] = datetime.fromisoformat(hour), kind == Kind.LATENCY_ABOVE
    return found


def _announcement(one: Judged, now: datetime) -> Announcement:
    kind = Kind.LATENCY_ABOVE if one.is_above else Kind.LATENCY_BACK
    p95 = grouped(round(one.p95_us / 1000))
    where = f"in the hour from {one.hour:%H:%M} UTC, over {grouped(one.requests)} requests"
    compared = "above" if one.is_above else "at or below"
    facts: dict[str, Any] = {
        "deployment": one.deployment,
        "measure": one.measure.value,
        "hour": one.hour.isoformat(),
        "p95_ms": round(one.p95_us / 1000, 3),
        "target_ms": one.target_ms,
        "requests": one.requests,
    }
    return Announcement(
        kind=kind,
        subject=one.deployment,
        place=f"({_NAMES[one.measure]})",
        key=f"latency:{one.deployment_id}:{one.measure.value}:{one.hour.isoformat()}",
        sentence=(
            f"p95 of {_NAMES[one.measure]} was {p95} ms, {compared} the target of {grouped(one.target_ms)} ms, {where}."
        ),
        remedy="Look at requests waiting and KV-cache use; add a replica, or change the target."
        * one.is_above,
        path=f"/deployments/{one.deployment}/metrics/",
        deployment_id=one.deployment_id,
        facts=facts,
        at=now,
    )
