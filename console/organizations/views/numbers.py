"""What is counted for organisations on pages: a fixed number of queries for any number of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Sum

from console.models import Membership, Organization
from deployments.models import Deployment, Share
from deployments.vocabulary import DesiredState, Sharing
from metering.models import ApiKey, UsageHour

DAY = timedelta(hours=24)


@dataclass(slots=True)
class Numbers:
    members: int = 0
    keys: int = 0
    """That work."""
    deployments: int = 0
    """Shared with it."""
    requests: int = 0
    """Of the last 24 hours."""
    amounts: dict[str, Decimal] = field(default_factory=dict)
    """Of the running month (UTC), by currency; empty where money is not asked for."""


def of(organizations: Sequence[Organization], now: datetime, *, with_money: bool) -> dict[int, Numbers]:
    """By organisation."""
    found = {each.pk: Numbers() for each in organizations}
    rows = (
        Membership.objects.filter(organization__in=found).values_list("organization").annotate(n=Count("pk"))
    )
    for pk, number in rows.order_by():
        found[pk].members = number
    live = ApiKey.objects.live(now).exclude(kind=ApiKey.Kind.PLAYGROUND).filter(organization__in=found)
    for pk, number in live.order_by().values_list("organization").annotate(n=Count("pk")):
        found[pk].keys = number
    alive = Deployment.objects.exclude(desired_state=DesiredState.DELETED)
    for_all = alive.filter(sharing=Sharing.ALL).count()
    shares = Share.objects.filter(
        organization__in=found, deployment__in=alive.filter(sharing=Sharing.SELECTED)
    )
    for pk, number in shares.order_by().values_list("organization").annotate(n=Count("pk")):
        found[pk].deployments = number
    for each in found.values():
        each.deployments += for_all
    hours = UsageHour.objects.filter(organization_id__in=found).order_by()
    recent = hours.filter(hour__gte=now - DAY).values_list("organization_id").annotate(n=Sum("requests"))
    for pk, number in recent:
        found[pk].requests = int(number)
    if with_money:
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        money = hours.filter(hour__gte=month).exclude(currency="")
        for pk, currency, amount in money.values_list("organization_id", "currency").annotate(
            n=Sum("amount")
        ):
            found[pk].amounts[currency] = amount
    return found
