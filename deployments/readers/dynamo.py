"""Dynamo's workload: a DynamoGraphDeployment, in the version that the cluster serves. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from deployments import naming
from deployments.context import ClusterOffers
from deployments.kube.decode import Condition, Metadata, Part
from deployments.kube.kinds import GRAPH_V1ALPHA1, GRAPH_V1BETA1, Kind
from deployments.workload import Workload

OPERATOR = "Dynamo operator"

#: The autoscaler changes these: aggregated workers, or those that write the answers.
_SCALED = ("worker", "decode")
_ROLLING, _ROLL_FAILED = ("Pending", "InProgress"), "Failed"


class Component(Part, frozen=True):
    """One kind of pods of a graph, in both versions' spelling."""

    name: str = ""
    type: str = ""
    component_type: str = ""
    sub_component_type: str = ""
    replicas: int | None = None

    @property
    def role(self) -> str:
        """v1alpha1 calls prefill and decode workers of a sub-type."""
        return (self.type or self.sub_component_type or self.component_type).lower()

    @property
    def ordered(self) -> int:
        return 1 if self.replicas is None else self.replicas


class Counts(Part, frozen=True):
    replicas: int = 0
    updated_replicas: int = 0


class RollingState(Part, frozen=True):
    phase: str = ""
    start_time: datetime | None = None


class GraphSpec(Part, frozen=True):
    components: tuple[Component, ...] | None = None
    services: dict[str, Component] | None = None

    @property
    def parts(self) -> tuple[Component, ...]:
        return self.components or tuple((self.services or {}).values())


class GraphStatus(Part, frozen=True):
    state: str = ""
    observed_generation: int = 0
    conditions: tuple[Condition, ...] | None = None
    components: dict[str, Counts] | None = None
    services: dict[str, Counts] | None = None
    rolling_update: RollingState | None = None

    @property
    def counts(self) -> Mapping[str, Counts]:
        return self.components or self.services or {}


class Graph(Part, frozen=True):
    metadata: Metadata
    spec: GraphSpec = GraphSpec()
    status: GraphStatus = GraphStatus()


def sources(offers: ClusterOffers) -> list[tuple[Kind, type[Any], Callable[[Any], Workload]]]:
    if not offers.dynamo_versions:
        return []
    kind = GRAPH_V1BETA1 if "v1beta1" in offers.dynamo_versions else GRAPH_V1ALPHA1
    return [(kind, Graph, read_graph)]


def read_graph(found: Graph) -> Workload:
    """A graph is ready when its operator says so in every place: a pod that crashes leaves it pending for ever, so
    a graph that is not ready says nothing yet of why."""
    status, parts = found.status, found.spec.parts
    ready = next((c for c in status.conditions or () if c.type == "Ready"), None)
    phase = status.rolling_update.phase if status.rolling_update else ""
    is_ready = (
        status.state == "successful"
        and ready is not None
        and ready.status == "True"
        and phase not in (*_ROLLING, _ROLL_FAILED)
        and all(each.updated_replicas >= each.replicas for each in status.counts.values())
    )
    complains = ready is not None and ready.status != "True"
    return Workload(
        kind=GRAPH_V1BETA1.name,
        metadata=found.metadata,
        observed_generation=status.observed_generation,
        replicas=_ordered(parts),
        update_revision=found.metadata.label(naming.TEMPLATE_LABEL),
        scaled=_ordered(part for part in parts if part.role in _SCALED),
        operator=OPERATOR,
        is_ready=is_ready,
        problem=(ready.message or ready.reason or "") if ready is not None and complains else "",
        problem_since=ready.last_transition_time if ready is not None and complains else None,
        is_final=status.state == "failed" or phase == _ROLL_FAILED,
    )


def _ordered(parts: Iterable[Component]) -> int:
    return sum(part.ordered for part in parts)
