"""How GPUs are named and counted in pages. Pure: no Django, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.facts import ClusterFacts

_MODEL = re.compile(r"(?<![A-Za-z0-9])(?:RTX-)?([A-Z]{1,3}\d{2,4}[A-Za-z]{0,2})(?![A-Za-z0-9])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Supply:
    """GPUs of one product."""

    name: str
    free: int
    total: int

    @property
    def used(self) -> int:
        return self.total - self.free


def short_name(product: str) -> str:
    """ "H100" for the node label "NVIDIA-H100-80GB-HBM3"; a label without a known pattern stays as it is."""
    found = _MODEL.search(product)
    return found.group(1) if found else product


def count(number: int, product: str | None) -> str:
    """ "4 × H100", or "4" when any product will do; an en dash for none."""
    if not number:
        return "–"
    return f"{number} × {short_name(product)}" if product else str(number)


def taken(spec: Mapping[str, Any], pods: int) -> int:
    """How many GPUs so many pods take, by the spec of a stored document: Dynamo's frontend takes none."""
    each = int(spec.get("resources", {}).get("gpu", {}).get("count") or 0)
    engine: Mapping[str, Any] = spec.get("engine", {})
    if engine.get("kind") != "dynamo" or pods < 1:
        return each * pods
    workers: Mapping[str, Any] = engine.get("workers") or {}
    if not workers:
        return each * (pods - 1)
    prefill, prefill_gpus = _workers(workers.get("prefill"), each)
    _, decode_gpus = _workers(workers.get("decode"), each)
    prefill = min(prefill, pods - 1)
    return prefill * prefill_gpus + (pods - 1 - prefill) * decode_gpus


def _workers(given: Any, each: int) -> tuple[int, int]:
    """(number of workers, GPUs of each) of a role, which a document has as a number or as both."""
    if isinstance(given, Mapping):
        return int(given.get("replicas") or 1), int(given.get("gpus") or each)
    return int(given or 1), each


def supply(clusters: Iterable[ClusterFacts]) -> list[Supply]:
    """Free and total by product over several clusters, the largest stock first.

    GPUs of a node that takes no pods of ours count as taken.
    """
    free: dict[str, int] = {}
    total: dict[str, int] = {}
    for facts in clusters:
        for node in facts.gpu_nodes:
            name = short_name(node.product) or "GPU"
            total[name] = total.get(name, 0) + node.total
            free[name] = free.get(name, 0) + (min(node.free, node.total) if node.is_open else 0)
    return [Supply(name, free[name], total[name]) for name in sorted(total, key=lambda n: (-total[n], n))]
