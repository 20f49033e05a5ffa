"""Lines of invoices: what an organisation owes for a month (UTC), by deployment and price. Read from whole hours."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Sum
from django.db.models.functions import TruncMonth

from metering.models import UsageHour
from metering.pricing import line


class Line(NamedTuple):
    """One line. `amount` is rounded, once; `exact` is not."""

    month: datetime
    organization_id: int
    currency: str
    deployment_id: int
    deployment: str
    price_id: int
    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    exact: Decimal

    @property
    def amount(self) -> Decimal:
        return line(self.exact, self.currency)


_OF = ("month", "organization_id", "currency", "deployment_id", "deployment", "price_id")


def lines(begin: datetime, end: datetime | None = None) -> list[Line]:
    """All lines of the hours from `begin` up to `end`; those without a price have no currency and no amount."""
    hours = UsageHour.objects.filter(hour__gte=begin)
    if end is not None:
        hours = hours.filter(hour__lt=end)
    figures = map(Sum, ("requests", "input_tokens", "cached_tokens", "output_tokens", "amount"))
    rows = (
        hours.annotate(month=TruncMonth("hour", tzinfo=UTC))
        .values_list(*_OF)
        .annotate(*figures)
        .order_by(*_OF)
    )
    return [Line(*row) for row in rows]
