"""Persistent volumes: claims are bound to new volumes, grow where their class allows it, and vanish with their
claim.

A claim of a `WaitForFirstConsumer` class stays Pending until the scheduler has chosen a node for a pod that
mounts it (`bind`); the others are bound as soon as they are seen. A class that does not exist leaves the claim
Pending with a `ProvisioningFailed` event, as the provisioner of a real cluster would.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from deployments.quantity import parse

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

SELECTED_NODE = "volume.kubernetes.io/selected-node"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class Volumes:
    """The volume controller, the provisioner and the resizer in one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[str, str] = {}

    def step(self, now: datetime) -> datetime | None:
        """Do whatever can be done now; nothing here waits for a time."""
        claims = self._store.list("persistentvolumeclaims")
        for claim in claims:
            self._step_claim(claim)
        held = {claim["metadata"]["uid"] for claim in claims}
        for volume in self._store.list("persistentvolumes"):
            if volume["spec"].get("claimRef", {}).get("uid") not in held:
                self._release(volume)
        self._told = {uid: told for uid, told in self._told.items() if uid in held}
        return None

    def _step_claim(self, claim: Object) -> None:
        if (claim.get("status") or {}).get("phase") == "Bound":
            self._grow(claim)
            return
        wanted = claim["spec"].get("storageClassName")
        name = class_of(self._store, claim)
        if name is None:
            self._tell(
                claim,
                "Normal",
                "FailedBinding",
                "no persistent volumes available for this claim and no storage class is set",
            )
            return
        if wanted is None:
            self._store.update("persistentvolumeclaims", *_place(claim), lambda live: _set_class(live, name))
        storage_class = self._store.get("storageclasses", None, name)
        if storage_class is None:
            message = f'storageclass.storage.k8s.io "{name}" not found'
            self._pending(claim)
            self._tell(claim, "Warning", "ProvisioningFailed", message)
        elif waits_for_consumer(storage_class):
            self._pending(claim)
            if (claim["metadata"].get("annotations") or {}).get(SELECTED_NODE):
                self._bind(claim, name)
            else:
                message = "waiting for first consumer to be created before binding"
                self._tell(claim, "Normal", "WaitForFirstConsumer", message)
        else:
            self._bind(claim, name)

    def _bind(self, claim: Object, class_name: str) -> None:
        meta, size = claim["metadata"], claim["spec"]["resources"]["requests"]["storage"]
        volume = f"pvc-{meta['uid']}"
        if self._store.get("persistentvolumes", None, volume) is None:
            self._store.create("persistentvolumes", None, _volume(claim, volume, class_name, size))
            self._store.update_status(
                "persistentvolumes", None, volume, lambda live: live.update(status={"phase": "Bound"})
            )
        self._store.update(
            "persistentvolumeclaims", *_place(claim), lambda live: live["spec"].update(volumeName=volume)
        )
        status = {
            "phase": "Bound",
            "accessModes": claim["spec"].get("accessModes") or ["ReadWriteOnce"],
            "capacity": {"storage": size},
        }
        self._store.update_status(
            "persistentvolumeclaims", *_place(claim), lambda live: live.update(status=status)
        )
        self._tell(claim, "Normal", "ProvisioningSucceeded", f"Successfully provisioned volume {volume}")

    def _grow(self, claim: Object) -> None:
        wanted = claim["spec"]["resources"]["requests"]["storage"]
        present = claim["status"].get("capacity", {}).get("storage", "0")
        if parse(wanted) <= parse(present):
            return
        storage_class = self._store.get("storageclasses", None, claim["spec"].get("storageClassName") or "")
        if storage_class is None or not storage_class.get("allowVolumeExpansion"):
            self._tell(
                claim, "Warning", "VolumeResizeFailed", "the storage class does not allow volume expansion"
            )
            return

        def resize(live: Object) -> None:
            live["status"]["capacity"] = {"storage": wanted}
            live["status"].pop("conditions", None)

        def enlarge(live: Object) -> None:
            live["spec"]["capacity"] = {"storage": wanted}

        self._store.update("persistentvolumes", None, claim["spec"]["volumeName"], enlarge)
        self._store.update_status("persistentvolumeclaims", *_place(claim), resize)
        self._store.record_event(
            claim,
            "Normal",
            "FileSystemResizeSuccessful",
            "MountVolume.NodeExpandVolume succeeded for the volume",
        )

    def _release(self, volume: Object) -> None:
        name = volume["metadata"]["name"]
        if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            self._store.delete("persistentvolumes", None, name)
        elif volume.get("status", {}).get("phase") != "Released":
            self._store.update_status(
                "persistentvolumes", None, name, lambda live: live.update(status={"phase": "Released"})
            )

    def _pending(self, claim: Object) -> None:
        if not (claim.get("status") or {}).get("phase"):
            self._store.update_status(
                "persistentvolumeclaims",
                *_place(claim),
                lambda live: live.update(status={"phase": "Pending"}),
            )

    def _tell(self, claim: Object, type_: str, reason: str, message: str) -> None:
        uid = claim["metadata"]["uid"]
        if self._told.get(uid) != message:
            self._told[uid] = message
            self._store.record_event(claim, type_, reason, message, source="persistentvolume-controller")


def class_of(store: Store, claim: Object) -> str | None:
    """Name of the class that a claim uses: its own, or the cluster's default; None when there is neither."""
    wanted = claim["spec"].get("storageClassName")
    if wanted is not None:
        return str(wanted) or None
    for storage_class in store.list("storageclasses"):
        if (storage_class["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true":
            return str(storage_class["metadata"]["name"])
    return None


def waits_for_consumer(storage_class: Object) -> bool:
    """Whether claims of the class are bound only after a pod was scheduled."""
    return storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"


def capacity(claim: Object) -> Decimal:
    """Bytes that a bound claim holds; 0 while it is not bound."""
    return parse((claim.get("status") or {}).get("capacity", {}).get("storage", "0"))


def _set_class(claim: dict[str, Any], name: str) -> None:
    claim["spec"]["storageClassName"] = name


def _place(obj: Object) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _volume(claim: Object, name: str, class_name: str, size: str) -> dict[str, Any]:
    meta = claim["metadata"]
    node = (meta.get("annotations") or {}).get(SELECTED_NODE, "")
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": "csi.sandbox.slipway"}},
        "spec": {
            "accessModes": claim["spec"].get("accessModes") or ["ReadWriteOnce"],
            "capacity": {"storage": size},
            "storageClassName": class_name,
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
            "csi": {
                "driver": "csi.sandbox.slipway",
                "volumeHandle": name,
                "volumeAttributes": {"node": node},
            },
        },
    }
