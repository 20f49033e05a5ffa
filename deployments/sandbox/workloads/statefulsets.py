"""The StatefulSet controller: numbered pods with claims of their own, started, replaced and removed in order.

It follows the upstream algorithm. Pods that are missing are made; pods above the count are removed from the
highest number down; then, for RollingUpdate, the highest-numbered pod of another revision is deleted (whether it
is ready or not) and nothing below it is touched until it is healthy again. With `podManagementPolicy: Parallel`
an unhealthy pod does not stop this, so an edit heals a broken revision. With `OrderedReady` the controller waits
for the lowest unhealthy pod before anything else, so a broken revision stays until somebody deletes that pod: a
known limit of Kubernetes, kept here.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.clock import earliest
from deployments.sandbox.settings import Settings
from deployments.sandbox.workloads.pod_state import (
    controller_of,
    healthy,
    phase,
    ready_since,
    terminating,
    version,
)
from deployments.sandbox.workloads.revisions import (
    REVISION_LABEL,
    claim_name,
    make_claim,
    make_pod,
    owner_reference,
    record_revision,
    revision_name,
    template_of,
)

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

_FIRST_RETRY, _LAST_RETRY = 1.0, 60.0


class StatefulSets:
    """Drives every StatefulSet of the store; `step` looks only at sets whose objects changed."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._seen: dict[str, tuple[str, ...]] = {}
        self._due: dict[str, datetime] = {}
        self._retries: dict[str, float] = {}

    def step(self, now: datetime) -> datetime | None:
        """One pass; returns when the earliest set wants to be looked at again."""
        by_owner: dict[str, list[Object]] = {}
        orphans: list[Object] = []
        for pod in self._store.list("pods"):
            owner = controller_of(pod)
            if owner is None:
                orphans.append(pod)
            else:
                by_owner.setdefault(owner, []).append(pod)
        sets = self._store.list("statefulsets")
        for statefulset in sets:
            uid = statefulset["metadata"]["uid"]
            pods = by_owner.get(uid, []) + self._adopt(statefulset, orphans)
            seen = (version(statefulset), *(version(pod) for pod in pods))
            due = self._due.get(uid)
            if seen == self._seen.get(uid) and (due is None or now < due):
                continue
            self._due.pop(uid, None)
            self._sync(statefulset, pods, now)
            # The versions from before the pass: what it wrote itself is looked at once more, until nothing changes.
            self._seen[uid] = seen
        self._forget({statefulset["metadata"]["uid"] for statefulset in sets})
        return earliest(self._due.values())

    def _sync(self, statefulset: Object, pods: list[Object], now: datetime) -> None:
        place = (statefulset["metadata"]["namespace"], statefulset["metadata"]["name"])
        update = revision_name(statefulset)
        status = statefulset.get("status") or {}
        current = status.get("currentRevision") or update
        if not statefulset["metadata"].get("deletionTimestamp"):
            record_revision(self._store, statefulset, update)
            self._move(statefulset, pods, current, update, now)
        live = self._store.get("statefulsets", *place)
        if live is not None:
            pods = [
                pod
                for pod in self._store.list("pods", place[0])
                if controller_of(pod) == live["metadata"]["uid"]
            ]
            self._write_status(live, pods, current, update, now)

    def _move(
        self, statefulset: Object, pods: list[Object], current: str, update: str, now: datetime
    ) -> None:
        """Everything that changes pods: the part of the pass that may stop early to wait for one."""
        spec = statefulset["spec"]
        wanted, start = spec.get("replicas", 1), (spec.get("ordinals") or {}).get("start", 0)
        ordered = spec.get("podManagementPolicy") != "Parallel"
        present = {_ordinal(pod): pod for pod in pods}
        partition = _partition(spec)
        for ordinal in range(start, start + wanted):
            pod = present.get(ordinal)
            if pod is not None and phase(pod) in ("Failed", "Succeeded") and not terminating(pod):
                self._delete(statefulset, pod)
                if ordered:
                    return
            elif pod is None:
                revision = current if ordinal < start + partition else update
                if not self._create(statefulset, ordinal, revision, now) or ordered:
                    return
            elif ordered and not healthy(pod):
                return
        condemned = sorted((each for each in present if not start <= each < start + wanted), reverse=True)
        for ordinal in condemned:
            pod = present[ordinal]
            if not terminating(pod):
                self._delete(statefulset, pod)
            if ordered:
                return
        self._drop_claims(statefulset, start + wanted, present)
        if (spec.get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate":
            self._roll(statefulset, present, range(start + wanted - 1, start + partition - 1, -1), update)

    def _roll(self, statefulset: Object, present: dict[int, Object], ordinals: range, update: str) -> None:
        for ordinal in ordinals:
            pod = present.get(ordinal)
            if pod is None:
                return
            if _revision(pod) != update and not terminating(pod):
                self._delete(statefulset, pod)
                return
            if not healthy(pod):
                return

    def _create(self, statefulset: Object, ordinal: int, revision: str, now: datetime) -> bool:
        """Make one pod and its claims; on a refusal, say so in an event and come back later."""
        meta = statefulset["metadata"]
        namespace, uid = meta["namespace"], meta["uid"]
        name = f"{meta['name']}-{ordinal}"
        for template in statefulset["spec"].get("volumeClaimTemplates") or []:
            claim = claim_name(template, name)
            if self._store.get("persistentvolumeclaims", namespace, claim) is not None:
                continue
            what = f"create Claim {claim} Pod {name} in StatefulSet {meta['name']}"
            try:
                self._store.create(
                    "persistentvolumeclaims", namespace, make_claim(statefulset, template, name)
                )
            except ApiError as refusal:
                return self._refused(statefulset, uid, f"{what} failed error: {refusal.message}", now)
            self._say(statefulset, "Normal", "SuccessfulCreate", f"{what} success")
        what = f"create Pod {name} in StatefulSet {meta['name']}"
        pod = make_pod(statefulset, template_of(self._store, statefulset, revision), revision, name)
        try:
            self._store.create("pods", namespace, pod)
        except ApiError as refusal:
            return self._refused(statefulset, uid, f"{what} failed error: {refusal.message}", now)
        self._retries.pop(uid, None)
        self._say(statefulset, "Normal", "SuccessfulCreate", f"{what} successful")
        return True

    def _refused(self, statefulset: Object, uid: str, message: str, now: datetime) -> bool:
        self._say(statefulset, "Warning", "FailedCreate", message)
        wait = min(self._retries.get(uid, _FIRST_RETRY / 2) * 2, _LAST_RETRY)
        self._retries[uid] = wait
        self._later(uid, now + self._settings.real(wait))
        return False

    def _delete(self, statefulset: Object, pod: Object) -> None:
        meta = pod["metadata"]
        self._store.delete("pods", meta["namespace"], meta["name"])
        owner = statefulset["metadata"]["name"]
        self._say(
            statefulset,
            "Normal",
            "SuccessfulDelete",
            f"delete Pod {meta['name']} in StatefulSet {owner} successful",
        )

    def _drop_claims(self, statefulset: Object, end: int, present: dict[int, Object]) -> None:
        """Delete the claims of numbers that were scaled away, where the set's policy says so."""
        spec, meta = statefulset["spec"], statefulset["metadata"]
        if (spec.get("persistentVolumeClaimRetentionPolicy") or {}).get("whenScaled") != "Delete":
            return
        names = "|".join(
            re.escape(template["metadata"]["name"]) for template in spec.get("volumeClaimTemplates") or []
        )
        pattern = re.compile(rf"(?:{names})-{re.escape(meta['name'])}-(\d+)")
        for claim in self._store.list("persistentvolumeclaims", meta["namespace"]):
            found = pattern.fullmatch(claim["metadata"]["name"])
            if found is None or claim["metadata"].get("deletionTimestamp"):
                continue
            if int(found[1]) >= end and int(found[1]) not in present:
                self._store.delete("persistentvolumeclaims", meta["namespace"], claim["metadata"]["name"])

    def _write_status(
        self, statefulset: Object, pods: list[Object], current: str, update: str, now: datetime
    ) -> None:
        meta, spec = statefulset["metadata"], statefulset["spec"]
        living = [pod for pod in pods if not terminating(pod)]
        ready = [pod for pod in pods if ready_since(pod) is not None]
        wait = timedelta(seconds=spec.get("minReadySeconds", 0))
        available = [pod for pod in ready if (ready_since(pod) or now) + wait <= now]
        if len(available) < len(ready):
            self._later(
                meta["uid"], min((ready_since(pod) or now) + wait for pod in ready if pod not in available)
            )
        updated = sum(_revision(pod) == update for pod in living)
        rolling = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
        if rolling and updated == len(ready) == len(pods) and _partition(spec) == 0:
            current = update
        status = {
            "observedGeneration": meta.get("generation", 1),
            "replicas": len(pods),
            "readyReplicas": len(ready),
            "availableReplicas": len(available),
            "currentReplicas": sum(_revision(pod) == current for pod in living),
            "updatedReplicas": updated,
            "currentRevision": current,
            "updateRevision": update,
            "collisionCount": 0,
        }
        self._store.update_status(
            "statefulsets", meta["namespace"], meta["name"], lambda live: live.update(status=status)
        )

    def _adopt(self, statefulset: Object, orphans: list[Object]) -> list[Object]:
        """Take over pods without a controller that the selector and the name match."""
        meta = statefulset["metadata"]
        if not orphans or meta.get("deletionTimestamp"):
            return []
        wanted = (statefulset["spec"]["selector"].get("matchLabels") or {}).items()
        adopted = []
        for pod in orphans:
            own = pod["metadata"]
            if own["namespace"] != meta["namespace"] or terminating(pod) or _ordinal(pod) < 0:
                continue
            if (
                own["name"].rsplit("-", 1)[0] != meta["name"]
                or not wanted <= (own.get("labels") or {}).items()
            ):
                continue
            reference = owner_reference(statefulset)
            taken = self._store.update(
                "pods",
                own["namespace"],
                own["name"],
                lambda live, reference=reference: live["metadata"].update(ownerReferences=[reference]),  # type: ignore[misc]
                manager="kube-controller-manager",
            )
            if taken is not None:
                adopted.append(taken)
        return adopted

    def _say(self, statefulset: Object, type_: str, reason: str, message: str) -> None:
        self._store.record_event(statefulset, type_, reason, message, source="statefulset-controller")

    def _later(self, uid: str, when: datetime) -> None:
        self._due[uid] = min(when, self._due.get(uid, when))

    def _forget(self, uids: set[str]) -> None:
        for memory in (self._seen, self._due, self._retries):
            for uid in memory.keys() - uids:
                del memory[uid]


def _ordinal(pod: Object) -> int:
    tail = pod["metadata"]["name"].rsplit("-", 1)[-1]
    return int(tail) if tail.isdecimal() else -1


def _partition(spec: dict[str, Any]) -> int:
    strategy = spec.get("updateStrategy") or {}
    return int((strategy.get("rollingUpdate") or {}).get("partition") or 0)


def _revision(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get(REVISION_LABEL, ""))
