"""What was used of a model's limits in the trailing minute, and what remains: as meters, the tightest one marked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from console.portal.shared import SharedModel
from console.visiting import Visit
from deployments.vocabulary import LimitScope
from metering import remaining
from metering.limiter import Bucket
from metering.models import ApiKey

MOST_KEYS = 20
_TIGHT = 0.8
"""A limit of which so much is used is pointed out."""


class Meter(NamedTuple):
    """One limit. `used` None: nobody knows at this moment."""

    name: str
    unit: str
    limit: int
    used: int | None
    is_tightest: bool = False

    @property
    def left(self) -> int | None:
        return None if self.used is None else max(0, self.limit - self.used)

    @property
    def share(self) -> float:
        return (self.used or 0) / self.limit

    @property
    def tone(self) -> str:
        return "warn" if self.is_tightest and self.share >= _TIGHT else ""

    @property
    def note(self) -> str:
        if self.used is None:
            return ""
        if self.left == 0:
            return "Used up. What was used comes back a minute after its use."
        return f"{self.left:,} left this minute." if self.tone else f"{self.left:,} left"


def meters_of(visit: Visit, model: SharedModel, now: datetime) -> list[Meter]:
    """Of the organisation, the person, and the person's keys. One query, and one question to Valkey."""
    named: list[tuple[str, Bucket]] = []
    for scope, owner, name in _owners(visit, model, now):
        bucket = model.terms.bucket(model.id, scope, owner)
        if bucket is not None:
            named.append((name, bucket))
    used = remaining.used([bucket for _, bucket in named])
    found: list[Meter] = []
    for name, bucket in named:
        standing = used.get(bucket.key) if used is not None else None
        if bucket.tokens is not None:
            found.append(Meter(f"{name}, tokens", "per min", bucket.tokens, standing and standing.tokens))
        if bucket.requests is not None:
            found.append(
                Meter(f"{name}, requests", "per min", bucket.requests, standing and standing.requests)
            )
    return _marked(found)


def _owners(visit: Visit, model: SharedModel, now: datetime) -> list[tuple[LimitScope, int, str]]:
    owners = [(LimitScope.ORGANIZATION, visit.organization.pk, visit.organization.name)]
    if visit.is_looking:
        return owners
    owners.append((LimitScope.USER, visit.user.pk, "You"))
    if LimitScope.API_KEY in model.terms.limits:
        keys = ApiKey.objects.live(now).filter(user=visit.user, organization=visit.organization)
        for pk, name in keys.order_by("kind", "name", "pk").values_list("pk", "name")[:MOST_KEYS]:
            owners.append((LimitScope.API_KEY, pk, f"Key {name}"))
    return owners


def _marked(found: Sequence[Meter]) -> list[Meter]:
    tightest = max(found, key=lambda meter: meter.share, default=None)
    return [meter._replace(is_tightest=meter is tightest and bool(meter.used)) for meter in found]
