"""NIM's workload: a StatefulSet of ours, or a NIMService that the NIM Operator runs. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployments.context import ClusterOffers
from deployments.kube.decode import StatefulSet
from deployments.kube.kinds import STATEFUL_SET, Kind
from deployments.readers.vllm import read_stateful_set
from deployments.workload import Workload


def sources(offers: ClusterOffers) -> list[tuple[Kind, type[Any], Callable[[Any], Workload]]]:
    return [(STATEFUL_SET, StatefulSet, read_stateful_set)]
