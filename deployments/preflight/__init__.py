"""What is known to go wrong before anything is sent: blockers, warnings, passed checks, memory and berths.

check() takes the settings and what is known of model, cluster and endpoint, and does nothing else. A blocker is
certain to fail; a warning may fail or surprise; an estimate alone never blocks, except where it is plain
that the weights do not fit. Pure: no Django, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deployments.context import Exposure, ModelSource
from deployments.engines import ngc
from deployments.engines.memory import MemorySum, estimate
from deployments.facts import ClusterFacts, GpuNode
from deployments.preflight import cluster
from deployments.preflight.around import Around, EndpointCheck
from deployments.preflight.berths import Berth, Placement, place_groups, still_to_start
from deployments.preflight.engines import INSTALL_DYNAMO, check_operators
from deployments.preflight.items import Item, Level, Step, warning
from deployments.preflight.place import check_place
from deployments.preflight.quotas import check_quotas
from deployments.preflight.settings import check_settings
from deployments.spec import DeploymentSpec

__all__ = [
    "INSTALL_DYNAMO",
    "Around",
    "Berth",
    "EndpointCheck",
    "Item",
    "Level",
    "Preflight",
    "Step",
    "check",
]


@dataclass(frozen=True, slots=True)
class Preflight:
    items: tuple[Item, ...]
    """Blockers first, then warnings, then what passed."""
    memory: MemorySum | None
    """Of the pods with the least to spare; None when the model's facts do not tell the size of the weights."""
    placement: Placement = field(default_factory=Placement)
    """Without berths when the cluster is unknown, or when no GPU is asked for."""

    @property
    def blockers(self) -> tuple[Item, ...]:
        return self._of(Level.BLOCKER)

    @property
    def warnings(self) -> tuple[Item, ...]:
        return self._of(Level.WARNING)

    @property
    def passed(self) -> tuple[Item, ...]:
        return self._of(Level.PASSED)

    @property
    def berths(self) -> tuple[Berth, ...]:
        """Nodes that have such GPUs."""
        return self.placement.berths

    @property
    def placed(self) -> int:
        """New pods that find free GPUs now."""
        return self.placement.placed

    @property
    def to_start(self) -> int:
        """New pods in all."""
        return self.placement.to_start

    @property
    def free_after(self) -> int:
        """GPUs that stay free once the new replicas have theirs."""
        return sum(berth.free for berth in self.berths)

    def _of(self, level: Level) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.level is level)


def check(
    spec: DeploymentSpec,
    source: ModelSource,
    facts: ClusterFacts | None,
    exposure: Exposure | None = None,
    around: Around | None = None,
) -> Preflight:
    """Judge settings that are complete but not yet applied.

    `facts` is None while the cluster has not been reached.
    """
    around = around or Around()
    spec = ngc.resolve(spec, source)
    items = [*check_place(spec, around), *check_settings(spec, source, around)]
    if facts is None:
        detail = "Free GPUs, storage and rights are unknown. Check the cluster's connection."
        items.append(warning("The cluster has not been reached", detail, Step.NOWHERE))
        return Preflight(_sorted(items), _memory(spec, source, None))
    gpu = spec.resources.gpu
    nodes = facts.offering(gpu.resource, gpu.product) if gpu.count else ()
    new = still_to_start(spec.groups, around.running_replicas)
    placement = place_groups(nodes, spec.resources, new)
    memory = _memory(spec, source, _smallest(nodes))
    items += cluster.check_age(facts, around.now)
    items += cluster.check_permissions(spec, facts)
    items += check_operators(spec, facts, nodes, around.storage_class)
    items += cluster.check_gpus(spec, nodes, placement)
    items += check_quotas(spec, facts, around.namespace, new)
    items += cluster.check_memory(memory)
    items += cluster.check_storage(facts, around.storage_class)
    items += cluster.check_autoscaler(spec, facts, around.prometheus_url)
    items += cluster.check_route(facts, exposure or Exposure())
    return Preflight(_sorted(items), memory, placement)


def _memory(spec: DeploymentSpec, source: ModelSource, gpu_memory: int | None) -> MemorySum | None:
    """The sum of the pods that have the least to spare: those with the fewest GPUs each."""
    fewest = min(group.gpus for group in spec.groups)
    return estimate(spec, source.sizing, gpu_memory, gpus=fewest)


def _smallest(nodes: tuple[GpuNode, ...]) -> int | None:
    """Memory of the smallest GPU that the scheduler may choose; None when any is unknown."""
    sizes = [node.memory_bytes for node in nodes]
    return None if None in sizes else min((size for size in sizes if size is not None), default=None)


def _sorted(items: list[Item]) -> tuple[Item, ...]:
    return tuple(sorted(items, key=lambda item: list(Level).index(item.level)))
