"""Which nodes a pod may run on at all: tolerations, node selector, required node affinity.

Pure functions over the objects; the arithmetic of resources is the scheduler's.
"""

from __future__ import annotations

from typing import Any


def tolerates(tolerations: list[dict[str, Any]], taint: dict[str, Any]) -> bool:
    """Whether one of a pod's tolerations lets it onto a node with this taint."""
    return any(_matches(toleration, taint) for toleration in tolerations)


def selects(spec: dict[str, Any], node: dict[str, Any]) -> bool:
    """Whether a pod spec's nodeSelector and required node affinity accept a node."""
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    name = node["metadata"]["name"]
    return any(_term(term, labels, name) for term in required.get("nodeSelectorTerms") or [])


def _matches(toleration: dict[str, Any], taint: dict[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def _term(term: dict[str, Any], labels: dict[str, str], name: str) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    return all(_expression(each, labels) for each in expressions) and all(
        _expression(each, {"metadata.name": name}) for each in fields
    )


def _expression(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" if (
            value is not None and value.isdecimal() and len(values) == 1 and values[0].isdecimal()
        ):
            larger = int(value) > int(values[0])
            return larger if expression["operator"] == "Gt" else int(value) < int(values[0])
        case _:
            return False
