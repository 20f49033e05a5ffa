"""What one deployment was used for, and whether it pays: usage, cost, margin, idle GPUs of a period."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from console.access import Permission, requires
from console.http import Request, page
from console.presentation.figures import compact, grouped, money
from deployments.views.frame import find, head
from metering import period as periods
from metering import pricing
from metering.gpu_time import economics, reading
from metering.gpu_time.economics import Economics, GpuTime
from metering.period import BadPeriod, Period
from metering.usage import sums
from metering.usage.asking import Group, Question
from metering.usage.sums import Figures
from metering.views.usage_overview import amounts_of

_LABELS = {"24h": "24 h", "7d": "7 d", "30d": "30 d"}
_GROUPS = (Group.ORGANIZATION, Group.USER, Group.API_KEY, Group.TIME)


@require_safe
@requires(Permission.USAGE)
def usage(request: Request, name: str) -> HttpResponse:
    """`?period=` or `?from=&to=`, `?by=` how the table adds up."""
    deployment, standing, now = find(request, name)
    problem = ""
    try:
        period = periods.read(request.GET, now)
    except BadPeriod as error:
        period, problem = periods.read({}, now), str(error)
    group = next((each for each in _GROUPS if each.word == request.GET.get("by")), Group.ORGANIZATION)
    question = Question(period, group, {"deployment": deployment.pk})
    answer = sums.answer(question)
    time = reading.read(period.begin, period.end, [deployment.pk]).get(deployment.pk, GpuTime())
    found = economics.judge(time, answer.total.amounts, answer.total.tokens)
    context = head(deployment, standing, "deployment_usage", now) | {
        "problem": problem,
        "period": period,
        "begin": period.local[0],
        "end": period.local[1],
        "kept": {"by": group.word},
        "presets": [
            {
                "label": label,
                "url": "?" + urlencode(_words(period, group) | {"period": key}),
                "current": key == period.key and not problem,
            }
            for key, label in _LABELS.items()
        ],
        "groups": [
            {
                "label": each.label,
                "url": "?" + urlencode(_spanned(period) | {"by": each.word}),
                "current": each is group,
            }
            for each in _GROUPS
        ],
        "question": question,
        "stats": _stats(answer.total, found),
        "facts": _facts(time, found, answer.total),
        "has_gpu_time": bool(time.gpu_seconds),
        "unrated": time.unrated,
        "cluster": deployment.endpoint.cluster,
        "answer": answer,
        "rows": [
            {
                "name": sums.time_name(row.key[0], period) if group is Group.TIME else row.name,
                "figures": row.figures,
                "amounts": amounts_of(row.figures, answer),
            }
            for row in answer.rows
        ],
        "currencies": sorted(answer.total.amounts),
        "files": question.address(),
    }
    return page(request, "metering/deployment_usage.html", context, status=422 if problem else 200)


def _words(period: Period, group: Group) -> dict[str, str]:
    zone = {} if period.zone_name == "UTC" else {"zone": period.zone_name}
    return zone | ({} if group is Group.ORGANIZATION else {"by": group.word})


def _spanned(period: Period) -> dict[str, str]:
    """The period itself, for links that keep it."""
    zone = {} if period.zone_name == "UTC" else {"zone": period.zone_name}
    if period.key != "custom":
        return {"period": period.key, **zone}
    begin, end = period.local
    return {"from": f"{begin:%Y-%m-%dT%H:%M}", "to": f"{end:%Y-%m-%dT%H:%M}", **zone}


def _stats(total: Figures, found: Economics) -> list[dict[str, Any]]:
    margin: dict[str, Any] = {"name": "Margin", "value": "–", "note": _why_no_margin(found)}
    if found.margin:
        currency, amount = found.margin
        margin = {
            "name": "Margin",
            "value": money(pricing.line(amount, currency), currency),
            "note": _share(found),
        }
    return [
        {
            "name": "Requests",
            "value": compact(total.requests),
            "note": f"{compact(total.tokens)} tokens in and out",
        },
        {"name": "Revenue", **_amounts(found.revenues, "Nothing of it has a price")},
        {"name": "Cost", **_amounts(found.costs, "No cost is known for its GPUs")},
        margin,
    ]


def _share(found: Economics) -> str:
    """Of a loss, how much of the cost is earned: minus thousands of percent of a small revenue tell nothing."""
    if found.margin_share is not None and found.margin_share >= 0:
        return f"{found.margin_share} % of the revenue"
    covered = f"{found.covered} %" if found.covered is not None else "none"
    return f"Revenue covers {covered} of the cost"


def _amounts(amounts: Mapping[str, Decimal], nothing: str) -> dict[str, str]:
    texts = [money(pricing.line(amounts[currency], currency), currency) for currency in sorted(amounts)]
    if not texts:
        return {"value": "–", "note": nothing}
    return {"value": texts[0], "note": " and ".join(["", *texts[1:]]).strip()}


def _why_no_margin(found: Economics) -> str:
    if not found.costs:
        return "Needs the cost of its GPUs"
    return "Cost and revenue are in different currencies"


def _facts(time: GpuTime, found: Economics, total: Figures) -> list[tuple[str, str]]:
    """Name and value, in the order in which one asks."""
    idle = "–"
    if time.judged:
        share = (time.idle * 100 / time.judged).quantize(Decimal("1"))
        idle = f"{grouped(_hours(time.idle))} h, {share} % of {grouped(_hours(time.judged))} h"
    even = "–"
    if found.break_even is not None:
        even = f"{grouped(found.break_even)} per hour"
    per_hour = "–" if found.tokens_per_hour is None else f"{grouped(found.tokens_per_hour)} per hour"
    return [
        ("GPU hours held", f"{grouped(_hours(time.gpu_seconds))} h" if time.gpu_seconds else "–"),
        ("Idle GPU hours", idle),
        ("Break-even tokens", even),
        ("Tokens there were", per_hour),
        ("Revenue per 1M tokens", _per_million(found.revenues, total.tokens)),
        ("Cost per 1M tokens", _per_million(found.costs, total.tokens)),
    ]


def _hours(gpu_seconds: int | Decimal) -> Decimal:
    return (Decimal(gpu_seconds) / 3600).quantize(Decimal("0.1"))


def _per_million(amounts: Mapping[str, Decimal], tokens: int) -> str:
    if not tokens or not amounts:
        return "–"
    return " and ".join(
        money((amounts[currency] * 1_000_000 / tokens).quantize(Decimal("0.0001")), currency)
        for currency in sorted(amounts)
    )
