"""ResourceQuotas as facts: those that bound what our pods ask for. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from deployments.facts import Quota
from deployments.kube.decode import Metadata, Part
from deployments.kube.kinds import Kind

RESOURCE_QUOTA: Final = Kind("v1", "ResourceQuota", "resourcequotas")

#: More are not kept with a cluster's facts; a name space has one or two.
MOST: Final = 500

#: Our pods ask for CPU and memory and have no deadline, so these scopes cover them.
_OUR_SCOPES: Final = frozenset({"NotTerminating", "NotBestEffort"})
_BOUNDING: Final = re.compile(
    r"(?:requests\.|limits\.)?(?:cpu|memory)|pods|count/[a-z.]+|persistentvolumeclaims|requests\.storage"
    r"|(?:requests|limits)\.[a-z0-9.-]+/[A-Za-z0-9._-]+|[a-z0-9.-]+\.storageclass\.storage\.k8s\.io/.+",
    re.ASCII,
)


class QuotaSpec(Part, frozen=True):
    scopes: tuple[str, ...] | None = None
    scope_selector: dict[str, Any] | None = None


class QuotaStatus(Part, frozen=True):
    hard: dict[str, str | int] | None = None
    used: dict[str, str | int] | None = None


class ResourceQuota(Part, frozen=True):
    metadata: Metadata
    spec: QuotaSpec = QuotaSpec()
    status: QuotaStatus = QuotaStatus()


def quotas(found: Iterable[ResourceQuota]) -> tuple[Quota, ...]:
    """Those that bound our pods, with only the resources that do; ordered by namespace and name."""
    made = []
    for quota in sorted(found, key=lambda each: (each.metadata.namespace, each.metadata.name)):
        hard = _bounding(quota.status.hard)
        if hard and not quota.spec.scope_selector and _OUR_SCOPES.issuperset(quota.spec.scopes or ()):
            used = {name: amount for name, amount in _bounding(quota.status.used).items() if name in hard}
            made.append(Quota(quota.metadata.namespace, quota.metadata.name, hard, used))
    return tuple(made[:MOST])


def _bounding(amounts: Mapping[str, str | int] | None) -> dict[str, str]:
    return {name: str(amount) for name, amount in (amounts or {}).items() if _BOUNDING.fullmatch(name)}
