"""The ReplicaSet controller: so many pods of one template, made and removed without an order.

Pods that have ended do not count and stay as they are. When there are too many, those go first that are worth
least: unscheduled before scheduled, not ready before ready, younger before older.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.api.json_tree import clone
from deployments.sandbox.clock import earliest, stamp
from deployments.sandbox.settings import Settings
from deployments.sandbox.workloads.pod_state import controller_of, phase, ready_since, terminating, version
from deployments.sandbox.workloads.revisions import owner_reference

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

MANAGER = "kube-controller-manager"
_FIRST_RETRY, _LAST_RETRY = 1.0, 60.0


class ReplicaSets:
    """Drives every ReplicaSet of the store; `step` looks only at sets whose objects changed."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._seen: dict[str, tuple[str, ...]] = {}
        self._due: dict[str, datetime] = {}
        # By uid: the last pause in seconds, when the next attempt is due, and the sentence of the last refusal.
        self._retries: dict[str, float] = {}
        self._held: dict[str, datetime] = {}
        self._refusals: dict[str, str] = {}

    def step(self, now: datetime) -> datetime | None:
        """One pass; returns when the earliest set wants to be looked at again."""
        sets = self._store.list("replicasets")
        by_owner: dict[str, list[Object]] = {}
        orphans: list[Object] = []
        for pod in self._store.list("pods") if sets else ():
            owner = controller_of(pod)
            if owner is None:
                orphans.append(pod)
            else:
                by_owner.setdefault(owner, []).append(pod)
        for replicaset in sets:
            uid = replicaset["metadata"]["uid"]
            pods = by_owner.get(uid, []) + self._adopt(replicaset, orphans)
            seen = (version(replicaset), *(version(pod) for pod in pods))
            due = self._due.get(uid)
            if seen == self._seen.get(uid) and (due is None or now < due):
                continue
            self._due.pop(uid, None)
            self._sync(replicaset, pods, now)
            self._seen[uid] = seen
        self._forget({replicaset["metadata"]["uid"] for replicaset in sets})
        return earliest(self._due.values())

    def _sync(self, replicaset: Object, pods: list[Object], now: datetime) -> None:
        active = [pod for pod in pods if phase(pod) not in ("Failed", "Succeeded") and not terminating(pod)]
        uid = replicaset["metadata"]["uid"]
        if not terminating(replicaset):
            missing = replicaset["spec"].get("replicas", 1) - len(active)
            held = self._held.get(uid)
            if missing > 0 and held is not None and now < held:
                self._later(uid, held)
                missing = 0
            for _each in range(missing):
                made = self._create(replicaset, uid, now)
                if made is None:
                    break
                active.append(made)
            if missing >= 0:
                doomed: list[Object] = []
            else:
                doomed = sorted(active, key=_worth)[:-missing]
            for pod in doomed:
                self._delete(replicaset, pod)
                active.remove(pod)
        self._write_status(replicaset, active, now)

    def _create(self, replicaset: Object, uid: str, now: datetime) -> Object | None:
        """Make one pod; on a refusal, say so in an event and come back later."""
        template, meta = replicaset["spec"]["template"], replicaset["metadata"]
        carried = template.get("metadata") or {}
        metadata: dict[str, Any] = {
            "generateName": f"{meta['name']}-",
            "labels": dict(carried.get("labels") or {}),
            "ownerReferences": [owner_reference(replicaset)],
        }
        if carried.get("annotations"):
            metadata["annotations"] = dict(carried["annotations"])
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": clone(template["spec"])}
        try:
            made = self._store.create("pods", meta["namespace"], pod, MANAGER)
        except ApiError as refusal:
            self._say(replicaset, "Warning", "FailedCreate", f"Error creating: {refusal.message}")
            wait = min(self._retries.get(uid, _FIRST_RETRY / 2) * 2, _LAST_RETRY)
            self._retries[uid], self._refusals[uid] = wait, refusal.message
            self._held[uid] = now + self._settings.real(wait)
            self._later(uid, self._held[uid])
            return None
        for memory in (self._retries, self._refusals, self._held):
            memory.pop(uid, None)
        self._say(replicaset, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return made

    def _delete(self, replicaset: Object, pod: Object) -> None:
        name = pod["metadata"]["name"]
        self._store.delete("pods", pod["metadata"]["namespace"], name)
        self._say(replicaset, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")

    def _write_status(self, replicaset: Object, active: list[Object], now: datetime) -> None:
        meta, spec = replicaset["metadata"], replicaset["spec"]
        wanted = (spec["template"].get("metadata") or {}).get("labels") or {}
        wait = timedelta(seconds=spec.get("minReadySeconds", 0))
        since = [found for pod in active if (found := ready_since(pod)) is not None]
        available = sum(moment + wait <= now for moment in since)
        if available < len(since):
            self._later(meta["uid"], min(moment + wait for moment in since if moment + wait > now))
        status: dict[str, Any] = {"replicas": len(active), "observedGeneration": meta.get("generation", 1)}
        labelled = sum(wanted.items() <= (pod["metadata"].get("labels") or {}).items() for pod in active)
        counts = {
            "fullyLabeledReplicas": labelled,
            "readyReplicas": len(since),
            "availableReplicas": available,
        }
        status |= {field: count for field, count in counts.items() if count}
        refusal = self._refusals.get(meta["uid"])
        if refusal:
            before = _failure(replicaset)
            status["conditions"] = [
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "reason": "FailedCreate",
                    "message": refusal,
                    "lastTransitionTime": before.get("lastTransitionTime", stamp(now)),
                }
            ]
        self._store.update_status(
            "replicasets", meta["namespace"], meta["name"], lambda live: live.update(status=status)
        )

    def _adopt(self, replicaset: Object, orphans: list[Object]) -> list[Object]:
        """Take over pods without a controller that the selector matches."""
        meta = replicaset["metadata"]
        if not orphans or terminating(replicaset):
            return []
        wanted = (replicaset["spec"]["selector"].get("matchLabels") or {}).items()
        reference = owner_reference(replicaset)
        adopted = []
        for pod in list(orphans):
            own = pod["metadata"]
            if own["namespace"] != meta["namespace"] or terminating(pod):
                continue
            if not wanted or not wanted <= (own.get("labels") or {}).items():
                continue
            taken = self._store.update(
                "pods",
                own["namespace"],
                own["name"],
                lambda live: live["metadata"].update(ownerReferences=[reference]),
                manager=MANAGER,
            )
            if taken is not None:
                adopted.append(taken)
                orphans.remove(pod)
        return adopted

    def _say(self, replicaset: Object, type_: str, reason: str, message: str) -> None:
        self._store.record_event(replicaset, type_, reason, message, source="replicaset-controller")

    def _later(self, uid: str, when: datetime) -> None:
        self._due[uid] = min(when, self._due.get(uid, when))

    def _forget(self, uids: set[str]) -> None:
        for memory in (self._seen, self._due, self._retries, self._held, self._refusals):
            for uid in memory.keys() - uids:
                del memory[uid]


def _worth(pod: Object) -> tuple[Any, ...]:
    """Sorts the pods that are to go first to the front."""
    since = ready_since(pod)
    order = ("", "Pending", "Running").index(phase(pod)) if phase(pod) in ("", "Pending", "Running") else 0
    created = pod["metadata"]["creationTimestamp"]
    # Younger first: among ready pods by readiness, otherwise by creation.
    age = -(since.timestamp() if since else 0.0)
    return bool(pod["spec"].get("nodeName")), order, since is not None, age, _reversed(created)


def _reversed(text: str) -> tuple[int, ...]:
    return tuple(-ord(character) for character in text)


def _failure(replicaset: Object) -> dict[str, Any]:
    for condition in (replicaset.get("status") or {}).get("conditions") or []:
        if condition["type"] == "ReplicaFailure":
            return dict(condition)
    return {}
