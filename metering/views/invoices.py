"""A month as an invoice: of all organisations at a glance, and of one of them line by line, on paper and as files."""

from __future__ import annotations

import csv
from typing import Any

from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.access import Permission, requires
from console.http import Request, page
from console.models import Organization
from console.presentation.cells import neutral
from console.presentation.figures import money
from deployments.models import Price
from metering.pricing import in_full
from metering.usage import invoice
from metering.usage.invoice import Line, Month

_COLUMNS = (
    "month",
    "deployment",
    "requests",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "currency",
    "amount",
)


@require_safe
@requires(Permission.USAGE)
def newest(request: Request) -> HttpResponse:
    return redirect("usage_month", invoice.month_of(timezone.now()).word)


@require_safe
@requires(Permission.USAGE)
def month(request: Request, word: str) -> HttpResponse:
    """Each organisation with usage, and what it owes in each currency."""
    asked = month_asked(word)
    found = invoice.lines(asked)
    names = Organization.objects.in_bulk({each.organization_id for each in found})
    by_organization: dict[int, list[Line]] = {}
    for each in found:
        by_organization.setdefault(each.organization_id, []).append(each)
    rows = [
        {
            "organization": names[key],
            "requests": sum(each.requests for each in of),
            "adjustments": sum(each.is_adjustment for each in of),
            "amounts": _totals(of),
        }
        for key, of in by_organization.items()
    ]
    rows.sort(key=lambda row: str(row["organization"]))
    context = {**frame_of(asked, "usage_month", []), "rows": rows, "totals": _totals(found)}
    return page(request, "metering/month.html", context)


@require_safe
@requires(Permission.USAGE)
def one(request: Request, word: str, slug: str) -> HttpResponse:
    """`?format=csv` or `json` is the same as a file."""
    organization = get_object_or_404(Organization, slug=slug)
    asked = month_asked(word)
    return of_organization(
        request, asked, organization, "metering/invoice.html", frame_of(asked, "usage_invoice", [slug])
    )


def of_organization(
    request: Request, asked: Month, organization: Organization, template: str, frame: dict[str, Any]
) -> HttpResponse:
    """A month of one organisation, as a page or as a file; who may see it is decided before."""
    found, slug = invoice.lines(asked, organization.pk), organization.slug
    wanted = request.GET.get("format")
    if wanted == "csv":
        return _file(f"invoice-{slug}-{asked.word}.csv", found)
    if wanted == "json":
        said = [dict(zip(_COLUMNS, _plain(each), strict=True)) for each in found]
        totals = {currency: str(amount) for currency, amount in invoice.sums(found).items()}
        return JsonResponse({"organization": slug, "month": asked.word, "lines": said, "totals": totals})
    prices = invoice.prices(found)
    context = {
        **frame,
        "organization": organization,
        "lines": [_shown(each, prices) for each in found if not each.is_adjustment],
        "adjustments": [_shown(each, prices) for each in found if each.is_adjustment],
        "totals": _totals(found),
    }
    return page(request, template, context)


def month_asked(word: str) -> Month:
    """Raises Http404 for what is no month, or not here yet."""
    found = invoice.read_month(word, timezone.now())
    if found is None:
        raise Http404("no such month")
    return found


def frame_of(asked: Month, name: str, rest: list[str]) -> dict[str, Any]:
    now = timezone.now()
    return {
        "month": asked,
        "now": now,
        "is_closed": asked.closes <= now,
        "before": reverse(name, args=[asked.before.word, *rest]),
        "after": reverse(name, args=[Month(asked.end).word, *rest]) if asked.end <= now else "",
    }


def _totals(found: list[Line]) -> list[str]:
    return [money(amount, currency) for currency, amount in sorted(invoice.sums(found).items())]


def _shown(each: Line, prices: dict[int, Price]) -> dict[str, Any]:
    price = prices.get(each.price_id) if each.price_id is not None else None
    return {
        "line": each,
        "amount": money(each.amount, each.currency) if each.currency else "",
        "prices": _prices(price) if price is not None else "No price",
    }


def _prices(price: Price) -> str:
    """Per one million tokens."""
    parts = [("input", price.input_per_million), ("output", price.output_per_million)]
    if price.cached_input_per_million is not None:
        parts.insert(1, ("cached", price.cached_input_per_million))
    return ", ".join(
        f"{money(amount, price.currency)} {name}" for name, amount in parts if amount is not None
    )


def _plain(each: Line) -> list[Any]:
    return [
        f"{each.month:%Y-%m}",
        each.deployment,
        each.requests,
        each.input_tokens,
        each.cached_tokens,
        each.output_tokens,
        each.currency,
        in_full(each.amount) if each.currency else "",
    ]


def _file(name: str, found: list[Line]) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(response)
    writer.writerow([*_COLUMNS, "adjustment"])
    for each in found:
        cells = _plain(each)
        cells[1] = neutral(each.deployment)
        writer.writerow([*cells, "yes" if each.is_adjustment else "no"])
    return response
