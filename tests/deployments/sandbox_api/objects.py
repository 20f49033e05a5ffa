"""Small valid objects for the tests of the sandbox's API."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from deployments.sandbox.store import Store

MOMENT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def statefulset(name: str = "engine", **spec: Any) -> dict[str, Any]:
    """A StatefulSet of one container."""
    labels = {"app": name}
    body: dict[str, Any] = {
        "serviceName": name,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container()]}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "labels": labels},
        "spec": body | spec,
    }


def container(name: str = "engine", **fields: Any) -> dict[str, Any]:
    """A container."""
    return {"name": name, "image": "vllm/vllm-openai:v0.33.0"} | fields


def pod(name: str = "pod", *, owner: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A pod, controlled by `owner` if one is given."""
    metadata: dict[str, Any] = {"name": name, "labels": {"app": name}}
    if owner is not None:
        metadata["ownerReferences"] = [owned_by(owner)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [container()]} | spec,
    }


def owned_by(owner: dict[str, Any]) -> dict[str, Any]:
    """An ownerReference to a stored object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def configmap(name: str = "settings", **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"a": "1"}}


def claim(name: str = "data", size: str = "10Gi", **spec: Any) -> dict[str, Any]:
    """A volume claim."""
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": body | spec,
    }


def store() -> Store:
    """An empty store with the namespace `models` and a clock that stands still."""
    made = Store(lambda: MOMENT)
    made.create("namespaces", None, {"metadata": {"name": "models"}})
    return made


def changed(obj: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of an object with one field replaced; the path has dots, numbers index lists, None removes."""
    copy = deepcopy(obj)
    node: Any = copy
    *steps, last = path.split(".")
    for step in steps:
        node = node[int(step)] if step.isdigit() else node.setdefault(step, {})
    if value is None:
        del node[last]
    else:
        node[int(last) if last.isdigit() else last] = value
    return copy
