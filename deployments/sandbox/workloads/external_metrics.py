"""How many replicas an external metric asks for, by the rules of the upstream replica calculator."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from deployments.quantity import parse
from deployments.sandbox.workloads.resource_metrics import MetricError, Reading

_TOLERANCE = Decimal("0.1")
# (namespace, name of the metric, labels of its selector) -> value; raises LookupError with the reason.
Source = Callable[[str, str, dict[str, str]], Decimal]


def propose(source: Source, namespace: str, metric: dict[str, Any], current: int, ready: int) -> Reading:
    """The replica count for one external metric of an HPA. Raises MetricError."""
    identity, target = metric["external"]["metric"], metric["external"]["target"]
    labels = (identity.get("selector") or {}).get("matchLabels") or {}
    shown = _shown(labels)
    try:
        value = source(namespace, identity["name"], labels)
    except LookupError as error:
        asked = f"unable to get external metric {namespace}/{identity['name']}/{shown}"
        fetched = "unable to fetch metrics from external metrics API"
        raise MetricError("FailedGetExternalMetric", f"{asked}: {fetched}: {error.args[0]}") from None
    name = f"external metric {identity['name']}({shown})"
    if "averageValue" in target:
        wanted = parse(str(target["averageValue"]))
        ratio = value / (wanted * current)
        desired = current if abs(ratio - 1) <= _TOLERANCE else math.ceil(value / wanted)
        told = {"averageValue": _quantity(value / current)}
    else:
        wanted = parse(str(target["value"]))
        ratio = value / wanted
        desired = current if abs(ratio - 1) <= _TOLERANCE else math.ceil(ratio * ready)
        told = {"value": _quantity(value)}
    return Reading(name, desired, {"type": "External", "external": {"metric": identity, "current": told}})


def _quantity(value: Decimal) -> str:
    milli = math.ceil(value * 1000)
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def _shown(labels: dict[str, str]) -> str:
    """A selector as Go prints it."""
    pairs = "".join(f"{key}: {value}," for key, value in sorted(labels.items()))
    labelled = f"MatchLabels:map[string]string{{{pairs}}}"
    return f"&LabelSelector{{{labelled},MatchExpressions:[]LabelSelectorRequirement{{}},}}"
