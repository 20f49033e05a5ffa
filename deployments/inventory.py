"""Everything that a plan for one deployment has to know of its cluster.

A fixed number of requests while nothing changes: one LIST for each kind that a deployment may consist of. Pods, claims
and storage classes are read only when the plan needs them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deployments import naming
from deployments.kube.kinds import AUTOSCALER, CLAIM, POD, STORAGE_CLASS, Kind, kind_of, owned_kinds
from deployments.models import Deployment
from deployments.patience import PatientConnection
from deployments.plan import ObservedObject
from deployments.plan.more import needs

#: Operators write their own name into the managed-by label of what they make for us.
_BY_DEPLOYMENT_ALONE = (POD, AUTOSCALER)


def take(
    cluster: PatientConnection, deployment: Deployment, desired: Sequence[dict[str, Any]]
) -> list[ObservedObject]:
    """Everything with our labels, whatever else has the name of something wanted, and what the plan needs besides."""
    reader = _Reader(cluster, deployment)
    offers = deployment.endpoint.cluster.offers
    owned = owned_kinds(offers.dynamo_versions, nim_operator=offers.nim_operator, keda=offers.keda)
    found: list[ObservedObject] = []
    for kind in [kind for kind in owned if kind is not CLAIM] if desired else [*owned, POD]:
        found += reader.labelled(kind)
    known = {(item.kind, item.name) for item in found}
    for object in desired:
        kind, name = kind_of(object), str(object["metadata"]["name"])
        if (kind.name, name) not in known:
            found += reader.named(kind, name)
    asked = needs(desired, found, was_there=deployment.applied_revision > 0)
    if asked.pods:
        found += reader.labelled(POD)
    if asked.claims:
        found += reader.labelled(CLAIM)
        found += reader.all(STORAGE_CLASS)
    for name in asked.named_claims:
        found += reader.named(CLAIM, name)
    return found


class _Reader:
    def __init__(self, cluster: PatientConnection, deployment: Deployment) -> None:
        self._cluster = cluster
        self._namespace, self._name = deployment.endpoint.namespace, deployment.name

    def labelled(self, kind: Kind) -> Iterator[ObservedObject]:
        labels = naming.selector_text(self._name)
        if kind in _BY_DEPLOYMENT_ALONE:
            labels = f"{naming.DEPLOYMENT_LABEL}={naming.label_value(self._name)}"
        for body in self._cluster.list(kind, namespace=self._namespace, labels=labels):
            yield _observed(kind, body)

    def all(self, kind: Kind) -> Iterator[ObservedObject]:
        for body in self._cluster.list(kind):
            yield _observed(kind, body)

    def named(self, kind: Kind, name: str) -> Iterator[ObservedObject]:
        body = self._cluster.get(kind, self._namespace, name)
        if body is not None:
            yield _observed(kind, body)


def _observed(kind: Kind, body: dict[str, Any]) -> ObservedObject:
    # The items of a list do not say what they are.
    return ObservedObject({**body, "apiVersion": kind.api_version, "kind": kind.name})
