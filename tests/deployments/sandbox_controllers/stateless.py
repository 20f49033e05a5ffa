"""Deployments for tests: the same engine as `cluster.workload` without a volume of its own."""

from __future__ import annotations

from typing import Any

from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster, workload


def deployment(
    name: str = "web", *, strategy: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """A Deployment; `changes` are those of `workload`."""
    made = workload(name, **changes)
    spec = made["spec"]
    del spec["volumeClaimTemplates"], spec["serviceName"], spec["podManagementPolicy"]
    engine = spec["template"]["spec"]["containers"][0]
    engine["volumeMounts"] = [mount for mount in engine["volumeMounts"] if mount["name"] != "data"]
    if strategy is not None:
        spec["strategy"] = strategy
    return {**made, "kind": "Deployment"}


def rolling(surge: int | str, missing: int | str) -> dict[str, Any]:
    """A rolling strategy."""
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": missing}}


def apply(cluster: Cluster, name: str = "web", **changes: Any) -> None:
    """Create the Deployment, or replace its spec as an apply would."""
    wanted = deployment(name, **changes)
    if cluster.store.get("deployments", NAMESPACE, name) is None:
        cluster.store.create("deployments", NAMESPACE, wanted)
        return
    cluster.store.update("deployments", NAMESPACE, name, lambda live: live["spec"].update(wanted["spec"]))


def live(cluster: Cluster, name: str = "web") -> dict[str, Any]:
    """The stored Deployment."""
    found = cluster.store.get("deployments", NAMESPACE, name)
    assert found is not None, f"there is no deployment {name}"
    return found


def condition(cluster: Cluster, kind: str, name: str = "web") -> dict[str, Any]:
    """One of its conditions; empty when it has none of that kind."""
    conditions = live(cluster, name)["status"].get("conditions") or []
    return next((each for each in conditions if each["type"] == kind), {})


def sets(cluster: Cluster) -> list[dict[str, Any]]:
    """All ReplicaSets, by revision."""
    found = cluster.store.list("replicasets", NAMESPACE)
    return sorted(
        found, key=lambda each: int(each["metadata"]["annotations"]["deployment.kubernetes.io/revision"])
    )


def sizes(cluster: Cluster) -> list[int]:
    """How many pods each ReplicaSet wants, oldest revision first."""
    return [each["spec"]["replicas"] for each in sets(cluster)]


def ready(cluster: Cluster) -> list[str]:
    """Names of the ready pods."""
    return [name for name in cluster.pods() if cluster.ready(name)]
