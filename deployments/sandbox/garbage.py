"""Deletion: grace for pods, finalizers, owners and dependents, volumes in use, namespaces that are emptied."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from deployments.sandbox.api import quotas
from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.api.json_tree import clone
from deployments.sandbox.clock import stamp

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

FOREGROUND = "foregroundDeletion"
VOLUME_IN_USE = "kubernetes.io/pvc-protection"
_PROPAGATIONS = ("Background", "Foreground", "Orphan")


def delete(
    store: Store,
    plural: str,
    current: Object,
    propagation: str,
    grace_seconds: int | None,
) -> Object:
    """Delete one object; see `Store.delete`."""
    if propagation not in _PROPAGATIONS:
        raise ApiError(422, f'propagationPolicy: Unsupported value: "{propagation}"')
    if plural == "namespaces":
        return _delete_namespace(store, current)
    uid = current["metadata"]["uid"]
    if propagation == "Orphan":
        _orphan(store, uid)
    finalizers = list(current["metadata"].get("finalizers") or [])
    if propagation == "Foreground" and store.dependents(uid) and FOREGROUND not in finalizers:
        finalizers.append(FOREGROUND)
    grace = _grace(plural, current, grace_seconds)
    if not finalizers and grace == 0:
        store.remove(plural, current)
        return current
    current = _mark(store, plural, current, finalizers, grace)
    if FOREGROUND in finalizers:
        for place in store.dependents(uid):
            dependent = store.get(*place)
            if dependent is not None and not dependent["metadata"].get("deletionTimestamp"):
                delete(store, place[0], dependent, "Foreground", None)
        finish_foreground(store, plural, current)
    if plural == "persistentvolumeclaims":
        release_volume(store, current["metadata"]["namespace"], current["metadata"]["name"])
    elif plural == "pods" and _has_ended(current):
        for claim in claims_of(current):
            release_volume(store, current["metadata"]["namespace"], claim)
    return store.get(plural, current["metadata"].get("namespace"), current["metadata"]["name"]) or current


def may_vanish(plural: str, obj: Object) -> bool:
    """Whether a marked object without finalizers is gone now: pods first wait for the kubelet."""
    return plural != "pods" or obj["metadata"].get("deletionGracePeriodSeconds") == 0


def after_change(store: Store, plural: str, before: Object | None, after: Object) -> None:
    """Consequences of a create or update."""
    if plural == "resourcequotas" or (
        plural in quotas.COUNTED and (before is None or _phase(before) != _phase(after))
    ):
        quotas.refresh(store, after["metadata"]["namespace"])


def after_removal(store: Store, plural: str, gone: Object) -> None:
    """Consequences of an object that is no longer there."""
    meta = gone["metadata"]
    namespace = meta.get("namespace")
    for place in store.dependents(meta["uid"]):
        _lose_owner(store, place, meta["uid"])
    for owner in meta.get("ownerReferences") or []:
        _tell_owner(store, owner["uid"])
    if plural == "pods":
        store.logs.forget(namespace, meta["name"])
        store.usage.pop((namespace, meta["name"]), None)
        for claim in claims_of(gone):
            release_volume(store, namespace, claim)
    if namespace and plural in quotas.COUNTED:
        quotas.refresh(store, namespace)
    if namespace:
        _finish_namespace(store, namespace)


def owners(obj: Object | None) -> set[str]:
    """The uids of an object's owners."""
    return {owner["uid"] for owner in (obj or {"metadata": {}})["metadata"].get("ownerReferences") or []}


def claims_of(pod: Object) -> list[str]:
    """Names of the volume claims that a pod mounts."""
    volumes = pod.get("spec", {}).get("volumes") or []
    name = pod["metadata"]["name"]
    named = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in volumes
        if volume.get("persistentVolumeClaim")
    ]
    return named + [f"{name}-{volume['name']}" for volume in volumes if volume.get("ephemeral")]


def release_volume(store: Store, namespace: str, claim: str) -> None:
    """Let a deleted claim go once no pod uses it."""
    obj = store.get("persistentvolumeclaims", namespace, claim)
    if obj is None or not obj["metadata"].get("deletionTimestamp"):
        return
    # A pod that has ended and only waits for its own dependents no longer uses a volume.
    pods = [pod for pod in store.list("pods", namespace) if not _has_ended(pod)]
    if any(claim in claims_of(pod) for pod in pods):
        return
    _drop_finalizer(store, "persistentvolumeclaims", obj, VOLUME_IN_USE)


def _has_ended(pod: Object) -> bool:
    meta = pod["metadata"]
    return bool(meta.get("deletionTimestamp")) and meta.get("deletionGracePeriodSeconds") == 0


