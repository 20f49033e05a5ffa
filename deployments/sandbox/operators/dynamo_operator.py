"""Dynamo's operator: a Deployment for each component of a graph, Services of frontends, scaling adapters, status.

Workers are rolled as the real operator does it: a change to any of them makes new Deployments for all, under a new
hash; old and new ones are scaled within the surge that the annotations allow, and the old ones go at the end. A
pod that crashes for ever leaves the graph `pending`, never `failed`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.sandbox.api import kinds, versions
from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.clock import stamp
from deployments.sandbox.nodes.podstatus import set_condition
from deployments.sandbox.nodes.pull_secrets import secrets_for
from deployments.sandbox.operators import dynamo_pods, dynamo_restart
from deployments.sandbox.operators.dynamo_adapters import Adapters
from deployments.sandbox.operators.dynamo_workers import Generation, balance
from deployments.sandbox.settings import Settings
from deployments.sandbox.workloads.pod_state import controller_of, terminating
from deployments.sandbox.workloads.revisions import owner_reference

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

GRAPHS = "dynamographdeployments"
MANAGER = "manager"
_CURRENT = "nvidia.com/current-worker-hash"
_NO_DISCOVERY = "nvidia.com/disable-image-pull-secret-discovery"
_NOT_READY = "Component deployment not ready - Available condition not true"
_BETA = kinds.on_shelf(GRAPHS)
_RETRY_SECONDS = 5.0


class DynamoOperator:
    """Everything that the operator keeps in order; `step` looks at nothing while the cluster stands still."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._adapters = Adapters(store)
        self._seen = -1
        self._due: datetime | None = None

    def step(self, now: datetime) -> datetime | None:
        """Bring every graph up to date; returns when one that was refused something is tried again."""
        if self._store.revision == self._seen and (self._due is None or now < self._due):
            return self._due
        self._seen, self._due = self._store.revision, None
        for stored in self._store.list(GRAPHS):
            if terminating(stored):
                continue
            self._adapters.reconcile(stored, now)
            live = self._store.get(GRAPHS, stored["metadata"]["namespace"], stored["metadata"]["name"])
            if live is not None:
                self._reconcile(live, now)
        return self._due

    def _reconcile(self, stored: Object, now: datetime) -> None:
        graph = versions.convert(_BETA, stored)
        meta, spec = graph["metadata"], graph.get("spec") or {}
        wanted = dynamo_pods.worker_hash(spec)
        current = self._current(graph, wanted)
        own = self._owned(graph)
        status = dict(graph.get("status") or {})
        failure = ""
        try:
            self._accounts(graph)
            restart = dynamo_restart.plan(graph, own)
            rolling = self._rolling(graph, own, current, wanted, status, now)
            self._components(graph, own, wanted, restart, rolling=rolling)
        except ApiError as refusal:
            failure = refusal.message
            self._due = now + self._settings.real(_RETRY_SECONDS)
        own = self._owned(graph)
        dynamo_restart.report(graph, own, status)
        self._report(graph, own, wanted, status, failure, now)
        place = (meta["namespace"], meta["name"])
        kind = kinds.written_as(GRAPHS, stored)
        told = versions.convert(kind, {**graph, "status": status}).get("status")
        self._store.update_status(GRAPHS, *place, lambda live: live.update(status=told))

    # What the graph consists of

    def _current(self, graph: Object, wanted: str) -> str:
        """The hash of the workers that serve, noted on the graph; the wanted one for a new graph."""
        noted = (graph["metadata"].get("annotations") or {}).get(_CURRENT, "")
        if not noted:
            self._note(graph, wanted)
        return noted or wanted

    def _note(self, graph: Object, generation: str) -> None:
        meta = graph["metadata"]

        def write(live: Object) -> None:
            live["metadata"].setdefault("annotations", {})[_CURRENT] = generation

        self._store.update(GRAPHS, meta["namespace"], meta["name"], write, manager=MANAGER)

    def _owned(self, graph: Object) -> dict[str, Object]:
        """The graph's Deployments by name."""
        meta = graph["metadata"]
        found = self._store.list("deployments", meta["namespace"], {dynamo_pods.GRAPH_LABEL: meta["name"]})
        return {each["metadata"]["name"]: each for each in found if controller_of(each) == meta["uid"]}

    def _accounts(self, graph: Object) -> None:
        name, namespace = dynamo_pods.account_of(graph), graph["metadata"]["namespace"]
        if self._store.get("serviceaccounts", namespace, name) is None:
            account = {"metadata": {"name": name, "ownerReferences": [owner_reference(graph)]}}
            self._store.create("serviceaccounts", namespace, account, MANAGER)

    def _rolling(
        self,
        graph: Object,
        own: dict[str, Object],
        current: str,
        wanted: str,
        status: dict[str, Any],
        now: datetime,
    ) -> bool:
        """Whether workers of two generations stand side by side; moves the phases of status.rollingUpdate."""
        phase = (status.get("rollingUpdate") or {}).get("phase")
        if current == wanted:
            for each in self._others(own, wanted):
                self._store.delete("deployments", each["metadata"]["namespace"], each["metadata"]["name"])
            if phase in ("Pending", "InProgress"):
                self._end(graph, wanted, status, now)
            return False
        if phase not in ("Pending", "InProgress"):
            status["rollingUpdate"] = {"phase": "Pending", "startTime": stamp(now)}
            self._say(
                graph,
                "RollingUpdateStarted",
                f"Starting rolling update from worker hash {current} to {wanted}",
            )
            return True
        workers = self._workers(graph)
        generations = {each["name"]: self._generations(graph, each, own, wanted) for each in workers}
        done = [
            each["name"]
            for each in workers
            if generations[each["name"]][1].available >= each.get("replicas", 1)
            and not generations[each["name"]][0].available
        ]
        if len(done) == len(workers):
            for each in self._others(own, wanted):
                self._store.delete("deployments", each["metadata"]["namespace"], each["metadata"]["name"])
            self._note(graph, wanted)
            self._end(graph, wanted, status, now)
            return False
        status["rollingUpdate"] = {
            **status["rollingUpdate"],
            "phase": "InProgress",
            **({"updatedComponents": sorted(done)} if done else {}),
        }
        return True

    def _end(self, graph: Object, wanted: str, status: dict[str, Any], now: datetime) -> None:
        status["rollingUpdate"] = {
            **status["rollingUpdate"],
            "phase": "Completed",
            "endTime": stamp(now),
            "updatedComponents": sorted(each["name"] for each in self._workers(graph)),
        }
        self._say(graph, "RollingUpdateCompleted", f"Rolling update completed, worker hash {wanted}")

    def _components(
        self, graph: Object, own: dict[str, Object], wanted: str, restart: dict[str, str], *, rolling: bool
    ) -> None:
        names = set()
        for component in (graph.get("spec") or {}).get("components") or []:
            worker = dynamo_pods.is_worker(component)
            replicas = int(component.get("replicas", 1))
            if worker and rolling:
                old, new = self._generations(graph, component, own, wanted)
                left, replicas = balance(old, new, replicas, dynamo_pods.pace(component, graph))
                self._shrink(own, component, wanted, left)
            names.add(self._sync(graph, component, wanted if worker else "", replicas, restart))
            if component.get("type") == "frontend":
                self._serve(graph, component)
        for name, each in own.items():
            if name not in names and dynamo_pods.HASH_LABEL not in each["metadata"]["labels"]:
                self._store.delete("deployments", each["metadata"]["namespace"], name)

    def _sync(
        self, graph: Object, component: Object, generation: str, replicas: int, restart: dict[str, str]
    ) -> str:
        namespace = graph["metadata"]["namespace"]
        template = component.get("podTemplate") or {}
        annotations = graph["metadata"].get("annotations") or {}
        images = [each.get("image", "") for each in (template.get("spec") or {}).get("containers") or []]
        found = (
            [] if annotations.get(_NO_DISCOVERY) == "true" else secrets_for(self._store, namespace, images)
        )
        restarted = restart.get(component["name"], "")
        wanted = dynamo_pods.deployment(graph, component, generation, replicas, restarted, found)
        name = str(wanted["metadata"]["name"])
        live = self._store.get("deployments", namespace, name)
        if live is None:
            wanted["metadata"]["ownerReferences"] = [owner_reference(graph)]
            self._store.create("deployments", namespace, wanted, MANAGER)
            return name

        def write(obj: Object) -> None:
            for field in ("replicas", "strategy", "template"):
                obj["spec"][field] = wanted["spec"][field]
            obj["metadata"]["labels"] = wanted["metadata"]["labels"]

        self._store.update("deployments", namespace, name, write, manager=MANAGER)
        return name

    def _serve(self, graph: Object, component: Object) -> None:
        wanted = dynamo_pods.service(graph, component)
        namespace, name = graph["metadata"]["namespace"], wanted["metadata"]["name"]
        if self._store.get("services", namespace, name) is None:
            wanted["metadata"]["ownerReferences"] = [owner_reference(graph)]
            self._store.create("services", namespace, wanted, MANAGER)

    # Generations of workers

    def _workers(self, graph: Object) -> list[Object]:
        components = (graph.get("spec") or {}).get("components") or []
        return [each for each in components if dynamo_pods.is_worker(each)]

    def _others(self, own: dict[str, Object], wanted: str) -> list[Object]:
        """Worker Deployments of other generations, newest first."""
        found = [
            each
            for each in own.values()
            if each["metadata"]["labels"].get(dynamo_pods.HASH_LABEL, wanted) != wanted
        ]
        return sorted(found, key=lambda each: each["metadata"]["creationTimestamp"], reverse=True)

    def _generations(
        self, graph: Object, component: Object, own: dict[str, Object], wanted: str
    ) -> tuple[Generation, Generation]:
        old, new = Generation(), Generation()
        for each in own.values():
            labels = each["metadata"]["labels"]
            if labels.get(dynamo_pods.COMPONENT_LABEL) != component["name"]:
                continue
            selector = each["spec"]["selector"]["matchLabels"]
            present = len(self._store.list("pods", each["metadata"]["namespace"], selector))
            part = Generation.of(each, present)
            if labels.get(dynamo_pods.HASH_LABEL) == wanted:
                new = new + part
            else:
                old = old + part
        return old, new

    def _shrink(self, own: dict[str, Object], component: Object, wanted: str, left: int) -> None:
        """Leave so many old workers; those of the newest old generation stay longest."""
        for each in self._others(own, wanted):
            if each["metadata"]["labels"].get(dynamo_pods.COMPONENT_LABEL) != component["name"]:
                continue
            size = min(left, each["spec"].get("replicas", 1))
            left -= size
            meta = each["metadata"]
            self._store.update(
                "deployments",
                meta["namespace"],
                meta["name"],
                lambda live, size=size: live["spec"].update(replicas=size),  # type: ignore[misc]
                manager=MANAGER,
            )

    # Status

    def _report(
        self,
        graph: Object,
        own: dict[str, Object],
        wanted: str,
        status: dict[str, Any],
        failure: str,
        now: datetime,
    ) -> None:
        status["components"], waiting = {}, []
        for component in (graph.get("spec") or {}).get("components") or []:
            mine = [
                each
                for each in own.values()
                if each["metadata"]["labels"].get(dynamo_pods.COMPONENT_LABEL) == component["name"]
            ]
            generation = wanted if dynamo_pods.is_worker(component) else None
            newest = [
                each for each in mine if each["metadata"]["labels"].get(dynamo_pods.HASH_LABEL) == generation
            ]
            status["components"][component["name"]] = _counts(mine, newest)
            waiting += [each["metadata"]["name"] for each in newest if not _is_ready(each)]
        phase = (status.get("rollingUpdate") or {}).get("phase")
        listed = "; ".join(f"{name}: {_NOT_READY}" for name in sorted(waiting))
        if failure:
            message = f"failed to reconcile Dynamo components deployments: {failure}"
            verdict = ("failed", "failed_to_reconcile_the_resources", message)
        elif phase in ("Pending", "InProgress"):
            verdict = ("pending", "rolling_update_in_progress", "Rolling update in progress")
        elif waiting:
            verdict = ("pending", "some_resources_are_not_ready", f"Resources not ready: {listed}")
        else:
            verdict = ("successful", "all_resources_are_ready", "All resources are ready")
        status["state"] = verdict[0]
        if not failure:
            status["observedGeneration"] = graph["metadata"].get("generation", 1)
        status["conditions"] = [dict(each) for each in status.get("conditions") or []]
        set_condition(status, "Ready", verdict[0] == "successful", now, verdict[1], verdict[2])
        for condition in status["conditions"]:
            condition.pop("lastProbeTime", None)

    def _say(self, graph: Object, reason: str, message: str) -> None:
        self._store.record_event(graph, "Normal", reason, message, source="dynamographdeployment")


def _counts(all_: list[Object], newest: list[Object]) -> dict[str, Any]:
    def total(objects: list[Object], field: str) -> int:
        return sum(int((each.get("status") or {}).get(field, 0)) for each in objects)

    return {
        "componentKind": "Deployment",
        "componentNames": sorted(each["metadata"]["name"] for each in all_),
        "replicas": total(all_, "replicas"),
        "updatedReplicas": total(newest, "updatedReplicas"),
        "readyReplicas": total(all_, "readyReplicas"),
        "availableReplicas": total(all_, "availableReplicas"),
    }


def _is_ready(deployment: Object) -> bool:
    """As the operator judges a Deployment: seen, updated, available; one of no replicas is ready."""
    return dynamo_restart.is_settled(deployment)
