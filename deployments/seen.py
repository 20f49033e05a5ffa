"""The values that go into a judgement (Seen) and come out of it (Status). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from deployments.kube.decode import Autoscaler, Claim, Event, Pod, ScaledObject
from deployments.spec import DeploymentSpec
from deployments.vocabulary import DesiredState, Phase, Tone
from deployments.workload import Workload


@dataclass(frozen=True, slots=True)
class StoredRefusal:
    """Why the reconciler could not write the deployment to the cluster."""

    code: str
    sentence: str
    remedy: str
    terminal: bool
    """True: somebody has to change something; False: it is tried again."""

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any] | None) -> StoredRefusal | None:
        if not raw:
            return None
        words = {key: str(raw.get(key, "")) for key in ("code", "sentence", "remedy")}
        return cls(**words, terminal=bool(raw.get("terminal", True)))


@dataclass(frozen=True, slots=True)
class Seen:
    """One deployment: what is wanted, and everything that one look at its cluster showed of it."""

    spec: DeploymentSpec
    revision: int
    """The newest revision."""
    desired: DesiredState
    asked_at: datetime
    """When somebody last changed what is wanted."""
    observed_at: datetime
    applied_revision: int = 0
    """The revision that the workload carries."""
    refusal: StoredRefusal | None = None
    workload: Workload | None = None
    pods: Sequence[Pod] = ()
    claims: Sequence[Claim] = ()
    events: Sequence[Event] = ()
    autoscaler: Autoscaler | None = None
    scaled_object: ScaledObject | None = None
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Last lines of dead containers, by pod."""
    revisions: Mapping[str, int] = field(default_factory=dict)
    """Which of our revisions a pod of a controller revision (its hash) runs."""
    last_phase: Phase | None = None
    last_wanted: int = 0
    idle_since: datetime | None = None
    """Since when the operator of the workload has been seen not to act on it; None: it acts, or there is none."""
    unreadable: str = ""
    """Why the workload's kind could not be listed, as a sentence; empty when it was."""

    def events_of(self, kind: str, name: str) -> list[Event]:
        return [e for e in self.events if e.involved_object.kind == kind and e.involved_object.name == name]


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """One pod as people see it."""

    name: str
    label: str
    tone: Tone
    sentence: str = ""
    """Why it does not serve; empty when it does or is on its way."""
    node: str = ""
    restarts: int = 0
    since: datetime | None = None
    """Since when it has been in this state."""
    gpus: int = 0
    """GPUs that this pod takes; Dynamo's frontend takes none."""
    role: str = ""
    """ "frontend", "worker", "prefill", "decode"; empty when all pods are alike."""
    extra: bool = False
    """One more than wanted, for the time of a rollout."""
    container: str = ""
    """The engine's container, when the pod has several; logs are asked for by its name."""
    revision: int | None = None
    """None: unknown."""
    current: bool = True


@dataclass(frozen=True, slots=True)
class VolumeStatus:
    """A volume of the deployment; those of replicas that are gone stay until it is deleted."""

    name: str
    size: str
    """A Kubernetes quantity: what it has, or what was asked for until it is there. Empty: not told."""


@dataclass(frozen=True, slots=True)
class EventLine:
    at: datetime | None
    kind: str
    name: str
    reason: str
    message: str
    times: int
    warning: bool


@dataclass(frozen=True, slots=True)
class Scaling:
    """What the autoscaler sees and does."""

    metric: str
    """A ScalingMetric."""
    unit: str
    """ "percent" (of the request, or of the KV cache) or "requests"; current and target are means over all replicas."""
    current: float | None
    """None: not measured."""
    target: float | None
    replicas: int
    """Now, of the pods that it changes."""
    desired: int
    """As it last computed, within its bounds."""
    minimum: int
    maximum: int
    last_scaled_at: datetime | None = None
    capped: bool = False
    """It wants more than its maximum."""
    capped_since: datetime | None = None
    reason: str = ""
    """Why it cannot act, with the remedy; empty when it can."""
    events: tuple[EventLine, ...] = ()
    """Its last events, newest first."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the judgement rests on; newest event first, log lines in their order."""

    events: tuple[EventLine, ...] = ()
    log: tuple[str, ...] = ()
    log_of: str = ""
    """The pod of the log lines."""

    def to_mapping(self) -> dict[str, Any]:
        """Only what JSON knows."""
        mapping: dict[str, Any] = msgspec.to_builtins(self)
        return mapping


@dataclass(frozen=True, slots=True)
class Status:
    """What is said about a deployment at one moment."""

    phase: Phase
    sentence: str
    remedy: str
    code: str
    """A stable word for what the sentence says."""
    ready: int
    wanted: int
    revision: int
    serving_revision: int | None
    replicas: tuple[ReplicaStatus, ...]
    remarks: tuple[str, ...]
    evidence: Evidence
    observed_at: datetime
    scaling: Scaling | None = None
    """None while no autoscaler is there."""
    volumes: tuple[VolumeStatus, ...] = ()

    @property
    def content(self) -> tuple[object, ...]:
        """All that is said, without the moment at which it was seen."""
        return (
            self.phase,
            self.sentence,
            self.remedy,
            self.code,
            self.ready,
            self.wanted,
            self.revision,
            self.serving_revision,
            self.replicas,
            self.remarks,
            self.evidence,
            self.scaling,
            self.volumes,
        )

    def to_mapping(self) -> dict[str, Any]:
        """The details for the deployment's own page; only what JSON knows. The rest has columns."""
        return {
            "code": self.code,
            "serving_revision": self.serving_revision,
            "replicas": msgspec.to_builtins(self.replicas),
            "remarks": list(self.remarks),
            "scaling": msgspec.to_builtins(self.scaling),
            "volumes": msgspec.to_builtins(self.volumes),
            **self.evidence.to_mapping(),
        }
