"""vLLM's workload: a StatefulSet. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployments.context import ClusterOffers
from deployments.kube.decode import StatefulSet
from deployments.kube.kinds import STATEFUL_SET, Kind
from deployments.plan.surge import SURGE_ANNOTATION
from deployments.workload import CONTROLLER_REVISION, Workload


def sources(offers: ClusterOffers) -> list[tuple[Kind, type[Any], Callable[[Any], Workload]]]:
    return [(STATEFUL_SET, StatefulSet, read_stateful_set)]


def read_stateful_set(found: StatefulSet) -> Workload:
    """Its controller labels every pod with the hash of the template that it was made from."""
    strategy = found.spec.update_strategy
    rolling = strategy.rolling_update if strategy else None
    return Workload(
        kind=STATEFUL_SET.name,
        metadata=found.metadata,
        observed_generation=found.status.observed_generation,
        replicas=found.spec.replicas,
        update_revision=found.status.update_revision,
        pod_label=CONTROLLER_REVISION,
        partition=rolling.partition if rolling else 0,
        surges=SURGE_ANNOTATION in (found.metadata.annotations or {}),
        scaled=found.spec.replicas,
    )
