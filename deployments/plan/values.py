"""The values of a plan: objects as they are, steps, refusals, changes made by others. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deployments import naming

Object = dict[str, Any]

APPLIED_ANNOTATION = "slipway/applied"
HAND_OVER_MANAGER = "slipway-hand-over"

AUTOSCALERS = ("HorizontalPodAutoscaler", "ScaledObject")
WORKLOADS = ("StatefulSet", "NIMService", "DynamoGraphDeployment")


@dataclass(frozen=True, slots=True)
class ObservedObject:
    """An object as it is in the cluster, whoever made it."""

    body: Object

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def name(self) -> str:
        return str(self.metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace", ""))

    @property
    def title(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def uid(self) -> str:
        return str(self.metadata.get("uid", ""))

    @property
    def is_going(self) -> bool:
        return bool(self.metadata.get("deletionTimestamp"))

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.metadata.get("labels") or {}
        return labels

    @property
    def annotations(self) -> Mapping[str, str]:
        annotations: Mapping[str, str] = self.metadata.get("annotations") or {}
        return annotations

    @property
    def applied(self) -> str:
        """The digest of what we applied last; empty when we never did."""
        return str(self.annotations.get(APPLIED_ANNOTATION, ""))

    @property
    def spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self.body.get("spec") or {}
        return spec

    @property
    def status(self) -> Mapping[str, Any]:
        status: Mapping[str, Any] = self.body.get("status") or {}
        return status

    @property
    def metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self.body.get("metadata") or {}
        return metadata

    @property
    def is_ours(self) -> bool:
        """By label. Of which deployment it is, the label of the deployment says."""
        return self.labels.get(naming.MANAGED_BY_LABEL) == naming.PRODUCT

    def belongs_to(self, wanted: Object) -> bool:
        """Ours, and of the same deployment as a wanted object."""
        deployment = (wanted["metadata"].get("labels") or {}).get(naming.DEPLOYMENT_LABEL)
        return self.is_ours and self.labels.get(naming.DEPLOYMENT_LABEL) == deployment

    def owned_by(self, owner: ObservedObject) -> bool:
        """Whether it goes when the owner goes."""
        references = self.metadata.get("ownerReferences") or ()
        return bool(owner.uid) and any(each.get("uid") == owner.uid for each in references)

    @property
    def is_controlled(self) -> bool:
        """Whether another object's controller makes it, and would make it again."""
        return any(each.get("controller") for each in self.metadata.get("ownerReferences") or ())

    def fields_of(self, manager: str) -> Iterator[Mapping[str, Any]]:
        """What this manager has applied, in the API's own notation (fieldsV1)."""
        for entry in self.metadata.get("managedFields") or ():
            if (
                entry.get("manager") == manager
                and entry.get("operation") == "Apply"
                and not entry.get("subresource")
            ):
                yield entry.get("fieldsV1") or {}

    def owns_replicas(self, manager: str) -> bool:
        """Whether this manager's applied fields include spec.replicas."""
        return any("f:replicas" in (fields.get("f:spec") or {}) for fields in self.fields_of(manager))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a plan cannot be carried out: what is the matter, and what a person can do."""

    code: str
    sentence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody else changed of an object of ours."""

    object: str
    """ "Kind/name"."""
    paths: tuple[str, ...] = ()
    """Fields, without values: they may be secret. None: the whole object is gone."""
    by: str = ""
    """The field manager, as in "kubectl-edit"; empty when the cluster does not say."""

    def to_mapping(self) -> dict[str, Any]:
        return {"object": self.object, "paths": list(self.paths), "by": self.by}


@dataclass(frozen=True, slots=True)
class Step:
    """One object to apply, under this field manager."""

    object: Object
    manager: str = naming.FIELD_MANAGER
    why: str = ""
    """ "new", "changed", "drifted: paths", "hand over", "grow", or "rollout: what it waits for next"."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order: `prune_first`, `apply`, `orphan`, `prune`. A refused plan does nothing."""

    prune_first: tuple[ObservedObject, ...] = ()
    """What must let go before we write: an autoscaler that is no longer wanted, a workload of another engine, the
    volume of a pod that was only there for the rollout."""
    apply: tuple[Step, ...] = ()
    orphan: tuple[ObservedObject, ...] = ()
    """To be deleted while what they own stays; then they are made anew."""
    prune: tuple[ObservedObject, ...] = ()
    unchanged: tuple[str, ...] = ()
    """ "Kind/name" of what is left alone."""
    waiting_for: tuple[str, ...] = ()
    """ "Kind/name" of what is on its way out; look again soon."""
    refusal: Refusal | None = None
    drift: tuple[Change, ...] = ()
    """What others changed: repaired by `apply`, or left, by the policy."""
    is_rolling: bool = False
    """A rollout with one replica more waits for its next step."""

    @property
    def writes(self) -> bool:
        return bool(self.prune_first or self.apply or self.orphan or self.prune)

    @property
    def is_at_rest(self) -> bool:
        return not (self.writes or self.waiting_for or self.refusal)


def identity(object: Object) -> tuple[str, str]:
    return str(object["kind"]), str(object["metadata"]["name"])


def title(object: Object) -> str:
    return "/".join(identity(object))
