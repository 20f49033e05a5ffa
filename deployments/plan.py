"""From what is wanted and what is there to what has to be done: the whole policy of a rollout, as values.

Nothing here asks or changes anything. The reconciler reads the cluster, calls `plan`, and carries out the steps in
their order; as often as it is called again with the same world, it gets the same answer, and an empty one when
nothing differs. That is what makes a rollout safe to interrupt at any point.

- Objects are applied in the order of the manifests and pruned in the opposite sense: traffic first, data last.
- An object is left alone when the digest of what we applied last is that of what we want now, and everything we
  want is still found in it (likeness.py). The digest is keyed, because it also covers secrets.
- An object of the same name that is not ours, and a change that Kubernetes does not allow, refuse the whole plan
  with a reason: half a rollout is worse than none. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployments import naming
from deployments.likeness import differences, is_like

APPLIED_ANNOTATION = "slipway/applied"
HAND_OVER_MANAGER = "slipway-hand-over"

Object = dict[str, Any]

#: What goes first when a deployment goes. Stages in one tuple go together; the next waits until they are gone.
_DELETE_STAGES: tuple[tuple[str, ...], ...] = (
    ("HTTPRoute", "Ingress", "HorizontalPodAutoscaler", "StatefulSet"),
    ("Pod",),
    ("Service", "ConfigMap", "Secret", "PersistentVolumeClaim"),
)
_DELETE_ORDER = tuple(kind for stage in _DELETE_STAGES for kind in stage)
#: Fields of a StatefulSet that stay as they were made, with the words for them.
_FIXED = {
    "serviceName": "the name of its service",
    "podManagementPolicy": "the order in which its replicas start",
    "selector": "the labels that find its replicas",
}


@dataclass(frozen=True, slots=True)
class ObservedObject:
    """An object as it is in the cluster, whoever made it."""

    body: Object

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def name(self) -> str:
        return str(self._metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        return str(self._metadata.get("namespace", ""))

    @property
    def uid(self) -> str:
        return str(self._metadata.get("uid", ""))

    @property
    def is_going(self) -> bool:
        return bool(self._metadata.get("deletionTimestamp"))

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self._metadata.get("labels") or {}
        return labels

    @property
    def applied(self) -> str:
        """The digest of what we applied last; empty when we never did."""
        return str((self._metadata.get("annotations") or {}).get(APPLIED_ANNOTATION, ""))

    @property
    def _metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self.body.get("metadata") or {}
        return metadata

    def owns_replicas(self, manager: str) -> bool:
        """Whether this manager's applied fields include spec.replicas."""
        return any(
            entry.get("manager") == manager
            and entry.get("operation") == "Apply"
            and not entry.get("subresource")
            and "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
            for entry in self._metadata.get("managedFields") or ()
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a plan cannot be carried out: what is the matter, and what a person can do."""

    code: str
    sentence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Step:
    """One object to apply, under this field manager."""

    object: Object
    manager: str = naming.FIELD_MANAGER
    why: str = ""
    """"new", "changed", "drifted: paths" or "hand over"."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order: `prune_first`, `apply`, `prune`. A refused plan does nothing."""

    prune_first: tuple[ObservedObject, ...] = ()
    """The autoscaler that is no longer wanted: it must let go of the replicas before we set them."""
    apply: tuple[Step, ...] = ()
    prune: tuple[ObservedObject, ...] = ()
    unchanged: tuple[str, ...] = ()
    """ "Kind/name" of what is left alone."""
    waiting_for: tuple[str, ...] = ()
    """ "Kind/name" of what is on its way out; look again soon."""
    refusal: Refusal | None = None

    @property
    def is_at_rest(self) -> bool:
        return not (self.prune_first or self.apply or self.prune or self.waiting_for or self.refusal)


def plan(desired: Sequence[Object], observed: Sequence[ObservedObject], *, key: bytes) -> Plan:
    """What makes the cluster as desired. Nothing desired: everything of ours goes, in stages.

    `observed` holds every object with our labels, and every object, whoever made it, that has the kind and name of
    a desired one. `key` keeps the digests of secrets from being guessed.
    """
    if not desired:
        return _removal([item for item in observed if _is_ours(item)])
    live = {(item.kind, item.name): item for item in observed}
    refusal = _refusal(desired, live)
    if refusal:
        return Plan(refusal=refusal)
    steps: list[Step] = []
    unchanged: list[str] = []
    waiting: list[str] = []
    for object in desired:
        item = live.get(_identity(object))
        if item is not None and item.is_going:
            waiting.append(_title(object))
            continue
        found = _steps(object, item, desired, key)
        steps += found
        if not found:
            unchanged.append(_title(object))
    wanted = {_identity(object) for object in desired}
    leftover = [
        item
        for item in observed
        # The volumes are made by the StatefulSet: they are ours, and yet in no manifest.
        if (item.kind, item.name) not in wanted
        and _is_ours(item)
        and item.kind not in ("PersistentVolumeClaim", "Pod")
        and not item.is_going
    ]
    leftover.sort(key=_delete_rank)
    return Plan(
        prune_first=tuple(item for item in leftover if item.kind == "HorizontalPodAutoscaler"),
        apply=tuple(steps),
        prune=tuple(item for item in leftover if item.kind != "HorizontalPodAutoscaler"),
        unchanged=tuple(unchanged),
        waiting_for=tuple(waiting),
    )


def digest(object: Object, key: bytes) -> str:
    """A keyed digest of everything that an object says, our own annotation left out."""
    metadata = dict(object.get("metadata") or {})
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != APPLIED_ANNOTATION}
    canonical = {**object, "metadata": {**metadata, "annotations": annotations}}
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]


