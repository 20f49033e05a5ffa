"""NIMs for tests: what the console renders, put into the sandbox."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from deployments.context import ClusterOffers, RenderContext
from deployments.manifests import render
from deployments.sandbox.api.kinds import KINDS
from deployments.spec import DeploymentSpec
from tests.deployments.manifests.nim_cases import CASES
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster

_PLURALS = {(kind.api_version, kind.kind): kind.plural for kind in KINDS}
WORKLOAD = "md-llama-8b"


def apply(cluster: Cluster, spec: DeploymentSpec, context: RenderContext) -> list[dict[str, Any]]:
    """Render, and create what is missing; the objects."""
    context = replace(context, offers=ClusterOffers(nim_operator=True))
    rendered: list[Any] = list(render(spec, context))
    for obj in rendered:
        plural = _PLURALS[obj["apiVersion"], obj["kind"]]
        name = obj["metadata"]["name"]
        if cluster.store.get(plural, NAMESPACE, name) is None:
            cluster.store.create(plural, NAMESPACE, obj, manager="slipway")
        else:
            cluster.store.update(
                plural,
                NAMESPACE,
                name,
                lambda live, obj=obj: live.update(_without_meta(obj)),
                manager="slipway",
            )
    return rendered


def apply_case(cluster: Cluster, case: str) -> list[dict[str, Any]]:
    """One of the deployments whose golden files exist."""
    return apply(cluster, *CASES[case])


def engine(cluster: Cluster) -> tuple[str, str]:
    """Pod and container of the only replica."""
    (pod,) = cluster.pods()
    return pod, cluster.pod(pod)["spec"]["containers"][0]["name"]


def log(cluster: Cluster) -> str:
    """What the only replica wrote, the run before included."""
    pod, container = engine(cluster)
    lines = cluster.store.logs.lines(NAMESPACE, pod, container, previous=True)
    return "\n".join([*lines, *cluster.store.logs.lines(NAMESPACE, pod, container)])


def _without_meta(obj: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in obj.items() if key in ("spec", "data", "stringData")}
