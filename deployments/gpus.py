"""How GPUs are named and counted in pages. Pure: no Django, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

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