def finish_foreground(store: Store, plural: str, owner: Object) -> None:
    """Let an owner go once its blocking dependents are gone."""
    meta = owner["metadata"]
    if FOREGROUND not in (meta.get("finalizers") or []):
        return
    for place in store.dependents(meta["uid"]):
        dependent = store.get(*place)
        references = dependent["metadata"].get("ownerReferences") or [] if dependent else []
        if any(ref["uid"] == meta["uid"] and ref.get("blockOwnerDeletion") for ref in references):
            return
    _drop_finalizer(store, plural, owner, FOREGROUND)


def _delete_namespace(store: Store, namespace: Object) -> Object:
    name = namespace["metadata"]["name"]
    if name in ("default", "kube-system", "kube-public"):
        raise ApiError(403, f'namespaces "{name}" is forbidden: this namespace may not be deleted')
    if not namespace["metadata"].get("deletionTimestamp"):
        namespace = _mark(
            store,
            "namespaces",
            namespace,
            list(namespace["metadata"].get("finalizers") or []),
            0,
        )
        namespace = store.replace_status("namespaces", namespace, {"status": {"phase": "Terminating"}})
    inside = [(plural, obj) for plural, obj in store.everything() if obj["metadata"].get("namespace") == name]
    # Workloads before what they own: a controller must not see a missing pod and make a new one.
    inside.sort(key=lambda pair: pair[0] == "pods")
    for plural, obj in inside:
        live = store.get(plural, name, obj["metadata"]["name"])
        if live is not None and not live["metadata"].get("deletionTimestamp"):
            delete(store, plural, live, "Background", None)
    _finish_namespace(store, name)
    return store.get("namespaces", None, name) or namespace


def _finish_namespace(store: Store, name: str) -> None:
    namespace = store.get("namespaces", None, name)
    if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
        return
    if namespace["metadata"].get("finalizers"):
        return
    if any(
        obj["metadata"].get("namespace") == name for plural, obj in store.everything() if plural != "events"
    ):
        return
    for event in store.list("events", name):
        store.remove("events", event)
    live = store.get("namespaces", None, name)
    if live is not None:
        store.remove("namespaces", live)


def _mark(store: Store, plural: str, current: Object, finalizers: list[str], grace: int) -> Object:
    meta = current["metadata"]
    earlier = meta.get("deletionGracePeriodSeconds")
    if meta.get("deletionTimestamp") and (earlier is None or earlier <= grace):
        return current
    fields: dict[str, Any] = {
        "deletionTimestamp": stamp(store.now() + timedelta(seconds=grace)),
        "deletionGracePeriodSeconds": grace,
        "finalizers": finalizers or None,
    }
    if "generation" in meta:
        fields["generation"] = meta["generation"] + 1
    return store.mark(plural, current, **fields)


def _grace(plural: str, obj: Object, asked: int | None) -> int:
    """Seconds until the object may go: only pods that run somewhere have any."""
    if plural != "pods" or asked == 0:
        return 0
    if not obj.get("spec", {}).get("nodeName") or _phase(obj) in (
        "Succeeded",
        "Failed",
    ):
        return 0
    return int(asked if asked is not None else obj["spec"].get("terminationGracePeriodSeconds", 30))


def _orphan(store: Store, uid: str) -> None:
    for place in store.dependents(uid):
        dependent = store.get(*place)
        if dependent is not None:
            store.mark(place[0], dependent, ownerReferences=_without(dependent, uid) or None)


def _lose_owner(store: Store, place: tuple[str, str, str], uid: str) -> None:
    dependent = store.get(*place)
    if dependent is None:
        return
    if others := _without(dependent, uid):
        store.mark(place[0], dependent, ownerReferences=others)
    elif not dependent["metadata"].get("deletionTimestamp"):
        delete(store, place[0], dependent, "Background", None)


def _tell_owner(store: Store, uid: str) -> None:
    found = store.with_uid(uid)
    if found is not None:
        finish_foreground(store, *found)


def _drop_finalizer(store: Store, plural: str, obj: Object, finalizer: str) -> None:
    left = [name for name in obj["metadata"].get("finalizers") or [] if name != finalizer]
    if len(left) == len(obj["metadata"].get("finalizers") or []):
        return
    if left or not may_vanish(plural, obj):
        store.mark(plural, obj, finalizers=left or None)
    else:
        lighter = clone(obj)
        lighter["metadata"].pop("finalizers", None)
        store.remove(plural, lighter)


def _without(obj: Object, uid: str) -> list[dict[str, Any]]:
    return [owner for owner in obj["metadata"].get("ownerReferences") or [] if owner["uid"] != uid]


def _phase(obj: Object) -> str:
    return str((obj.get("status") or {}).get("phase", ""))
