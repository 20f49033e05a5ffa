"""Dynamo's graphs on a sandbox cluster whose clock is moved by hand."""

from __future__ import annotations

from typing import Any

from deployments.context import RenderContext
from deployments.manifests import render
from deployments.sandbox.api import kinds, versions
from deployments.sandbox.api.server_side import apply as merge
from deployments.spec import DeploymentSpec
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster

NAME = "md-qwen--graph"
GRAPHS, ADAPTERS = "dynamographdeployments", "dynamographdeploymentscalingadapters"
_KINDS = {(kind.api_version, kind.kind): kind for kind in kinds.KINDS}


def apply(cluster: Cluster, spec: DeploymentSpec, context: RenderContext) -> None:
    """Server-side apply of everything that the console renders."""
    for document in render(spec, context):
        wanted: Any = document
        kind = _KINDS[wanted["apiVersion"], wanted["kind"]]
        live = cluster.store.get(kind.store, NAMESPACE, wanted["metadata"]["name"])
        merged = merge(kind.store, live, wanted, manager="slipway", force=True, moment="2026-11-23T09:00:00Z")
        if live is None:
            cluster.store.create(kind.store, NAMESPACE, merged, "slipway", operation="Apply")
        else:
            merged["status"] = live.get("status")
            cluster.store.replace(kind.store, live, merged, track=False)


def graph(cluster: Cluster) -> dict[str, Any]:
    """The graph as v1beta1 shows it."""
    found = cluster.store.get(GRAPHS, NAMESPACE, NAME)
    assert found is not None
    return versions.convert(kinds.on_shelf(GRAPHS), found)


def status(cluster: Cluster) -> dict[str, Any]:
    return dict(graph(cluster).get("status") or {})


def ready(cluster: Cluster) -> tuple[str, str]:
    """Reason and message of the one condition."""
    (condition,) = status(cluster)["conditions"]
    return condition["reason"], condition["message"]


def workers(cluster: Cluster) -> dict[str, int]:
    """Replicas of the graph's Deployments by name, without those of the frontend."""
    return {
        each["metadata"]["name"].removeprefix(f"{NAME}-"): each["spec"]["replicas"]
        for each in cluster.store.list("deployments", NAMESPACE)
        if "frontend" not in each["metadata"]["name"]
    }


def pods(cluster: Cluster, role: str) -> list[dict[str, Any]]:
    return cluster.store.list("pods", NAMESPACE, {"slipway/role": role})


def log(cluster: Cluster, pod: dict[str, Any]) -> str:
    """What the main container wrote, the run before included."""
    name = pod["metadata"]["name"]
    before = cluster.store.logs.lines(NAMESPACE, name, "main", previous=True)
    return "\n".join([*before, *cluster.store.logs.lines(NAMESPACE, name, "main")])
