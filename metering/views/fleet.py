"""All deployments beside each other: how fast, how much, at what cost; worst first."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.access import Permission, can, requires
from console.http import Request, page
from console.presentation.figures import money
from deployments.models import Deployment
from metering import pricing
from metering.fleet import listing, sparkline
from metering.fleet.figures import PERIODS
from metering.fleet.listing import Row
from metering.models import FleetRound
from metering.pricing import in_full

PER_PAGE = 50
MOST_IN_FILE = 10_000
_LABELS = {"24h": "24 h", "7d": "7 d", "30d": "30 d"}


@require_safe
@requires(Permission.VIEW)
def fleet(request: Request) -> HttpResponse:
    """`?period=`, `?sort=`, `?q=`; `?format=csv` is all rows as a file. Money is for those who may see usage."""
    now, with_money = timezone.now(), can(request.user, Permission.USAGE)
    filters = listing.read(request.GET, with_money=with_money)
    found = listing.ordered(Deployment.objects.visible_to(request.user), filters, now)
    if request.GET.get("format") == "csv":
        rows = (listing.row(each, now) for each in found[:MOST_IN_FILE].iterator(chunk_size=500))
        return _file(rows, filters.period, with_money=with_money)
    shown = Paginator(found, PER_PAGE).get_page(filters.page)
    round_ = FleetRound.objects.filter(period=filters.period).first()
    context = {
        "page": shown,
        "rows": [_shown(listing.row(each, now)) for each in shown],
        "filters": filters,
        "sort": filters.sort,
        "periods": [
            {"label": label, "url": filters.query(period=key), "current": key == filters.period}
            for key, label in _LABELS.items()
        ],
        "file": filters.query(format="csv"),
        "with_money": with_money,
        "computed_at": round_.computed_at if round_ else None,
        "step": {"24h": "hour", "7d": "six hours", "30d": "day"}[filters.period],
    }
    assert filters.period in PERIODS
    return page(request, "metering/fleet.html", context)


def _shown(row: Row) -> dict[str, Any]:
    return {
        "row": row,
        "ttft_path": sparkline.path(row.ttft_line),
        "itl_path": sparkline.path(row.itl_line),
        "costs": _money(row.costs),
        "revenues": _money(row.revenues),
    }


def _money(amounts: Mapping[str, Decimal]) -> list[str]:
    """To the smallest unit, one for each currency."""
    return [money(pricing.line(amount, currency), currency) for currency, amount in amounts.items()]


_COLUMNS = (
    "deployment",
    "model",
    "state",
    "ttft_p95_ms",
    "itl_p95_ms",
    "requests",
    "failed_percent",
    "tokens",
)


def _file(rows: Iterable[Row], period: str, *, with_money: bool) -> HttpResponse:
    """Slugs and figures only: no cell is a formula. One pair of columns for money, with its currency in the cell."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="fleet-{period}.csv"'
    writer = csv.writer(response)
    writer.writerow([*_COLUMNS, "gpu_hours", *(("cost", "revenue") if with_money else ())])
    for row in rows:
        figures = (row.ttft, row.itl, row.requests, row.failed_share, row.tokens, row.gpu_hours)
        amounts = (_cell(row.costs), _cell(row.revenues)) if with_money else ()
        writer.writerow(
            [
                row.deployment.name,
                row.deployment.model.slug,
                row.standing.phase.value,
                *("" if value is None else value for value in figures),
                *amounts,
            ]
        )
    return response


def _cell(amounts: Mapping[str, Decimal]) -> str:
    return " + ".join(f"{in_full(amount)} {currency}" for currency, amount in amounts.items())
