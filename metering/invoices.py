"""Lines of invoices: what an organisation owes for a month, by deployment and price. Read from whole hours."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Sum

from metering.models import UsageHour
from metering.pricing import line


class Line(NamedTuple):
    """One line. `amount` is rounded, once; `exact` is not."""

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


def lines(begin: datetime, end: datetime) -> list[Line]:
    """All lines of the hours from `begin` up to `end`; those without a price have no currency and no amount."""
    rows = (
        UsageHour.objects.filter(hour__gte=begin, hour__lt=end)
        .values_list("organization_id", "currency", "deployment_id", "deployment", "price_id")
        .annotate(
            Sum("requests"), Sum("input_tokens"), Sum("cached_tokens"), Sum("output_tokens"), Sum("amount")
        )
        .order_by("organization_id", "currency", "deployment", "deployment_id", "price_id")
    )
    return [Line(*row) for row in rows]
