"""Where the replicas would go: GPUs of each node as used, taken by this deployment, and free.

A placement that is possible, not the one that the scheduler will choose: the fullest node that still fits
comes first, which leaves the largest gaps for others. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deployments import quantity
from deployments.facts import GpuNode
from deployments.spec import PodGroup, Resources


@dataclass(frozen=True, slots=True)
class Berth:
    """The GPUs of one node; used + this + free is what the node has."""

    node: str
    used: int
    """By others, or not to be had because no new pod can go there."""
    this: int
    """By replicas of this deployment that are still to start."""
    free: int


@dataclass(frozen=True, slots=True)
class Placement:
    """How many pods find a place now."""

    berths: tuple[Berth, ...] = ()
    """By node, in the order given."""
    placed: int = 0
    to_start: int = 0
    gpus: int = 0
    """Of the pods that are to start."""


def place(nodes: Sequence[GpuNode], resources: Resources, replicas: int) -> tuple[tuple[Berth, ...], int]:
    """The berths by node, in the order given, and how many of the replicas find one."""
    found = place_groups(nodes, resources, [PodGroup("replica", replicas, resources.gpu.count)])
    return found.berths, found.placed


def place_groups(nodes: Sequence[GpuNode], resources: Resources, groups: Sequence[PodGroup]) -> Placement:
    """A place for every pod of these groups, the ones with most GPUs first."""
    left = {node.name: node for node in nodes}
    placed = 0
    for group in sorted(groups, key=lambda group: -group.gpus):
        asked = replace(resources, gpu=replace(resources.gpu, count=group.gpus))
        for _ in range(group.replicas):
            fitting = [node for node in left.values() if _fits(node, asked)]
            if not fitting:
                break
            chosen = min(fitting, key=lambda node: node.free)
            left[chosen.name] = _less(chosen, asked)
            placed += 1
    return Placement(
        berths=tuple(_berth(node, left[node.name]) for node in nodes),
        placed=placed,
        to_start=sum(group.replicas for group in groups),
        gpus=sum(group.replicas * group.gpus for group in groups),
    )


def still_to_start(groups: Sequence[PodGroup], running: int) -> tuple[PodGroup, ...]:
    """The groups without the pods that run already; those of the first group are counted first."""
    left = []
    for group in groups:
        there = min(running, group.replicas)
        running -= there
        left.append(replace(group, replicas=group.replicas - there))
    return tuple(left)


def _fits(node: GpuNode, resources: Resources) -> bool:
    return (
        node.is_open
        and node.free >= resources.gpu.count
        and (node.cpu_free is None or node.cpu_free >= quantity.to_millicores(resources.cpu_request))
        and (node.memory_free is None or node.memory_free >= quantity.to_bytes(resources.memory_request))
    )


def _less(node: GpuNode, resources: Resources) -> GpuNode:
    cpu, memory = node.cpu_free, node.memory_free
    return replace(
        node,
        free=node.free - resources.gpu.count,
        cpu_free=None if cpu is None else cpu - quantity.to_millicores(resources.cpu_request),
        memory_free=None if memory is None else memory - quantity.to_bytes(resources.memory_request),
    )


def _berth(before: GpuNode, after: GpuNode) -> Berth:
    free = after.free if before.is_open else 0
    this = before.free - after.free
    return Berth(before.name, used=before.total - this - free, this=this, free=free)
