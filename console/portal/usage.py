"""Usage of an organisation, or of one of its members: in a period, against the limits of a model, and this month."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.access import TenantRight
from console.http import Request, page
from console.portal.meters import meters_of
from console.portal.shared import models_of
from console.presentation.figures import money
from console.visiting import Visit, in_portal
from metering.period import HOUR, PRESETS, Period
from metering.usage import invoice, sums
from metering.usage.asking import Group, Question
from metering.usage.sums import Answer, Figures
from metering.views.usage_overview import amounts_of

_PERIODS = {"24h": "24 h", "7d": "7 d", "30d": "30 d"}
#: What a row stands for, by the word in the address. Who it is by is for owners.
_GROUPS = {"model": Group.DEPLOYMENT, "key": Group.API_KEY, "user": Group.USER}
_LABELS = {"model": "Model", "key": "API key", "user": "Person"}


@require_safe
@in_portal
def usage(request: Request) -> HttpResponse:
    """`?period=`, `?by=` and `?model=`, whose limits are shown; anything odd means the first choice."""
    visit, now = request.visit, timezone.now()
    period = request.GET.get("period", "")
    period = period if period in PRESETS else "24h"
    by = request.GET.get("by", "")
    offered = [word for word in _GROUPS if visit.may(TenantRight.ALL_USAGE) or word != "user"]
    by = by if by in offered else offered[0]
    answer = sums.answer(Question(_last(period, now), _GROUPS[by], _whose(visit)))
    models = models_of(visit, now)
    model = next(
        (each for each in models if each.name == request.GET.get("model")), models[0] if models else None
    )
    context = {
        "visit": visit,
        "period": period,
        "by": by,
        "label": _LABELS[by],
        "periods": [
            {"label": label, "url": f"?period={word}&by={by}", "current": word == period}
            for word, label in _PERIODS.items()
        ],
        "groups": [
            {"label": _LABELS[word], "url": f"?period={period}&by={word}", "current": word == by}
            for word in offered
        ],
        "rows": [
            {"name": row.name, "figures": row.figures, "amounts": amounts_of(row.figures, answer)}
            for row in answer.rows
        ],
        "currencies": sorted(answer.total.amounts),
        "total": answer.total,
        "total_amounts": amounts_of(answer.total, answer),
        "is_cut": answer.is_cut,
        "most_rows": sums.MOST_ROWS,
        "models": models,
        "model": model,
        "meters": meters_of(visit, model, now) if model else [],
        "months": _months(visit, now),
        "month": invoice.month_of(now),
        "now": now,
    }
    return page(request, "portal/usage.html", context)


def _whose(visit: Visit) -> dict[str, int | str]:
    """Members see their own; nothing in an address changes that."""
    own: dict[str, int | str] = {"organization": visit.organization.pk}
    return own if visit.may(TenantRight.ALL_USAGE) else {**own, "user": visit.user.pk}


def _last(word: str, now: datetime) -> Period:
    end = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
    return Period(word, end - PRESETS[word], end, UTC, "UTC", HOUR)


def _months(visit: Visit, now: datetime) -> list[tuple[str, list[str]]]:
    """What this month has cost so far: the organisation's for its owner, and one's own."""
    begin = invoice.month_of(now).begin
    this = Period("custom", begin, _last("24h", now).end, UTC, "UTC", HOUR)
    asked: list[tuple[str, dict[str, int | str]]] = []
    if visit.may(TenantRight.ALL_USAGE):
        asked.append((visit.organization.name, {"organization": visit.organization.pk}))
    if not visit.is_looking:
        own: dict[str, Any] = {"organization": visit.organization.pk, "user": visit.user.pk}
        asked.append(("Of that, you" if visit.may(TenantRight.ALL_USAGE) else "You", own))
    return [(name, _amounts(sums.answer(Question(this, Group.TOTAL, whose)))) for name, whose in asked]


def _amounts(answer: Answer) -> list[str]:
    total: Figures = answer.total
    return [money(amount, currency) for currency, amount in sorted(total.amounts.items())]
