"""The admission webhooks that add-ons bring: asked about the requests of clients, not about what controllers write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.api.kinds import Kind
from deployments.sandbox.operators import dynamo_rules, keda_rules

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store


def check(store: Store, kind: Kind, current: Object | None, wanted: Object) -> list[str]:
    """Warnings about a write. Raises ApiError with the webhook's name when it denies the request."""
    if kind.plural == "dynamographdeployments":
        return dynamo_rules.check(kind, current, wanted)
    if kind.plural == "scaledobjects":
        denial = keda_rules.denial(store, wanted)
        if denial:
            raise ApiError(
                403,
                f'admission webhook "vscaledobject.kb.io" denied the request: {denial}',
                reason="Forbidden",
            )
    return []
