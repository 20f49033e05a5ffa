"""How fast a deployment answers: percentiles by the hour, requests, tokens and failures, as charts, table and file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from csp.decorators import csp_update
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from console.access import Permission, can, requires
from console.http import Request, page
from deployments.models import Deployment
from deployments.views.frame import find, head
from deployments.vocabulary import Phase
from metering import example
from metering import period as periods
from metering.engine_metrics import reading as engine_reading
from metering.latency import reading, showing
from metering.latency.showing import Mark, Row, Targets
from metering.latency.target_form import TargetForm
from metering.models import LatencyTarget
from metering.period import BadPeriod, Period
from metering.vocabulary import LatencyMeasure

MOST_MARKS = 30
_TEXT = CharField()
_LABELS = {"24h": "24 h", "7d": "7 d", "30d": "30 d"}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.VIEW)  # type: ignore[arg-type]
# A picture is drawn from the chart's own SVG by way of such addresses.
@csp_update({"img-src": ["blob:", "data:"]})  # type: ignore[arg-type]
def metrics(request: Request, name: str) -> HttpResponse:
    """GET shows; `?format=csv` is the table as a file. POST sets the targets."""
    deployment, standing, now = find(request, name)
    may_change = can(request.user, Permission.DEPLOY)
    target = (
        LatencyTarget.objects.filter(deployment=deployment).annotate(has_example=example.was_added()).first()
    )
    form = TargetForm(target, request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied
        if form.is_valid():
            form.save(deployment)
            messages.success(
                request, "The targets are saved. The charts show them from now on, for the past too."
            )
            return redirect(request.get_full_path())
    problem = ""
    try:
        period = periods.read(request.GET, now)
    except BadPeriod as error:
        period, problem = periods.read({}, now), str(error)
    targets = Targets(target.ttft_ms, target.itl_ms) if target else Targets()
    found = reading.read(deployment.pk, period)
    rows = showing.rows(found, period, targets, now)
    if request.GET.get("format") == "csv" and not problem:
        return _file(deployment, period, rows)
    engine = engine_reading.read(deployment.pk, period.begin, period.end, now)
    engine_rows = [] if engine.is_empty or period.is_daily else showing.engine_rows(engine, period)
    chart = showing.chart(rows, period, targets, _marks(deployment, period))
    context = head(deployment, standing, "deployment_metrics", now) | {
        "problem": problem,
        "has_example": getattr(target, "has_example", False),
        "period": period,
        "presets": [
            {"label": label, "url": _url(key, period), "current": key == period.key and not problem}
            for key, label in _LABELS.items()
        ],
        "begin": period.local[0],
        "end": period.local[1],
        "file": "?" + urlencode({**request.GET.dict(), "format": "csv"}),
        "has_requests": bool(found.whole.traffic.total),
        "stats": _stats(found, rows, targets),
        "rows": rows[::-1],
        "chart": {**chart, "engine": showing.engine_chart(engine_rows)},
        "engine_rows": engine_rows[::-1],
        "engine_unit": "minute" if engine.step == engine_reading.MINUTE else "hour",
        "targets": targets,
        "findings": {
            "ttft": showing.finding(rows, "ttft_p95", targets.ttft),
            "itl": showing.finding(rows, "itl_p95", targets.itl),
        },
        "over": [sum(row.over[measure] for row in rows) for measure in (0, 1)],
        "statuses": showing.by_status(found.whole.traffic),
        "whole": [showing.milliseconds(each) for each in found.whole.latency[LatencyMeasure.E2E][1:4]],
        "form": form,
        "may_change": may_change,
        "unit": "day" if period.is_daily else "hour",
    }
    return page(request, "metering/metrics.html", context, status=422 if problem or form.errors else 200)


def _url(key: str, shown: Period) -> str:
    zone = {} if shown.zone_name == "UTC" else {"zone": shown.zone_name}
    return "?" + urlencode({"period": key, **zone})


def _stats(found: reading.Metrics, rows: Sequence[Row], targets: Targets) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    pairs = ((LatencyMeasure.TTFT, "TTFT p95", targets.ttft), (LatencyMeasure.ITL, "ITL p95", targets.itl))
    for index, (measure, label, target) in enumerate(pairs):
        value, earlier = found.whole.latency[measure].p95, found.before.latency[measure].p95
        kept, hours = showing.met(rows, index)
        note = showing.change(value, earlier)
        if target and hours:
            note = f"Target {target:,} ms, met in {kept} of {hours}"
        shown.append(
            {
                "name": label,
                "value": _text(showing.milliseconds(value)),
                "unit": "ms" if value else "",
                "note": note,
            }
        )
    traffic = found.whole.traffic
    failed = showing.share_failed(traffic)
    shown.append(
        {
            "name": "Requests",
            "value": f"{traffic.total:,}",
            "note": showing.change(traffic.total, found.before.traffic.total),
        }
    )
    shown.append(
        {
            "name": "Failures",
            "value": _text(failed),
            "unit": "%" if failed is not None else "",
            "note": "Of the engine; limits and refusals are none",
        }
    )
    return shown


def _text(value: object) -> str:
    return "–" if value is None else f"{value:,}"


def _marks(deployment: Deployment, period: Period) -> list[Mark]:
    """Revisions, scaling and failures of the period, the newest of them. One query."""
    revisions = deployment.revisions.filter(created_at__gte=period.begin, created_at__lt=period.end)
    happened = {"at__gte": period.begin, "at__lt": period.end}
    failures = deployment.transitions.filter(after=Phase.FAILED, **happened)
    scalings = deployment.scalings.filter(**happened)
    found = (
        revisions.order_by()
        .values_list("created_at", Concat(Value("rev "), Cast("number", _TEXT)), Value(""))
        .union(
            failures.order_by().values_list("at", Value("failed", _TEXT), Value("bad")),
            scalings.order_by().values_list(
                "at", Concat(Cast("before", _TEXT), Value(" → "), Cast("after", _TEXT)), Value("")
            ),
            all=True,
        )
        .order_by("-created_at")[:MOST_MARKS]
    )
    return [Mark(at, label, tone) for at, label, tone in found][::-1]


def _file(deployment: Deployment, period: Period, rows: Iterable[Row]) -> HttpResponse:
    """The table, oldest first. Names of deployments are made of letters, digits and hyphens: no cell is a formula."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    filename = f"{deployment.name}-metrics-{_day(period.begin)}-{_day(period.end)}.csv"
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    writer = csv.writer(response)
    writer.writerow(["start_utc", *(f"{name}_ms" for name in showing.SERIES), *showing.COLUMNS[8:]])
    for row in rows:
        values = (row.figures[name] for name in showing.COLUMNS)
        writer.writerow([f"{row.start:%Y-%m-%dT%H:%M:%SZ}", *("" if v is None else v for v in values)])
    return response


def _day(at: datetime) -> str:
    return f"{at:%Y%m%d}"
