"""Organisations with limits of their own, in words, for the pages of a deployment."""

from __future__ import annotations

from console.models import Organization
from deployments.dependents import OwnLimits
from deployments.models import Deployment
from deployments.vocabulary import LimitScope
from metering.limit_changes import Amounts
from metering.limit_forms import in_words
from metering.models import LimitOverride

MOST_SHOWN = 500
_ORDER = {scope.value: place for place, scope in enumerate(LimitScope)}


def own_amounts(deployment: Deployment) -> dict[str, dict[LimitScope, Amounts]]:
    """By short name; only the scopes that differ. One query."""
    found: dict[str, dict[LimitScope, Amounts]] = {}
    rows = LimitOverride.objects.filter(deployment=deployment).select_related("organization")
    for each in rows.order_by("organization__slug")[: MOST_SHOWN * len(LimitScope)]:
        amounts = Amounts(each.requests_per_minute, each.tokens_per_minute)
        found.setdefault(each.organization.slug, {})[LimitScope(each.scope)] = amounts
    return found


def own_limits(deployment: Deployment) -> list[OwnLimits]:
    """By name; only the scopes that differ. One query."""
    found: dict[Organization, list[tuple[str, str]]] = {}
    overrides = LimitOverride.objects.filter(deployment=deployment).select_related("organization")
    rows = list(overrides.order_by("organization__name")[: MOST_SHOWN * len(LimitScope)])
    for each in sorted(rows, key=lambda row: (row.organization.name, _ORDER[row.scope])):
        words = in_words(Amounts(each.requests_per_minute, each.tokens_per_minute))
        found.setdefault(each.organization, []).append((LimitScope(each.scope).label, words))
    return [OwnLimits(organization, tuple(limits)) for organization, limits in found.items()][:MOST_SHOWN]
