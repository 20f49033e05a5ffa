"""The terms of a deployment as rows: limits, price, and with whom it is shared. Called by revising.py alone."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from django.db.models import DateTimeField, Func

from console.models import Organization
from deployments.models import Deployment, Price, RateLimit, Share
from deployments.spec import DeploymentSpec, Limit, Pricing
from deployments.vocabulary import LimitScope, Sharing


def save_terms(deployment: Deployment, spec: DeploymentSpec) -> None:
    """Limits as they are now; a price row only when the price is another one than before."""
    limits = spec.rate_limits.by_scope()
    deployment.rate_limits.exclude(scope__in=[*limits]).delete()
    RateLimit.objects.bulk_create(
        [_limit(deployment, scope, limit) for scope, limit in limits.items()],
        update_conflicts=True,
        unique_fields=["deployment", "scope"],
        update_fields=["tokens_per_minute", "requests_per_minute"],
    )
    _save_price(deployment, spec.pricing)


def _save_price(deployment: Deployment, pricing: Pricing | None) -> None:
    """A row for every change, also for the end of a price; none for what holds already.

    It begins when the database writes it, after waiting for batches that the ledger is pricing at this moment: so no
    request that begins later can have been recorded with the price of before.
    """
    last = deployment.prices.first()
    before = _amounts(last) if last else None
    if pricing is None:
        if last is None or last.input_per_million is None:
            return
        after = _Amounts(last.currency, None, None, None)
    else:
        after = _amounts(pricing)
    if after != before:
        Price.objects.create(deployment=deployment, effective_from=_CLOCK, **after._asdict())


#: Read when the row is written; now() would be the beginning of the transaction.
_CLOCK = Func(function="clock_timestamp", output_field=DateTimeField())


class _Amounts(NamedTuple):
    """What makes one price another one than before. None: none."""

    currency: str
    input_per_million: Decimal | None
    output_per_million: Decimal | None
    cached_input_per_million: Decimal | None


def _amounts(price: Price | Pricing) -> _Amounts:
    return _Amounts(
        price.currency,
        price.input_per_million,
        price.output_per_million,
        price.cached_input_per_million,
    )


def _limit(deployment: Deployment, scope: LimitScope, limit: Limit) -> RateLimit:
    return RateLimit(
        deployment=deployment,
        scope=scope,
        tokens_per_minute=limit.tokens_per_minute,
        requests_per_minute=limit.requests_per_minute,
    )


def save_shares(deployment: Deployment, mode: Sharing, organizations: list[Organization]) -> None:
    deployment.sharing = mode
    deployment.save(update_fields=["sharing"])
    deployment.shares.exclude(organization__in=organizations).delete()
    Share.objects.bulk_create(
        [Share(deployment=deployment, organization=organization) for organization in organizations],
        ignore_conflicts=True,
    )
