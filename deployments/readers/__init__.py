"""How an engine's workload is read: one module an engine, each turning its objects into a Workload. Pure.

A reader lists the kinds of objects that its engine may be; the observer lists those that the cluster offers,
and `read` finds the reader by the kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deployments.context import ClusterOffers
from deployments.kube.kinds import Kind
from deployments.readers import dynamo, nim, vllm
from deployments.vocabulary import Engine
from deployments.workload import Workload

__all__ = ["READERS", "Source", "sources"]


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of object that is some engine's workload."""

    kind: Kind
    shape: type[Any]
    """How its list is decoded."""
    read: Callable[[Any], Workload]


#: By engine: which sources a cluster has.
READERS: dict[Engine, Callable[[ClusterOffers], list[tuple[Kind, type[Any], Callable[[Any], Workload]]]]] = {
    Engine.VLLM: vllm.sources,
    Engine.NIM: nim.sources,
    Engine.DYNAMO: dynamo.sources,
}


def sources(offers: ClusterOffers) -> list[Source]:
    """Every kind of workload to list on a cluster, each once: engines may share one."""
    found = {
        kind: Source(kind, shape, read) for reader in READERS.values() for kind, shape, read in reader(offers)
    }
    return list(found.values())
