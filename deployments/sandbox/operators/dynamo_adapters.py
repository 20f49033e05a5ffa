"""Scaling adapters of a graph: one for each component that asks for it; whoever scales the adapter scales the
component.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.sandbox.api import kinds, versions
from deployments.sandbox.clock import stamp
from deployments.sandbox.operators import dynamo_pods
from deployments.sandbox.workloads.pod_state import controller_of
from deployments.sandbox.workloads.revisions import owner_reference

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

ADAPTERS = "dynamographdeploymentscalingadapters"
_GRAPHS = "dynamographdeployments"
_MANAGER = "manager"


class Adapters:
    """Makes, follows and removes the adapters."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def reconcile(self, graph: Object, now: datetime) -> None:
        """Bring the adapters of one graph up to date, and its counts up to theirs."""
        beta = versions.convert(kinds.on_shelf(_GRAPHS), graph)
        meta = beta["metadata"]
        present = {
            each["metadata"]["name"]: each
            for each in self._store.list(ADAPTERS, meta["namespace"])
            if controller_of(each) == meta["uid"]
        }
        for component in (beta.get("spec") or {}).get("components") or []:
            if "scalingAdapter" not in component:
                continue
            name = dynamo_pods.name_of(meta["name"], component["name"])
            adapter = present.pop(name, None) or self._make(beta, component, name)
            self._follow(graph, component, adapter, now)
        for name in present:
            self._store.delete(ADAPTERS, meta["namespace"], name)

    def _make(self, graph: Object, component: Object, name: str) -> Object:
        meta = graph["metadata"]
        labels = {dynamo_pods.GRAPH_LABEL: meta["name"], dynamo_pods.COMPONENT_LABEL: component["name"]}
        adapter = {
            "metadata": {"name": name, "labels": labels, "ownerReferences": [owner_reference(graph)]},
            "spec": {
                "replicas": component.get("replicas", 1),
                "dgdRef": {"name": meta["name"], "componentName": component["name"]},
            },
        }
        return self._store.create(ADAPTERS, meta["namespace"], adapter, _MANAGER)

    def _follow(self, graph: Object, component: Object, adapter: Object, now: datetime) -> None:
        meta, own = graph["metadata"], adapter["metadata"]
        wanted, before = adapter["spec"]["replicas"], component.get("replicas", 1)
        if wanted != before:
            self._store.update(
                _GRAPHS,
                meta["namespace"],
                meta["name"],
                lambda live: _set_replicas(live, component["name"], wanted),
                manager=_MANAGER,
            )
            message = f"Scaled component {component['name']} from {before} to {wanted} replicas"
            self._store.record_event(adapter, "Normal", "Scaled", message, source="dgdsa-controller")
        selector = (
            f"{dynamo_pods.COMPONENT_LABEL}={component['name']},{dynamo_pods.GRAPH_LABEL}={meta['name']}"
        )

        def write(live: Object) -> None:
            status = live.setdefault("status", {})
            status |= {"replicas": wanted, "selector": selector}
            if wanted != before:
                status["lastScaleTime"] = stamp(now)

        self._store.update_status(ADAPTERS, own["namespace"], own["name"], write)


def _set_replicas(graph: dict[str, Any], component: str, replicas: int) -> None:
    """In the version in which the graph is written."""
    spec = graph["spec"]
    for each in spec.get("components") or []:
        if each["name"] == component:
            each["replicas"] = replicas
    if component in (spec.get("services") or {}):
        spec["services"][component]["replicas"] = replicas
