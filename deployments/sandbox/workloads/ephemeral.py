"""Generic ephemeral volumes: a claim `<pod>-<volume>` for each, which comes and goes with its pod."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.api.json_tree import clone
from deployments.sandbox.workloads.pod_state import controller_of, terminating
from deployments.sandbox.workloads.revisions import owner_reference

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

_SOURCE = "ephemeral_volume"


class EphemeralVolumes:
    """Makes the claims of pods that ask for such volumes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = -1
        # What was said of each pod, so that it is said once.
        self._told: dict[str, set[str]] = {}

    def step(self, now: datetime) -> datetime | None:
        """Make every claim that is missing; nothing here waits for a time."""
        if self._store.revision == self._seen:
            return None
        self._seen = self._store.revision
        pods = self._store.list("pods")
        alive = {pod["metadata"]["uid"] for pod in pods}
        self._told = {uid: told for uid, told in self._told.items() if uid in alive}
        for pod in pods:
            if terminating(pod):
                continue
            for volume in pod["spec"].get("volumes") or []:
                if volume.get("ephemeral"):
                    self._ensure(pod, volume)
        return None

    def _ensure(self, pod: Object, volume: dict[str, Any]) -> None:
        meta = pod["metadata"]
        name = f"{meta['name']}-{volume['name']}"
        present = self._store.get("persistentvolumeclaims", meta["namespace"], name)
        if present is not None:
            if controller_of(present) != meta["uid"]:
                self._say(pod, f'PVC "{meta["namespace"]}/{name}" was not created for pod "{meta["name"]}"')
            return
        template = clone(volume["ephemeral"]["volumeClaimTemplate"])
        given = template.get("metadata") or {}
        metadata = {field: given[field] for field in ("labels", "annotations") if given.get(field)}
        claim = {
            "metadata": {"name": name, **metadata, "ownerReferences": [owner_reference(pod)]},
            "spec": template.get("spec") or {},
        }
        try:
            self._store.create("persistentvolumeclaims", meta["namespace"], claim, "kube-controller-manager")
        except ApiError as refusal:
            self._say(pod, f"ephemeral volume {volume['name']}: create PVC {name}: {refusal.message}")

    def _say(self, pod: Object, message: str) -> None:
        told = self._told.setdefault(pod["metadata"]["uid"], set())
        if message not in told:
            told.add(message)
            self._store.record_event(pod, "Warning", "FailedBinding", message, source=_SOURCE)
