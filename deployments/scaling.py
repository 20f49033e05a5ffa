"""By what a deployment can be scaled where it runs, and why not. Pure: no Django, no I/O."""

from __future__ import annotations

from typing import Final

from deployments.context import ClusterOffers
from deployments.spec import DeploymentSpec
from deployments.vocabulary import Engine, NimRunner, ScalingMetric

NO_KEDA: Final = "This cluster has no KEDA. Install it, or scale by CPU."
NO_PROMETHEUS: Final = (
    "The address of this cluster's Prometheus is not known. Enter it on the cluster's page, or scale by CPU."
)
BY_OPERATOR: Final = (
    "The NIM Operator scales by CPU or memory only. Choose one of them, or let Slipway run the pods."
)


def obstacle(metric: ScalingMetric, offers: ClusterOffers, *, operated: bool = False) -> str:
    """Why a deployment cannot be scaled by this metric, with the remedy; empty when it can.

    `operated`: NVIDIA's operator makes the pods, and the autoscaler with them.
    """
    if not metric.is_of_engine:
        return ""
    if operated:
        return BY_OPERATOR
    if not offers.keda:
        return NO_KEDA
    return "" if offers.prometheus_url else NO_PROMETHEUS


def is_operated(spec: DeploymentSpec) -> bool:
    """Whether NVIDIA's operator makes the pods."""
    nim = spec.engine.nim
    return spec.engine.kind is Engine.NIM and nim is not None and nim.runner is NimRunner.OPERATOR