def stamped(object: Object, key: bytes) -> Object:
    """The object with the digest of itself, as it is applied."""
    metadata = object.get("metadata") or {}
    annotations = {**(metadata.get("annotations") or {}), APPLIED_ANNOTATION: digest(object, key)}
    return {**object, "metadata": {**metadata, "annotations": annotations}}


def live_replicas(observed: Sequence[ObservedObject]) -> int | None:
    """The workload's replicas now; None when there is no workload."""
    for item in observed:
        if item.kind == "StatefulSet" and _is_ours(item) and not item.is_going:
            count = (item.body.get("spec") or {}).get("replicas")
            return int(count) if count is not None else 1
    return None


def _steps(object: Object, item: ObservedObject | None, desired: Sequence[Object], key: bytes) -> list[Step]:
    wanted = stamped(object, key)
    if item is None:
        return [Step(wanted, why="new")]
    if item.applied != wanted["metadata"]["annotations"][APPLIED_ANNOTATION]:
        return [*_hand_over(object, item, desired), Step(wanted, why="changed")]
    if not is_like(wanted, item.body):
        return [Step(wanted, why="drifted: " + ", ".join(differences(wanted, item.body)[:5]))]
    return []


def _hand_over(object: Object, item: ObservedObject, desired: Sequence[Object]) -> list[Step]:
    """Keeps the number of replicas while its ownership goes from us to the autoscaler.

    A field that its only owner stops applying falls back to its default, here one replica: a running deployment
    would collapse to one. So a second manager applies the present number first; the autoscaler takes it from there.
    """
    replicas = (item.body.get("spec") or {}).get("replicas")
    if (
        object["kind"] != "StatefulSet"
        or "replicas" in object["spec"]
        or replicas is None
        or not item.owns_replicas(naming.FIELD_MANAGER)
    ):
        return []
    autoscaler = next((o for o in desired if o["kind"] == "HorizontalPodAutoscaler"), None)
    # An autoscaler leaves a workload with zero replicas alone, as one that was stopped on purpose.
    least = (autoscaler or {}).get("spec", {}).get("minReplicas", 1)
    metadata = {key: object["metadata"][key] for key in ("name", "namespace") if key in object["metadata"]}
    partial = {
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "metadata": metadata,
        "spec": {"replicas": max(int(replicas), int(least))},
    }
    return [Step(partial, manager=HAND_OVER_MANAGER, why="hand over")]


def _refusal(desired: Sequence[Object], live: Mapping[tuple[str, str], ObservedObject]) -> Refusal | None:
    for object in desired:
        item = live.get(_identity(object))
        if item is None:
            continue
        if not _is_ours(item, like=object):
            return Refusal(
                "foreign-object",
                f"There is a {item.kind} {item.name} in namespace {item.namespace} that Slipway did not make.",
                "Remove or rename it, or deploy under another name.",
            )
        if item.kind == "StatefulSet" and not item.is_going and (refusal := _fixed_field(object, item)):
            return refusal
    return None


def _fixed_field(object: Object, item: ObservedObject) -> Refusal | None:
    """A change of a StatefulSet that the API would refuse with a list of field names."""
    wanted, found = object.get("spec") or {}, item.body.get("spec") or {}
    if not is_like({"v": wanted.get("volumeClaimTemplates") or []}, {"v": found.get("volumeClaimTemplates")}):
        before, after = _volume_size(found), _volume_size(wanted)
        change = f"from {before} to {after}" if before != after else "once it exists"
        return Refusal(
            "fixed-field",
            f"The volume of a replica cannot change {change}: Kubernetes fixes it when the workload is made.",
            f"Set it back to {before}, or delete the deployment and create it again with the new volume."
            if before != after
            else "Undo the change, or delete the deployment and create it again.",
        )
    for name, words in _FIXED.items():
        if name in wanted and not is_like({name: wanted[name]}, {name: found.get(name)}):
            return Refusal(
                "fixed-field",
                f"{item.name} cannot change {words}: Kubernetes fixes it when the workload is made.",
                "Delete the deployment and create it again.",
            )
    return None


def _volume_size(spec: Mapping[str, Any]) -> str:
    for template in spec.get("volumeClaimTemplates") or ():
        size = ((template.get("spec") or {}).get("resources") or {}).get("requests", {}).get("storage")
        if size:
            return str(size)
    return "none"


def _removal(observed: Sequence[ObservedObject]) -> Plan:
    """The first stage that still has objects: those not yet told to go, and all that must be gone before the next."""
    for stage in _DELETE_STAGES:
        present = sorted((item for item in observed if item.kind in stage), key=_delete_rank)
        if present:
            return Plan(
                # Pods go with their workload; deleting them here would only race with it.
                prune=tuple(item for item in present if not item.is_going and item.kind != "Pod"),
                waiting_for=tuple(f"{item.kind}/{item.name}" for item in present),
            )
    return Plan()


def _delete_rank(item: ObservedObject) -> tuple[int, str]:
    rank = _DELETE_ORDER.index(item.kind) if item.kind in _DELETE_ORDER else len(_DELETE_ORDER)
    return rank, item.name


def _is_ours(item: ObservedObject, like: Object | None = None) -> bool:
    """Ours by label; and, for an object that we want, of the same deployment."""
    if item.labels.get(naming.MANAGED_BY_LABEL) != naming.PRODUCT:
        return False
    if like is None:
        return True
    wanted = (like["metadata"].get("labels") or {}).get(naming.DEPLOYMENT_LABEL)
    return item.labels.get(naming.DEPLOYMENT_LABEL) == wanted


def _identity(object: Object) -> tuple[str, str]:
    return str(object["kind"]), str(object["metadata"]["name"])


def _title(object: Object) -> str:
    return "/".join(_identity(object))
