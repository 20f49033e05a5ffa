"""The objects of the sandbox cluster: one shelf per kind, one growing revision, and the rules of writing and deleting.

Stored objects are never changed in place: a write replaces the object. So a reader may keep what it got, a watch may
hold old and new side by side, and an encoded copy stays valid for as long as the object does.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from deployments.sandbox import events, garbage
from deployments.sandbox.api import admission, kinds, ownership
from deployments.sandbox.api.errors import ApiError, already_exists, not_found
from deployments.sandbox.api.json_tree import clone
from deployments.sandbox.clock import stamp
from deployments.sandbox.journal import Journal
from deployments.sandbox.nodes.logs import LogBook

Object = dict[str, Any]
Change = Callable[[Object], None]
Gate = Callable[[str, "str | None", Object], None]

# Decided by the server; what a client sends for them is ignored.
_SERVER_FIELDS = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)


class Store:
    """All objects of one cluster, kept in memory. Not thread-safe: one event loop owns it."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.revision = 0
        self.logs = LogBook()
        # (namespace, pod) -> container -> {"cpu": quantity, "memory": quantity}: written by the controllers, read by
        # metrics.k8s.io.
        self.usage: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
        # Asked before each create; a gate refuses by raising ApiError, as an admission webhook would.
        self.gates: list[Gate] = []
        # Which event counts the repeats of (uid, reason, message): its namespace and name.
        self.repeats: dict[tuple[str, str, str], tuple[str, str]] = {}
        self.journal = Journal()
        self._shelves: dict[str, dict[tuple[str, str], Object]] = {plural: {} for plural in kinds.stored()}
        self._dependents: dict[str, set[tuple[str, str, str]]] = {}
        self._places: dict[str, tuple[str, str, str]] = {}
        self._encoded: dict[tuple[str, str, str], tuple[Object, msgspec.Raw]] = {}

    # Reading

    def list(
        self,
        plural: str,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[Object]:
        """Live objects in creation order; treat them as read-only. No namespace means all namespaces."""
        found = []
        wanted = labels.items() if labels else None
        for (place, _name), obj in self._shelves[plural].items():
            if namespace is not None and place != namespace:
                continue
            if wanted and not wanted <= (obj["metadata"].get("labels") or {}).items():
                continue
            found.append(obj)
        return found

    def get(self, plural: str, namespace: str | None, name: str) -> Object | None:
        """The object (read-only), or None."""
        return self._shelves[plural].get((namespace or "", name))

    def with_uid(self, uid: str) -> tuple[str, Object] | None:
        """The object with that uid and the plural of its shelf."""
        place = self._places.get(uid)
        obj = self.get(*place) if place else None
        return (place[0], obj) if place and obj else None

    def dependents(self, uid: str) -> Sequence[tuple[str, str, str]]:
        """(plural, namespace, name) of every object that names `uid` as an owner."""
        return sorted(self._dependents.get(uid, ()))

    def everything(self) -> Iterator[tuple[str, Object]]:
        """All objects with the plural of their shelf."""
        for plural, shelf in self._shelves.items():
            for obj in shelf.values():
                yield plural, obj

    def encoded(self, plural: str, obj: Object) -> msgspec.Raw:
        """A stored object as JSON, encoded once for as long as it stays as it is."""
        place = (plural, *_key(obj))
        known = self._encoded.get(place)
        if known is not None and known[0] is obj:
            return known[1]
        raw = msgspec.Raw(msgspec.json.encode(obj))
        if self._shelves[plural].get(place[1:]) is obj:
            self._encoded[place] = (obj, raw)
        return raw

    # Writing

    def create(
        self,
        plural: str,
        namespace: str | None,
        obj: Object,
        manager: str = "sandbox",
        *,
        dry_run: bool = False,
        operation: str = "Update",
    ) -> Object:
        """Store a new object and return it with all that the server adds.

        Raises ApiError: 409 AlreadyExists, 403 by admission, 404 for a missing namespace, 422 for a bad field.
        """
        kind = kinds.on_shelf(plural)
        fresh = clone(obj)
        meta = fresh.setdefault("metadata", {})
        for field in (*_SERVER_FIELDS, "resourceVersion", "selfLink"):
            meta.pop(field, None)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"][:58] + secrets.token_hex(3)[:5]
        if kind.namespaced:
            meta["namespace"] = namespace
        else:
            meta.pop("namespace", None)
        fresh = {"apiVersion": kind.api_version, "kind": kind.kind} | fresh
        admission.prepare(self, kind, fresh, None)
        key = (namespace or "", meta["name"])
        if key in self._shelves[plural]:
            raise already_exists(plural, meta["name"], kind.group)
        admission.check_create(self, kind, namespace, fresh)
        for gate in self.gates:
            gate(plural, namespace, fresh)
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = stamp(self.now())
        if kind.generation:
            meta["generation"] = 1
        if operation == "Update":
            ownership.track(None, fresh, manager, stamp(self.now()))
        if dry_run:
            return fresh
        self._put(plural, key, fresh, "ADDED")
        garbage.after_change(self, plural, None, fresh)
        return fresh

    def update(
        self,
        plural: str,
        namespace: str | None,
        name: str,
        change: Change,
        *,
        manager: str = "sandbox",
        subresource: str = "",
    ) -> Object | None:
        """Let `change` alter a copy of the object and store the copy if it differs; None if there is no such object.

        metadata.generation grows only when spec changed. Fields outside status get `manager` as their owner.
        """
        current = self.get(plural, namespace, name)
        if current is None:
            return None
        wanted = clone(current)
        change(wanted)
        return self.replace(plural, current, wanted, manager=manager, subresource=subresource)

    def update_status(self, plural: str, namespace: str | None, name: str, change: Change) -> Object | None:
        """As `update`, but only what `change` does to .status is kept, and nobody becomes owner of it."""
        current = self.get(plural, namespace, name)
        if current is None:
            return None
        wanted = clone(current)
        change(wanted)
        return self.replace_status(plural, current, wanted)

    def replace(
        self,
        plural: str,
        current: Object,
        wanted: Object,
        *,
        manager: str = "sandbox",
        subresource: str = "",
        dry_run: bool = False,
        track: bool = True,
    ) -> Object:
        """Store `wanted` (which the store then owns) in place of `current`; nothing is written if they are equal.

        With `track` the changed fields become `manager`'s; server-side apply keeps its own books and switches it off.
        """
        kind = kinds.on_shelf(plural)
        meta, old = wanted.setdefault("metadata", {}), current["metadata"]
        for field in (*_SERVER_FIELDS, "name", "namespace", "resourceVersion"):
            if field in old:
                meta[field] = old[field]
            else:
                meta.pop(field, None)
        wanted["apiVersion"], wanted["kind"] = current["apiVersion"], current["kind"]
        if track:
            # A client may rewrite the books (kubectl does, when it moves to server-side apply), but not lose them.
            meta["managedFields"] = ownership.readable(
                meta.get("managedFields"), old.get("managedFields") or []
            )
        admission.prepare(self, kind, wanted, current)
        if wanted == current:
            return current
        admission.check_update(self, kind, current, wanted)
        if kind.generation and wanted.get("spec") != current.get("spec"):
            meta["generation"] = old.get("generation", 0) + 1
        if track:
            ownership.track(current, wanted, manager, stamp(self.now()), subresource)
        if dry_run:
            return wanted
        if (
            meta.get("deletionTimestamp")
            and not meta.get("finalizers")
            and garbage.may_vanish(plural, wanted)
        ):
            self._remove(plural, wanted)
            return wanted
        self._put(plural, _key(wanted), wanted, "MODIFIED")
        garbage.after_change(self, plural, current, wanted)
        return wanted

    def replace_status(
        self,
        plural: str,
        current: Object,
        wanted: Object,
        *,
        manager: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Store the status of `wanted`; the rest stays as it is. A named manager is written into managedFields."""
        status = wanted.get("status")
        if status == current.get("status"):
            return current
        fresh = {**current, "metadata": dict(current["metadata"])}
        if status is None:
            fresh.pop("status", None)
        else:
            fresh["status"] = status
        if manager:
            ownership.track(current, fresh, manager, stamp(self.now()), "status")
        if not dry_run:
            self._put(plural, _key(fresh), fresh, "MODIFIED")
        return fresh

    def delete(
        self,
        plural: str,
        namespace: str | None,
        name: str,
        propagation: str = "Background",
        grace_seconds: int | None = None,
    ) -> Object:
        """Delete as the API does: a scheduled pod and anything with finalizers stay, marked; the rest goes at once.

        Dependents follow (`Background`, `Foreground`) or lose their owner (`Orphan`). Returns the last state of the
        object. Raises ApiError 404 if there is no such object.
        """
        current = self.get(plural, namespace, name)
        if current is None:
            raise not_found(plural, name, kinds.on_shelf(plural).group)
        return garbage.delete(self, plural, current, propagation, grace_seconds)

    def finish_pod(self, namespace: str, name: str) -> None:
        """The kubelet's last word: a pod that was marked for deletion has stopped and goes away."""
        pod = self.get("pods", namespace, name)
        if pod is None:
            return
        if not pod["metadata"].get("deletionTimestamp"):
            raise ApiError(409, f'pod "{name}" was not asked to stop')
        self.delete("pods", namespace, name, grace_seconds=0)

    def mark(self, plural: str, current: Object, **metadata: Any) -> Object:
        """Write server-side metadata (deletionTimestamp, finalizers, ownerReferences); None removes a field."""
        meta = {key: value for key, value in (current["metadata"] | metadata).items() if value is not None}
        fresh = {**current, "metadata": meta}
        self._put(plural, _key(fresh), fresh, "MODIFIED")
        return fresh

    def record_event(
        self,
        involved: Object,
        type_: str,
        reason: str,
        message: str,
        source: str = "sandbox",
    ) -> None:
        """A core/v1 Event about `involved`; the same uid, reason and message again only raises the count."""
        events.record(self, involved, type_, reason, message, source)

    # Watching

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after every write; returns the function that ends it. Read `journal` for what was written."""
        return self.journal.subscribe(wake)

    # For garbage collection and the snapshot

    def remove(self, plural: str, obj: Object) -> None:
        """Take an object off its shelf for good and let the consequences follow."""
        self._remove(plural, obj)

    def restore(self, plural: str, obj: Object) -> None:
        """Put back an object from a snapshot, without a new revision."""
        self._shelves[plural][_key(obj)] = obj
        self._index(plural, None, obj)
        if plural == "events":
            about = (
                str(obj["involvedObject"].get("uid")),
                obj["reason"],
                obj["message"],
            )
            self.repeats[about] = _key(obj)

    def _put(self, plural: str, key: tuple[str, str], obj: Object, change: str) -> None:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        before = self._shelves[plural].get(key)
        self._shelves[plural][key] = obj
        self._index(plural, before, obj)
        self.journal.write(self.revision, plural, change, obj, before)

    def _remove(self, plural: str, obj: Object) -> None:
        before = self._shelves[plural].pop(_key(obj), None)
        if before is None:
            return
        self._encoded.pop((plural, *_key(obj)), None)
        self.revision += 1
        last = {
            **obj,
            "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)},
        }
        self._index(plural, before, None)
        self.journal.write(self.revision, plural, "DELETED", last, before)
        garbage.after_removal(self, plural, last)

    def _index(self, plural: str, before: Object | None, after: Object | None) -> None:
        place = (plural, *_key(after or before or {}))
        if before is None and after is not None:
            self._places[after["metadata"]["uid"]] = place
        elif after is None and before is not None:
            self._places.pop(before["metadata"]["uid"], None)
        old, new = garbage.owners(before), garbage.owners(after)
        for uid in old - new:
            self._dependents.get(uid, set()).discard(place)
            if not self._dependents.get(uid):
                self._dependents.pop(uid, None)
        for uid in new - old:
            self._dependents.setdefault(uid, set()).add(place)


def _key(obj: Object) -> tuple[str, str]:
    meta = obj["metadata"]
    return (meta.get("namespace") or "", meta["name"])
