"""Budgets of organisations: how much of the running month (UTC) is used, and telling when a step is reached.

Amounts are those of the ledger, exact and unrounded; 80 % of a budget is reached when the usage is no less than it,
to the last digit. Budgets warn, and stop no traffic.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Q, Sum

from console.notices.announcing import Announcement, announce
from console.notices.kinds import Kind
from console.presentation.figures import money
from metering.models import Budget, UsageHour
from metering.pricing import line

STEPS = ((Kind.BUDGET_100, Decimal(1)), (Kind.BUDGET_80, Decimal("0.8")))
"""The highest first: who passes both at once is told of the higher one alone."""


class Standing(NamedTuple):
    """A budget and what is used of it."""

    budget: Budget
    used: Decimal

    @property
    def step(self) -> Kind | None:
        """The highest one that is reached."""
        return next((kind for kind, part in STEPS if self.used >= self.budget.amount * part), None)

    @property
    def shown(self) -> Decimal:
        """What is used, to the currency's smallest unit."""
        return line(self.used, self.budget.currency)

    @property
    def tone(self) -> str:
        return {Kind.BUDGET_100: "bad", Kind.BUDGET_80: "warn"}.get(self.step or Kind.TEST, "good")

    @property
    def word(self) -> str:
        """Empty while less than 80 % is used."""
        return {Kind.BUDGET_100: "Used up", Kind.BUDGET_80: "80 % used"}.get(self.step or Kind.TEST, "")


def month_of(now: datetime) -> datetime:
    """Its beginning, in UTC."""
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def standings(now: datetime, budgets: Iterable[Budget]) -> list[Standing]:
    """One query, however many there are. Currencies are never added to each other."""
    known = list(budgets)
    if not known:
        return []
    wanted = Q()
    for currency in {each.currency for each in known}:
        ids = [each.organization_id for each in known if each.currency == currency]
        wanted |= Q(currency=currency, organization_id__in=ids)
    sums = (
        UsageHour.objects.filter(wanted, hour__gte=month_of(now), hour__lte=now)
        .order_by()
        .values_list("organization_id", "currency")
        .annotate(Sum("amount"))
    )
    used = {(organization, currency): amount for organization, currency, amount in sums}
    return [Standing(each, used.get((each.organization_id, each.currency), Decimal(0))) for each in known]


def tell(now: datetime) -> int:
    """Of each budget the step that is reached, once a month; a budget that was raised may be told of again."""
    budgets = Budget.objects.select_related("organization")
    reached = [each for each in standings(now, budgets) if each.step is not None]
    return announce(*(_announcement(each, now) for each in reached)) if reached else 0


def _announcement(standing: Standing, now: datetime) -> Announcement:
    budget, kind = standing.budget, standing.step
    assert kind is not None
    organization, month = budget.organization, f"{month_of(now):%Y-%m}"
    used = money(standing.shown, budget.currency)
    part = "all" if kind is Kind.BUDGET_100 else "80 % or more"
    return Announcement(
        kind=kind,
        subject=organization.name,
        place=f"({budget.currency})",
        key=f"{kind}:{organization.pk}:{budget.currency}:{month}:{budget.amount.normalize():f}",
        sentence=(
            f"{organization.name} has used {used} of {money(budget.amount, budget.currency)} in {month} (UTC), "
            f"{part} of its budget."
        ),
        remedy="Nothing is stopped by this. Raise the budget, or set a rate limit.",
        path=f"/organizations/{organization.slug}/budget/",
        facts={
            "organization": organization.slug,
            "month": month,
            "currency": budget.currency,
            "used": f"{standing.used:f}",
            "budget": f"{budget.amount:f}",
        },
        at=now,
    )
