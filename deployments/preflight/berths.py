"""Where the replicas would go: GPUs of each node as used, taken by this deployment, and free.

A placement that is possible, not the one that the scheduler will choose: the fullest node that still fits
comes first, which leaves the largest gaps for others. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deployments import quantity
from deployments.facts import GpuNode
from deployments.spec import Resources


@dataclass(frozen=True, slots=True)
class Berth:
    """The GPUs of one node; used + this + free is what the node has."""

    node: str
    used: int
    """By others, or not to be had because the node is not ready."""
    this: int
    """By replicas of this deployment that are still to start."""
    free: int


def place(nodes: Sequence[GpuNode], resources: Resources, replicas: int) -> tuple[tuple[Berth, ...], int]:
    """The berths by node, in the order given, and how many of the replicas find one."""
    left = {node.name: node for node in nodes}
    placed = 0
    while placed < replicas:
        fitting = [node for node in left.values() if _fits(node, resources)]
        if not fitting:
            break
        chosen = min(fitting, key=lambda node: node.free)
        left[chosen.name] = _less(chosen, resources)
        placed += 1
    return tuple(_berth(node, left[node.name]) for node in nodes), placed


def _fits(node: GpuNode, resources: Resources) -> bool:
    return (
        node.ready
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
    free = after.free if before.ready else 0
    this = before.free - after.free
    return Berth(before.name, used=before.total - this - free, this=this, free=free)
