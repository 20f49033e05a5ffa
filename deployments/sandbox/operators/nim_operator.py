"""NVIDIA's NIM Operator: keeps the children of every NIMService as its spec says, and tells their state.

It compares the hash of the spec, not the children, so a hand-made change of a child stays until the spec changes;
only the number of replicas is set back. It never fails a NIMService for pods that crash: they stay `NotReady`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.clock import earliest
from deployments.sandbox.nodes.podstatus import set_condition
from deployments.sandbox.operators import nim_children
from deployments.sandbox.settings import Settings
from deployments.sandbox.workloads.pod_state import terminating, version
from deployments.sandbox.workloads.revisions import owner_reference

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

MANAGER = "k8s-nim-operator"
_RETRY_SECONDS = 5.0
# Objects of the NIMService's name that the operator removes when it was not told to make them, whoever made them.
_UNWANTED = ("ingresses", "httproutes")
_NO_STORAGE = "neither external PVC name, NIMCache volume, empty dir or local host path should be provided"


class NimOperator:
    """Drives every NIMService; `step` looks only at those that changed, or whose children did."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._seen: dict[str, tuple[str, ...]] = {}
        self._due: dict[str, datetime] = {}

    def step(self, now: datetime) -> datetime | None:
        """One pass; returns when the earliest service wants to be looked at again."""
        services = self._store.list("nimservices")
        for service in services:
            uid = service["metadata"]["uid"]
            seen = (version(service), *self._children(service))
            due = self._due.get(uid)
            if terminating(service) or (seen == self._seen.get(uid) and (due is None or now < due)):
                continue
            self._due.pop(uid, None)
            try:
                self._sync(service, now)
            except ApiError as refusal:
                message = f"NIMService {service['metadata']['name']} failed, msg: {refusal.message}"
                self._say(service, "Warning", "Failed", message)
                self._due[uid] = now + self._settings.real(_RETRY_SECONDS)
            self._seen[uid] = seen
        uids = {service["metadata"]["uid"] for service in services}
        for memory in (self._seen, self._due):
            for uid in memory.keys() - uids:
                del memory[uid]
        return earliest(self._due.values())

    def _children(self, service: Object) -> list[str]:
        meta = service["metadata"]
        found = (
            self._store.get(plural, meta["namespace"], meta["name"])
            for plural in ("deployments", "services", "horizontalpodautoscalers", *_UNWANTED)
        )
        claim = self._store.get("persistentvolumeclaims", meta["namespace"], nim_children.claim_name(service))
        return [version(each) if each else "" for each in (*found, claim)]

    def _sync(self, service: Object, now: datetime) -> None:
        meta, spec = service["metadata"], service["spec"]
        place = (meta["namespace"], meta["name"])
        if self._store.get("serviceaccounts", *place) is None:
            self._make("serviceaccounts", service, {"metadata": {"name": meta["name"]}})
        self._keep("services", service, nim_children.service_object(service))
        for plural in _UNWANTED:
            self._remove(plural, place)
        if nim_children.is_scaled(spec):
            self._keep("horizontalpodautoscalers", service, nim_children.autoscaler(service))
        else:
            self._remove("horizontalpodautoscalers", place)
        storage = spec.get("storage") or {}
        cache = (storage.get("nimCache") or {}).get("name")
        if cache:
            # Nobody makes caches here.
            self._fail(service, "NIMCacheNotFound", f"NIMCache {cache} not found", now)
            return
        if (
            not nim_children.claim_name(service)
            and storage.get("emptyDir") is None
            and not storage.get("hostPath")
        ):
            raise ApiError(422, _NO_STORAGE)
        if (storage.get("pvc") or {}).get("create"):
            name = nim_children.claim_name(service)
            if self._store.get("persistentvolumeclaims", meta["namespace"], name) is None:
                self._make("persistentvolumeclaims", service, nim_children.claim(service))
        self._keep("deployments", service, nim_children.deployment(service))
        self._tell(service, now)

    def _keep(self, plural: str, service: Object, wanted: dict[str, Any]) -> None:
        """Make a child, or rewrite it where it was made of another spec."""
        place = (service["metadata"]["namespace"], wanted["metadata"]["name"])
        live = self._store.get(plural, *place)
        if live is None:
            self._make(plural, service, wanted)
            return
        scaled = nim_children.is_scaled(service["spec"])
        counted = plural == "deployments"
        drifted = counted and not scaled and live["spec"].get("replicas") != wanted["spec"]["replicas"]
        made_of = (live["metadata"].get("annotations") or {}).get(nim_children.PARENT_HASH)
        if made_of == nim_children.parent_hash(service) and not drifted:
            return
        if counted and scaled:
            wanted["spec"]["replicas"] = live["spec"].get("replicas", 1)

        def rewrite(child: Object) -> None:
            child["spec"] = wanted["spec"]
            for field in ("labels", "annotations", "ownerReferences"):
                child["metadata"][field] = wanted["metadata"][field]

        self._store.update(plural, *place, rewrite, manager=MANAGER)

    def _make(self, plural: str, service: Object, wanted: dict[str, Any]) -> None:
        wanted["metadata"].setdefault("ownerReferences", [owner_reference(service)])
        self._store.create(plural, service["metadata"]["namespace"], wanted, MANAGER)

    def _remove(self, plural: str, place: tuple[str, str]) -> None:
        live = self._store.get(plural, *place)
        if live is not None and not terminating(live):
            self._store.delete(plural, *place)

    # What it says

    def _tell(self, service: Object, now: datetime) -> None:
        meta = service["metadata"]
        live = self._store.get("deployments", meta["namespace"], meta["name"])
        if live is None:
            return
        message, ready = _judge(live)
        state = "Ready" if ready else "NotReady"

        def write(status: dict[str, Any]) -> None:
            status["state"] = state
            _condition(status, "Ready", ready, now, state, message)
            _condition(status, "Failed", False, now, "Ready", "" if ready else message)
            if ready:
                status["model"] = self._model(service)

        if self._write(service, write):
            verb = "ready" if ready else "not ready"
            self._say(service, "Normal", state, f"NIMService {meta['name']} {verb}, msg: {message}")

    def _fail(self, service: Object, reason: str, message: str, now: datetime) -> None:
        def write(status: dict[str, Any]) -> None:
            status["state"] = "Failed"
            _condition(status, "Ready", False, now, "Failed", "")
            _condition(status, "Failed", True, now, reason, message)

        if self._write(service, write):
            self._say(service, "Warning", "Failed", message)

    def _model(self, service: Object) -> dict[str, str]:
        meta, spec = service["metadata"], service["spec"]
        found = self._store.get("services", meta["namespace"], meta["name"]) or {"spec": {}}
        named = {each.get("name"): each.get("value", "") for each in spec.get("env") or []}
        path = spec["image"]["repository"].split("/nim/", 1)[-1]
        endpoint = f"{found['spec'].get('clusterIP', '')}:{nim_children.port_of(spec)}"
        name = named.get("NIM_SERVED_MODEL_NAME") or path
        return {"name": name, "clusterEndpoint": endpoint, "externalEndpoint": ""}

    def _write(self, service: Object, write: Any) -> bool:
        """Change the status; whether anything changed."""
        meta = service["metadata"]
        before = service.get("status")
        after = self._store.update_status(
            "nimservices", meta["namespace"], meta["name"], lambda live: write(live.setdefault("status", {}))
        )
        return after is not None and after.get("status") != before

    def _say(self, service: Object, type_: str, reason: str, message: str) -> None:
        self._store.record_event(service, type_, reason, message, source="nimservice-controller")


def _judge(live: Object) -> tuple[str, bool]:
    """What the operator says of its Deployment, and whether that is ready."""
    name, status = live["metadata"]["name"], live.get("status") or {}
    wanted = live["spec"].get("replicas", 1)
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if not wanted:
        return f'deployment "{name}" is scaled down', False
    late = any(each.get("reason") == "ProgressDeadlineExceeded" for each in status.get("conditions") or [])
    if late:
        return f'deployment "{name}" exceeded its progress deadline', False
    waiting = f'Waiting for deployment "{name}" rollout to finish:'
    if updated < wanted:
        return f"{waiting} {updated} out of {wanted} new replicas have been updated...\n", False
    if available < updated:
        return f"{waiting} {available} of {updated} updated replicas are available...\n", False
    return f'deployment "{name}" successfully rolled out\n', True


def _condition(
    status: dict[str, Any], kind: str, value: bool, now: datetime, reason: str, message: str
) -> None:
    set_condition(status, kind, value, now, reason, message)
    for condition in status["conditions"]:
        if condition["type"] == kind:
            condition.pop("lastProbeTime", None)
            condition.setdefault("message", "")
