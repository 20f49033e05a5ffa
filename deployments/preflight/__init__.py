"""What is known to go wrong before anything is sent: blockers, warnings, passed checks, memory and berths.

check() takes the settings and what is known of model, cluster and endpoint, and does nothing else. A blocker is
certain to fail; a warning may fail or surprise; an estimate alone never blocks, except where it is plain
that the weights do not fit. Pure: no Django, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from deployments.context import Exposure, ModelSource
from deployments.facts import ClusterFacts, GpuNode
from deployments.memory import MemorySum, estimate
from deployments.preflight import cluster
from deployments.preflight.berths import Berth, place
from deployments.preflight.items import Item, Level, Step, warning
from deployments.preflight.settings import check_settings
from deployments.spec import DeploymentSpec

__all__ = ["Berth", "Item", "Level", "Preflight", "Step", "check"]


@dataclass(frozen=True, slots=True)
class Preflight:
    items: tuple[Item, ...]
    """Blockers first, then warnings, then what passed."""
    memory: MemorySum | None
    """None when the model's facts do not tell the size of the weights."""
    berths: tuple[Berth, ...] = ()
    """Nodes that have such GPUs; empty when the cluster is unknown."""
    placed: int = 0
    """New replicas that find free GPUs now."""
    to_start: int = 0
    """New replicas in all."""

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
    *,
    now: datetime | None = None,
    has_weights_token: bool = False,
    storage_class: str | None = None,
    running_replicas: int = 0,
) -> Preflight:
    """Judge settings that are complete but not yet applied.

    `facts` is None while the cluster has not been reached; `now` (aware) tells how old they are.
    `running_replicas` have their GPUs already: an edit replaces them in place.
    """
    items = list(check_settings(spec, source, has_weights_token))
    if facts is None:
        detail = "Free GPUs, storage and rights are unknown. Check the cluster's connection."
        items.append(warning("The cluster has not been reached", detail, Step.NOWHERE))
        return Preflight(_sorted(items), estimate(spec, source.sizing, None))
    gpu = spec.resources.gpu
    nodes = facts.offering(gpu.resource, gpu.product) if gpu.count else ()
    wanted = spec.autoscaling.min_replicas if spec.autoscaling.enabled else spec.engine.replicas
    to_start = max(0, wanted - running_replicas)
    berths, placed = place(nodes, spec.resources, to_start)
    memory = estimate(spec, source.sizing, _smallest(nodes))
    items += cluster.check_age(facts, now)
    items += cluster.check_permissions(facts)
    items += cluster.check_gpus(spec, nodes, wanted, placed, to_start)
    items += cluster.check_memory(memory)
    items += cluster.check_storage(facts, storage_class)
    items += cluster.check_autoscaler(spec, facts)
    items += cluster.check_route(facts, exposure or Exposure())
    return Preflight(_sorted(items), memory, berths, placed, to_start)


def _smallest(nodes: tuple[GpuNode, ...]) -> int | None:
    """Memory of the smallest GPU that the scheduler may choose; None when any is unknown."""
    sizes = [node.memory_bytes for node in nodes]
    return None if None in sizes else min((size for size in sizes if size is not None), default=None)


def _sorted(items: list[Item]) -> tuple[Item, ...]:
    return tuple(sorted(items, key=lambda item: list(Level).index(item.level)))
