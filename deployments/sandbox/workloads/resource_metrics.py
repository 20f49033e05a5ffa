"""How many replicas one resource metric asks for.

The rules of the upstream replica calculator: pods that are not ready count as idle when it would scale up, pods
without a sample count as idle on the way up and as exactly at target on the way down.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from deployments.quantity import parse

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

_TOLERANCE = Decimal("0.1")


class MetricError(Exception):
    """A metric that cannot be computed, with the reason of the condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric's proposal; `name` is how the HPA speaks of it, `status` its entry of currentMetrics."""

    name: str
    desired: int
    status: dict[str, Any]


def propose(store: Store, pods: list[Object], metric: dict[str, Any], current: int, now: datetime) -> Reading:
    """The replica count for one metric of an HPA. Raises MetricError."""
    if metric.get("type") != "Resource":
        raise MetricError("InvalidMetricSourceType", f"unsupported metric source type {metric.get('type')!r}")
    resource = metric["resource"]["name"]
    target = metric["resource"]["target"]
    living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp") and _phase(pod) != "Failed"]
    used, unready, missing = _samples(store, living, resource)
    if not used:
        problem = (
            f"unable to get metrics for resource {resource}: no metrics returned from resource metrics API"
        )
        raise MetricError("FailedGetResourceMetric", f"failed to get {resource} utilization: {problem}")
    by_request = target.get("type") == "Utilization"
    per_pod = (
        {name: _request(pod, resource) for pod in living if (name := pod["metadata"]["name"])}
        if by_request
        else {}
    )
    wanted = Decimal(target["averageUtilization"]) / 100 if by_request else parse(str(target["averageValue"]))

    def ratio(values: dict[str, Decimal]) -> Decimal:
        weight = sum((per_pod[name] for name in values), Decimal(0)) if by_request else Decimal(len(values))
        return sum(values.values(), Decimal(0)) / weight / wanted

    desired = _desired(used, unready, missing, current, ratio, per_pod, wanted)
    average = sum(used.values(), Decimal(0)) / len(used)
    shown: dict[str, Any] = {"averageValue": _quantity(resource, average)}
    if by_request:
        asked = sum((per_pod[name] for name in used), Decimal(0))
        shown["averageUtilization"] = int(sum(used.values(), Decimal(0)) * 100 / asked)
    name = (
        f"{resource} resource utilization (percentage of request)" if by_request else f"{resource} resource"
    )
    return Reading(name, desired, {"type": "Resource", "resource": {"name": resource, "current": shown}})


def _desired(
    used: dict[str, Decimal],
    unready: list[str],
    missing: list[str],
    current: int,
    ratio: Callable[[dict[str, Decimal]], Decimal],
    per_pod: dict[str, Decimal],
    wanted: Decimal,
) -> int:
    first = ratio(used)
    rebalance = [*missing] + (unready if first > 1 else [])
    if not rebalance:
        if abs(first - 1) <= _TOLERANCE:
            return current
        return math.ceil(first * len(used))
    filled = dict(used)
    for name in missing:
        filled[name] = Decimal(0) if first > 1 else wanted * per_pod.get(name, Decimal(1))
    if first > 1:
        filled |= {name: Decimal(0) for name in unready}
    second = ratio(filled)
    if abs(second - 1) <= _TOLERANCE or (first > 1) != (second > 1):
        return current
    desired = math.ceil(second * len(filled))
    if (second < 1 and desired > current) or (second > 1 and desired < current):
        return current
    return desired


def _samples(
    store: Store, pods: list[Object], resource: str
) -> tuple[dict[str, Decimal], list[str], list[str]]:
    """Use of the pods that count, names of those that are not ready, names of those without a sample."""
    used: dict[str, Decimal] = {}
    unready, missing = [], []
    for pod in pods:
        name = pod["metadata"]["name"]
        sample = store.usage.get((pod["metadata"]["namespace"], name))
        if _phase(pod) != "Running" or (resource == "cpu" and not _ready(pod)):
            unready.append(name)
        elif sample is None:
            missing.append(name)
        else:
            used[name] = sum((parse(each[resource]) for each in sample.values()), Decimal(0))
    return used, unready, missing


def _request(pod: Object, resource: str) -> Decimal:
    total = Decimal(0)
    for container in pod["spec"].get("containers") or []:
        resources = container.get("resources") or {}
        text = (resources.get("requests") or {}).get(resource) or (resources.get("limits") or {}).get(
            resource
        )
        if text is None or not parse(str(text)):
            where = f"container {container['name']} of Pod {pod['metadata']['name']}"
            problem = f"failed to get {resource} utilization: missing request for {resource} in {where}"
            raise MetricError("FailedGetResourceMetric", problem)
        total += parse(str(text))
    return total


def _quantity(resource: str, value: Decimal) -> str:
    return f"{int(value * 1000)}m" if resource == "cpu" else str(int(value))


def _phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def _ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
