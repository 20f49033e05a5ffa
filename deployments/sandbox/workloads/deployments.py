"""The Deployment controller: one ReplicaSet a template, and pods moved from the old ones to the new one.

It follows the upstream algorithm: RollingUpdate keeps the sum of all pods below replicas + maxSurge and the
available ones above replicas - maxUnavailable, and takes away old pods that are not available first. Recreate waits
until the last old pod is gone. A template that was there before gets its old ReplicaSet back.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.api.json_tree import clone
from deployments.sandbox.clock import earliest
from deployments.sandbox.settings import Settings
from deployments.sandbox.workloads import rollout_status
from deployments.sandbox.workloads.pod_state import controller_of, phase, terminating, version
from deployments.sandbox.workloads.revisions import owner_reference, template_hash
from deployments.sandbox.workloads.rollout_math import fence, is_recreate

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

MANAGER = "kube-controller-manager"
HASH_LABEL = "pod-template-hash"
_PREFIX = "deployment.kubernetes.io/"
REVISION, _DESIRED, _MOST = f"{_PREFIX}revision", f"{_PREFIX}desired-replicas", f"{_PREFIX}max-replicas"
_OWN_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    f"{_PREFIX}revision-history",
    _DESIRED,
    _MOST,
)
_RETRY_SECONDS = 5.0


class Deployments:
    """Drives every Deployment of the store; `step` looks only at those whose objects changed."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._seen: dict[str, tuple[str, ...]] = {}
        self._due: dict[str, datetime] = {}

    def step(self, now: datetime) -> datetime | None:
        """One pass; returns when the earliest deployment wants to be looked at again."""
        found = self._store.list("deployments")
        sets = self._store.list("replicasets") if found else []
        for deployment in found:
            uid = deployment["metadata"]["uid"]
            own = [each for each in sets if controller_of(each) == uid] + self._adopt(deployment, sets)
            lingering = self._lingering(deployment, own)
            seen = (version(deployment), str(lingering), *(version(each) for each in own))
            due = self._due.get(uid)
            if seen == self._seen.get(uid) and (due is None or now < due):
                continue
            self._due.pop(uid, None)
            self._sync(deployment, own, lingering, now)
            self._seen[uid] = seen
        uids = {deployment["metadata"]["uid"] for deployment in found}
        for memory in (self._seen, self._due):
            for uid in memory.keys() - uids:
                del memory[uid]
        return earliest(self._due.values())

    def _sync(self, deployment: Object, own: list[Object], lingering: int, now: datetime) -> None:
        meta, spec = deployment["metadata"], deployment["spec"]
        place = (meta["namespace"], meta["name"])
        refusal = ""
        if not terminating(deployment):
            own.sort(key=_created)
            new = _matching(spec["template"], own)
            if spec.get("paused") or _is_scaled(deployment, own):
                self._scale_all(deployment, new, own)
            elif is_recreate(spec):
                refusal = self._recreate(deployment, new, own, lingering)
            else:
                refusal = self._roll(deployment, new, own)
        if refusal:
            self._due[meta["uid"]] = now + self._settings.real(_RETRY_SECONDS)
        live = self._store.get("deployments", *place)
        if live is None:
            return
        own = [
            each for each in self._store.list("replicasets", place[0]) if controller_of(each) == meta["uid"]
        ]
        own.sort(key=_created)
        new = _matching(live["spec"]["template"], own)
        patience = self._settings.real(float(live["spec"].get("progressDeadlineSeconds") or 600))
        status, due = rollout_status.judge(live, new, own, now, patience, refusal)
        self._store.update_status("deployments", *place, lambda deployment: deployment.update(status=status))
        if due is not None:
            self._due[meta["uid"]] = min(due, self._due.get(meta["uid"], due))
        if not terminating(live) and rollout_status.is_complete(live, status):
            self._drop_old(live, new, own)

    # Ways to move

    def _roll(self, deployment: Object, new: Object | None, own: list[Object]) -> str:
        new, refusal = self._ensure_new(deployment, new, own)
        if new is None:
            return refusal
        old = [each for each in own if each is not new and each["metadata"]["uid"] != new["metadata"]["uid"]]
        replicas = deployment["spec"].get("replicas", 1)
        surge, missing = fence(deployment["spec"])
        size = _size(new)
        total = size + sum(_size(each) for each in old)
        if size > replicas:
            self._scale(deployment, new, replicas)
        elif size < replicas and total < replicas + surge:
            self._scale(deployment, new, size + min(replicas + surge - total, replicas - size))
        else:
            self._shrink_old(deployment, new, old, replicas - missing)
        return ""

    def _shrink_old(self, deployment: Object, new: Object, old: list[Object], least: int) -> None:
        """Take away old pods: first those that are not available, then as many as may be missing."""
        total = _size(new) + sum(_size(each) for each in old)
        may_go = total - least - max(0, _size(new) - _available(new))
        sizes = {each["metadata"]["uid"]: _size(each) for each in old}
        taken = 0
        for each in old:
            unhealthy = min(may_go - taken, _size(each) - _available(each))
            if unhealthy > 0:
                sizes[each["metadata"]["uid"]] -= unhealthy
                taken += unhealthy
        spare = _available(new) + sum(_available(each) for each in old) - least
        spare = min(spare, may_go - taken)
        for each in old:
            going = min(spare, sizes[each["metadata"]["uid"]])
            if going > 0:
                sizes[each["metadata"]["uid"]] -= going
                spare -= going
        for each in old:
            self._scale(deployment, each, sizes[each["metadata"]["uid"]])

    def _recreate(self, deployment: Object, new: Object | None, own: list[Object], lingering: int) -> str:
        for each in own:
            if new is None or each["metadata"]["uid"] != new["metadata"]["uid"]:
                self._scale(deployment, each, 0)
        if lingering:
            return ""
        new, refusal = self._ensure_new(deployment, new, own)
        if new is not None:
            self._scale(deployment, new, deployment["spec"].get("replicas", 1))
        return refusal

    def _scale_all(self, deployment: Object, new: Object | None, own: list[Object]) -> None:
        """The count changed, or the rollout is paused: keep the mixture and bring its sum to what is allowed."""
        replicas = deployment["spec"].get("replicas", 1)
        active = [each for each in own if _size(each)]
        if len(active) <= 1:
            only = active[0] if active else new
            if only is not None:
                self._scale(deployment, only, replicas)
            return
        surge, _missing = fence(deployment["spec"])
        room = (replicas + surge if replicas else 0) - sum(_size(each) for each in active)
        # The largest set takes the change when pods are to go, the newest when pods are to come.
        order = sorted(active, key=_size, reverse=True) if room < 0 else [new or active[-1]]
        for each in order:
            change = max(room, -_size(each))
            self._scale(deployment, each, _size(each) + change)
            room -= change
        for each in active:
            self._annotate(each, replicas, replicas + surge)

    # ReplicaSets

    def _ensure_new(
        self, deployment: Object, new: Object | None, own: list[Object]
    ) -> tuple[Object | None, str]:
        """The ReplicaSet of the present template with the newest revision number, or why it cannot be made."""
        numbers = [_revision(each) for each in own if new is None or each is not new]
        number = max([*numbers, 0]) + 1
        if new is None:
            new, refusal = self._make(deployment, own, number)
            if new is None:
                return None, refusal
        elif _revision(new) < number:
            new = self._store.update(
                "replicasets",
                new["metadata"]["namespace"],
                new["metadata"]["name"],
                lambda live: live["metadata"].setdefault("annotations", {}).update({REVISION: str(number)}),
                manager=MANAGER,
            )
        told = str(_revision(new)) if new else ""
        if (deployment["metadata"].get("annotations") or {}).get(REVISION) != told:
            self._store.update(
                "deployments",
                deployment["metadata"]["namespace"],
                deployment["metadata"]["name"],
                lambda live: live["metadata"].setdefault("annotations", {}).update({REVISION: told}),
                manager=MANAGER,
            )
        return new, ""

    def _make(self, deployment: Object, own: list[Object], number: int) -> tuple[Object | None, str]:
        meta, spec = deployment["metadata"], deployment["spec"]
        template = clone(spec["template"])
        digest = template_hash(spec["template"])
        labels = template.setdefault("metadata", {}).setdefault("labels", {})
        labels[HASH_LABEL] = digest
        selector = clone(spec["selector"])
        selector.setdefault("matchLabels", {})[HASH_LABEL] = digest
        replicas = spec.get("replicas", 1)
        surge, _missing = fence(spec)
        others = sum(_size(each) for each in own)
        size = replicas if is_recreate(spec) else max(0, min(replicas, replicas + surge - others))
        annotations = {
            key: value
            for key, value in (meta.get("annotations") or {}).items()
            if key not in _OWN_ANNOTATIONS
        }
        annotations |= {REVISION: str(number), _DESIRED: str(replicas), _MOST: str(replicas + surge)}
        name = f"{meta['name']}-{digest}"
        document = {
            "metadata": {
                "name": name,
                "labels": dict(labels),
                "annotations": annotations,
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {"replicas": size, "selector": selector, "template": template},
        }
        if spec.get("minReadySeconds"):
            document["spec"]["minReadySeconds"] = spec["minReadySeconds"]
        try:
            made = self._store.create("replicasets", meta["namespace"], document, MANAGER)
        except ApiError as refusal:
            message = f'Failed to create new replica set "{name}": {refusal.message}'
            self._say(deployment, "Warning", "ReplicaSetCreateError", message)
            return None, refusal.message
        if size:
            self._say(
                deployment, "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {size}"
            )
        return made, ""

    def _scale(self, deployment: Object, replicaset: Object, size: int) -> None:
        surge, _missing = fence(deployment["spec"])
        replicas = deployment["spec"].get("replicas", 1)
        before = _size(replicaset)
        if before == size:
            self._annotate(replicaset, replicas, replicas + surge)
            return
        meta = replicaset["metadata"]

        def change(live: Object) -> None:
            live["spec"]["replicas"] = size
            noted = {_DESIRED: str(replicas), _MOST: str(replicas + surge)}
            live["metadata"].setdefault("annotations", {}).update(noted)

        self._store.update("replicasets", meta["namespace"], meta["name"], change, manager=MANAGER)
        way = "up" if size > before else "down"
        message = f"Scaled {way} replica set {meta['name']} from {before} to {size}"
        self._say(deployment, "Normal", "ScalingReplicaSet", message)

    def _annotate(self, replicaset: Object, desired: int, most: int) -> None:
        meta = replicaset["metadata"]
        noted = {_DESIRED: str(desired), _MOST: str(most)}
        if not _size(replicaset) or noted.items() <= (meta.get("annotations") or {}).items():
            return
        self._store.update(
            "replicasets",
            meta["namespace"],
            meta["name"],
            lambda live: live["metadata"].setdefault("annotations", {}).update(noted),
            manager=MANAGER,
        )

    def _drop_old(self, deployment: Object, new: Object | None, own: list[Object]) -> None:
        """Keep no more empty old ReplicaSets than the deployment asks for."""
        kept = deployment["spec"].get("revisionHistoryLimit", 10)
        empty = [
            each
            for each in own
            if new is not None
            and each["metadata"]["uid"] != new["metadata"]["uid"]
            and not _size(each)
            and not (each.get("status") or {}).get("replicas")
        ]
        for each in sorted(empty, key=_revision)[: max(0, len(empty) - kept)]:
            self._store.delete("replicasets", each["metadata"]["namespace"], each["metadata"]["name"])

    def _adopt(self, deployment: Object, sets: list[Object]) -> list[Object]:
        """Take over ReplicaSets without a controller that the selector matches."""
        meta = deployment["metadata"]
        wanted = (deployment["spec"]["selector"].get("matchLabels") or {}).items()
        reference = owner_reference(deployment)
        adopted = []
        for each in sets:
            own = each["metadata"]
            if controller_of(each) or own["namespace"] != meta["namespace"] or terminating(each):
                continue
            if terminating(deployment) or not wanted or not wanted <= (own.get("labels") or {}).items():
                continue
            taken = self._store.update(
                "replicasets",
                own["namespace"],
                own["name"],
                lambda live: live["metadata"].update(ownerReferences=[reference]),
                manager=MANAGER,
            )
            if taken is not None:
                adopted.append(taken)
        return adopted

    def _lingering(self, deployment: Object, own: list[Object]) -> int:
        """For Recreate: how many pods of old templates still run or are on their way out."""
        if not is_recreate(deployment["spec"]):
            return 0
        new = _matching(deployment["spec"]["template"], own)
        old = {each["metadata"]["uid"] for each in own if each is not new}
        pods = self._store.list("pods", deployment["metadata"]["namespace"]) if old else []
        return sum(controller_of(pod) in old and phase(pod) not in ("Failed", "Succeeded") for pod in pods)

    def _say(self, deployment: Object, type_: str, reason: str, message: str) -> None:
        self._store.record_event(deployment, type_, reason, message, source="deployment-controller")


def _matching(template: dict[str, Any], own: list[Object]) -> Object | None:
    """The oldest ReplicaSet whose template is the deployment's, the hash label aside."""
    for each in own:
        theirs = clone(each["spec"]["template"])
        ((theirs.get("metadata") or {}).get("labels") or {}).pop(HASH_LABEL, None)
        if theirs == template:
            return each
    return None


def _is_scaled(deployment: Object, own: list[Object]) -> bool:
    """Whether the wanted count is another than when the ReplicaSets were sized."""
    wanted = str(deployment["spec"].get("replicas", 1))
    noted = [(each["metadata"].get("annotations") or {}).get(_DESIRED, wanted) for each in own if _size(each)]
    return any(each != wanted for each in noted)


def _size(replicaset: Object) -> int:
    return int(replicaset["spec"].get("replicas", 1))


def _available(replicaset: Object) -> int:
    return min(_size(replicaset), int((replicaset.get("status") or {}).get("availableReplicas", 0)))


def _revision(replicaset: Object) -> int:
    text = (replicaset["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isdecimal() else 0


def _created(replicaset: Object) -> tuple[str, int, str]:
    meta = replicaset["metadata"]
    return meta["creationTimestamp"], _revision(replicaset), meta["name"]
