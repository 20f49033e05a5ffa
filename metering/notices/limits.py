"""Tells of organisations that come near a rate limit of a deployment, or have used all of it.

What counts stands in Valkey, where the limiter keeps it: each bucket as it was at its last request, so that looking
changes nothing. A look every few seconds sees all that lasts; a peak between two of them may be missed. Tokens that are
asked for and do not fit are refused and not counted, so a limit on tokens may refuse below 100 %.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import redis
from django.conf import settings

from console.models import Organization
from console.notices.announcing import Announcement, announce
from console.notices.kinds import Kind
from console.presentation.figures import grouped
from deployments.models import Deployment, RateLimit
from deployments.vocabulary import LimitScope
from metering.limit_changes import Amounts
from metering.models import LimitMode, LimitOverride

logger = logging.getLogger(__name__)

_SCOPE = LimitScope.ORGANIZATION.value
_PATTERN = f"{{*}}:{_SCOPE}:*"
_KEY = re.compile(rf"\{{(\d{{1,18}})\}}:{_SCOPE}:(\d{{1,18}})")
_AT_ONCE = 500


class Count(NamedTuple):
    """What counted in a bucket at its last request."""

    deployment_id: int
    organization_id: int
    requests: int
    tokens: int


class Reached(NamedTuple):
    """A limit of which an organisation has used 80 % or more."""

    deployment_id: int
    organization_id: int
    what: str
    used: int
    limit: int

    @property
    def kind(self) -> Kind:
        return Kind.LIMIT_100 if self.used >= self.limit else Kind.LIMIT_80


def tell(now: datetime) -> int:
    """One look; the same limit is told of once an hour (UTC). Returns how many notices are new."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2) as client:
            counts = list(_counts(client))
    except (redis.RedisError, OSError) as error:
        logger.warning("Limits cannot be looked at: %s", type(error).__name__)
        return 0
    reached = list(_reached(counts)) if counts else []
    return _tell(reached, now) if reached else 0


def _counts(client: redis.Redis) -> Iterator[Count]:
    """Of every organisation that asked for something in the last minute."""
    found = client.scan_iter(match=_PATTERN, count=1000, _type="hash")
    places = [match for key in found if (match := _KEY.fullmatch(key.decode()))]
    for start in range(0, len(places), _AT_ONCE):
        part = places[start : start + _AT_ONCE]
        with client.pipeline(transaction=False) as pipeline:
            for place in part:
                pipeline.hmget(place[0], "requests", "used", "held")
            rows = pipeline.execute()
        for place, row in zip(part, rows, strict=True):
            requests, used, held = (int(each or 0) for each in row)
            yield Count(int(place[1]), int(place[2]), requests, used + held)


def _reached(counts: list[Count]) -> Iterator[Reached]:
    ids = {each.deployment_id for each in counts}
    general = {
        pk: Amounts(requests, tokens)
        for pk, requests, tokens in RateLimit.objects.filter(
            deployment__in=ids, scope=LimitScope.ORGANIZATION
        ).values_list("deployment_id", "requests_per_minute", "tokens_per_minute")
    }
    own = {
        (pk, organization): Amounts(requests, tokens)
        for pk, organization, requests, tokens in LimitOverride.objects.filter(
            deployment__in=ids, scope=LimitScope.ORGANIZATION
        ).values_list("deployment_id", "organization_id", "requests_per_minute", "tokens_per_minute")
    }
    for each in counts:
        place = each.deployment_id, each.organization_id
        limits = own.get(place, general.get(each.deployment_id, Amounts()))
        for what in ("requests", "tokens"):
            limit, used = getattr(limits, what), getattr(each, what)
            if limit is not None and used * 5 >= limit * 4:
                yield Reached(*place, what, used, limit)


def _tell(reached: list[Reached], now: datetime) -> int:
    deployments = {each.deployment_id for each in reached}
    names = dict(Deployment.objects.filter(pk__in=deployments).values_list("pk", "name"))
    organizations = Organization.objects.in_bulk({each.organization_id for each in reached})
    shadowed = set(
        LimitMode.objects.filter(deployment__in=deployments, shadow=True).values_list(
            "deployment_id", flat=True
        )
    )
    return announce(
        *(
            _announcement(
                each,
                names[each.deployment_id],
                organizations[each.organization_id],
                each.deployment_id in shadowed,
                now,
            )
            for each in reached
            if each.deployment_id in names and each.organization_id in organizations
        )
    )


def _announcement(
    one: Reached, deployment: str, organization: Organization, is_shadow: bool, now: datetime
) -> Announcement:
    if is_shadow:
        effect = "Nothing is refused, because the limits are only watched."
    elif one.kind is Kind.LIMIT_100:
        effect = "More is refused until some of it is a minute old."
    else:
        effect = "At 100 % requests are refused."
    return Announcement(
        kind=one.kind,
        subject=organization.name,
        place=f"at {deployment} ({one.what})",
        key=f"{one.kind}:{one.deployment_id}:{one.organization_id}:{one.what}:{now:%Y-%m-%dT%H}",
        sentence=(
            f"{organization.name} used {grouped(one.used)} of {grouped(one.limit)} {one.what} per minute "
            f"at {deployment}. {effect}"
        ),
        remedy=f"Give {organization.name} a limit of its own, or leave it as it is.",
        path=f"/deployments/{deployment}/limits/",
        deployment_id=one.deployment_id,
        facts={
            "organization": organization.slug,
            "deployment": deployment,
            "what": one.what,
            "used": one.used,
            "limit": one.limit,
        },
        at=now,
    )
