"""On what terms an organisation uses deployments at this moment: prices and limits, a few queries for any number."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from deployments.models import Price, RateLimit
from deployments.vocabulary import LimitScope
from metering.limiter import Bucket, bucket_key
from metering.models import LimitMode, LimitOverride
from metering.pricing import Rates


class Limit(NamedTuple):
    """At most so much in any 60 seconds; None: as much as one likes."""

    requests: int | None
    tokens: int | None


class Terms(NamedTuple):
    """Of one deployment for one organisation."""

    rates: Rates | None = None
    """None: it has no price."""
    limits: Mapping[LimitScope, Limit] = MappingProxyType({})
    """Those that are enforced."""

    def bucket(self, deployment_id: int, scope: LimitScope, owner_id: int) -> Bucket | None:
        """What a call is counted in; None: there is no limit of this scope."""
        limit = self.limits.get(scope)
        return Bucket(bucket_key(deployment_id, scope, owner_id), scope, *limit) if limit else None


def read(deployments: Collection[int], organization_id: int, now: datetime) -> dict[int, Terms]:
    """By the id of the deployment. Four queries."""
    rates = {price.deployment_id: _rates(price) for price in _prices(deployments, now)}
    limits: dict[int, dict[LimitScope, Limit]] = {}
    general = RateLimit.objects.filter(deployment__in=deployments)
    special = LimitOverride.objects.filter(deployment__in=deployments, organization=organization_id)
    # In this order: an exception stands in for the general limit of the same scope.
    for rows in (general, special):
        for deployment, scope, requests, tokens in rows.values_list(
            "deployment_id", "scope", "requests_per_minute", "tokens_per_minute"
        ):
            limits.setdefault(deployment, {})[LimitScope(scope)] = Limit(requests, tokens)
    shadows = set(
        LimitMode.objects.filter(deployment__in=deployments, shadow=True).values_list("deployment", flat=True)
    )
    return {
        deployment: Terms(
            rates.get(deployment), {} if deployment in shadows else _real(limits.get(deployment, {}))
        )
        for deployment in deployments
    }


def _prices(deployments: Collection[int], now: datetime) -> list[Price]:
    """Those in force."""
    found = Price.objects.filter(deployment__in=deployments, effective_from__lte=now)
    return list(found.order_by("deployment_id", "-effective_from", "-id").distinct("deployment_id"))


def _rates(price: Price) -> Rates | None:
    if price.input_per_million is None or price.output_per_million is None:
        return None
    return Rates(
        price.currency, price.input_per_million, price.output_per_million, price.cached_input_per_million
    )


def _real(limits: Mapping[LimitScope, Limit]) -> dict[LimitScope, Limit]:
    """In the order in which people read them, without those that an exception has lifted."""
    return {scope: limits[scope] for scope in LimitScope if any(limits.get(scope, ()))}
