"""Dynamo's workload: a DynamoGraphDeployment. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deployments.context import ClusterOffers
from deployments.kube.kinds import Kind
from deployments.workload import Workload


def sources(offers: ClusterOffers) -> list[tuple[Kind, type[Any], Callable[[Any], Workload]]]:
    return []
