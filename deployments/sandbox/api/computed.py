"""Resources that are not stored: use of CPU and memory (metrics.k8s.io) and the reviews of what one may do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from deployments import quantity
from deployments.sandbox.api.kinds import Kind
from deployments.sandbox.clock import stamp
from deployments.sandbox.store import Object, Store

_WINDOW = "15s"


def list_(store: Store, kind: Kind, namespace: str | None) -> list[Object]:
    """All objects of a metrics kind."""
    if kind.kind == "NodeMetrics":
        return [_node(store, node) for node in store.list("nodes")]
    pods = (_pod(store, pod) for pod in store.list("pods", namespace))
    return [pod for pod in pods if pod is not None]


def get(store: Store, kind: Kind, namespace: str | None, name: str) -> Object | None:
    """One object of a metrics kind."""
    if kind.kind == "NodeMetrics":
        node = store.get("nodes", None, name)
        return _node(store, node) if node else None
    pod = store.get("pods", namespace, name)
    return _pod(store, pod) if pod else None


def review(kind: Kind, body: Any) -> Object:
    """The answer to a self-review: whoever holds the token may do everything."""
    spec = body.get("spec") if isinstance(body, dict) else None
    if kind.kind == "SelfSubjectRulesReview":
        everything = ["*"]
        status: dict[str, Any] = {
            "incomplete": False,
            "resourceRules": [{"verbs": everything, "apiGroups": everything, "resources": everything}],
            "nonResourceRules": [{"verbs": everything, "nonResourceURLs": everything}],
        }
    else:
        status = {"allowed": True, "reason": "the holder of the sandbox token may do everything"}
    return {
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        "metadata": {},
        "spec": spec or {},
        "status": status,
    }


def _pod(store: Store, pod: Object) -> Object | None:
    meta = pod["metadata"]
    used = store.usage.get((meta["namespace"], meta["name"]))
    if not used:
        return None
    return {
        "kind": "PodMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": meta.get("labels") or {},
            "creationTimestamp": stamp(store.now()),
        },
        "timestamp": stamp(store.now()),
        "window": _WINDOW,
        "containers": [{"name": container, "usage": dict(usage)} for container, usage in used.items()],
    }


def _node(store: Store, node: Object) -> Object:
    name = node["metadata"]["name"]
    cpu, memory = Decimal("0.15"), Decimal(2 * quantity.GIBI)
    for pod in store.list("pods"):
        if pod["spec"].get("nodeName") != name:
            continue
        for usage in store.usage.get((pod["metadata"]["namespace"], pod["metadata"]["name"]), {}).values():
            cpu += quantity.parse(usage.get("cpu", "0"))
            memory += quantity.parse(usage.get("memory", "0"))
    return {
        "kind": "NodeMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {
            "name": name,
            "labels": node["metadata"].get("labels") or {},
            "creationTimestamp": stamp(store.now()),
        },
        "timestamp": stamp(store.now()),
        "window": _WINDOW,
        "usage": {"cpu": f"{int(cpu * 1000)}m", "memory": f"{int(memory) // 1024}Ki"},
    }
