"""Kubernetes objects as we read them: just the fields that a status is judged by.

A list is decoded in one pass from the bytes of the answer. The official client's model objects take a hundred
times longer for the same bytes, and a look at 1,000 deployments has to fit between two ticks. Unknown fields are
skipped and missing ones have a neutral value, so that an older or newer API server changes nothing. Pure.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from deployments.kube.errors import Unreadable


class Part(msgspec.Struct, rename="camel", frozen=True, omit_defaults=True, gc=False):
    """A piece of an object, spelled as the API spells it.

    Answers are trees, so the cycle collector need not walk through their tens of thousands of parts.
    """


class Metadata(Part, frozen=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: tuple[str, ...] | None = None

    def label(self, key: str) -> str:
        return (self.labels or {}).get(key, "")


class Condition(Part, frozen=True):
    type: str
    status: str = "Unknown"
    reason: str | None = None
    message: str | None = None
    last_transition_time: datetime | None = None
    observed_generation: int = 0
    """Of the object, when the condition was set; 0: not told."""


# Pods


class Probe(Part, frozen=True):
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    failure_threshold: int = 3


class Demands(Part, frozen=True):
    requests: dict[str, str | int] | None = None
    limits: dict[str, str | int] | None = None


class Container(Part, frozen=True):
    name: str
    image: str = ""
    startup_probe: Probe | None = None
    resources: Demands | None = None


class PodSpec(Part, frozen=True):
    node_name: str = ""
    containers: tuple[Container, ...] = ()


class Waiting(Part, frozen=True):
    reason: str = ""
    message: str = ""


class Running(Part, frozen=True):
    started_at: datetime | None = None


class Terminated(Part, frozen=True):
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    finished_at: datetime | None = None
    container_id: str = msgspec.field(default="", name="containerID")


class ContainerState(Part, frozen=True):
    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Part, frozen=True):
    name: str = ""
    image: str = ""
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    state: ContainerState | None = None
    last_state: ContainerState | None = None


class PodStatus(Part, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None
    init_container_statuses: tuple[ContainerStatus, ...] | None = None


class Pod(Part, frozen=True):
    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    def condition(self, type: str) -> Condition | None:
        return next((c for c in self.status.conditions or () if c.type == type), None)

    def container(self, name: str) -> Container | None:
        return next((container for container in self.spec.containers if container.name == name), None)

    def takes(self, resource: str) -> int:
        """How many devices of this name its containers take together; devices come in whole numbers."""
        total = 0
        for container in self.spec.containers:
            limits = container.resources.limits if container.resources else None
            amount = str(limits.get(resource, "")) if limits else ""
            if amount.isascii() and amount.isdigit():
                total += int(amount)
        return total

    def asks(self, resource: str) -> str:
        """What its first container requests, as a quantity; empty when that is not told."""
        demands = self.spec.containers[0].resources if self.spec.containers else None
        return str((demands.requests or {}).get(resource, "")) if demands else ""

    @property
    def is_ready(self) -> bool:
        """Serving: ready, and not on its way out."""
        ready = self.condition("Ready")
        return ready is not None and ready.status == "True" and self.metadata.deletion_timestamp is None


# Workloads


class RollingUpdate(Part, frozen=True):
    partition: int = 0


class UpdateStrategy(Part, frozen=True):
    rolling_update: RollingUpdate | None = None


class StatefulSetSpec(Part, frozen=True):
    replicas: int = 1
    update_strategy: UpdateStrategy | None = None


class StatefulSetStatus(Part, frozen=True):
    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""


class StatefulSet(Part, frozen=True):
    metadata: Metadata
    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()


class MetricValue(Part, frozen=True):
    """A target, or what is measured; percent of the request, or a quantity."""

    average_utilization: int | None = None
    average_value: str | int | None = None
    value: str | int | None = None


class MetricSource(Part, frozen=True):
    """One metric's source: `target` where it is asked for, `current` where it is reported."""

    name: str = ""
    """Of a resource."""
    target: MetricValue | None = None
    current: MetricValue | None = None


class Metric(Part, frozen=True):
    resource: MetricSource | None = None
    external: MetricSource | None = None

    @property
    def source(self) -> MetricSource | None:
        return self.resource or self.external


class AutoscalerSpec(Part, frozen=True):
    min_replicas: int | None = None
    max_replicas: int = 1
    metrics: tuple[Metric, ...] | None = None


class AutoscalerStatus(Part, frozen=True):
    current_replicas: int = 0
    desired_replicas: int = 0
    last_scale_time: datetime | None = None
    current_metrics: tuple[Metric, ...] | None = None
    conditions: tuple[Condition, ...] | None = None


class Autoscaler(Part, frozen=True):
    metadata: Metadata
    spec: AutoscalerSpec = AutoscalerSpec()
    status: AutoscalerStatus = AutoscalerStatus()


class ScaledObjectStatus(Part, frozen=True):
    conditions: tuple[Condition, ...] | None = None


class ScaledObject(Part, frozen=True):
    """KEDA's order for an autoscaler."""

    metadata: Metadata
    status: ScaledObjectStatus = ScaledObjectStatus()


# Volumes, nodes, events


class ClaimSpec(Part, frozen=True):
    storage_class_name: str | None = None
    resources: Demands | None = None


class ClaimStatus(Part, frozen=True):
    phase: str = ""
    capacity: dict[str, str | int] | None = None
    conditions: tuple[Condition, ...] | None = None


class Claim(Part, frozen=True):
    """A PersistentVolumeClaim."""

    metadata: Metadata
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()


class Taint(Part, frozen=True):
    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(Part, frozen=True):
    unschedulable: bool = False
    taints: tuple[Taint, ...] | None = None


class NodeStatus(Part, frozen=True):
    allocatable: dict[str, str | int] | None = None
    conditions: tuple[Condition, ...] | None = None


class Node(Part, frozen=True):
    metadata: Metadata
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class InvolvedObject(Part, frozen=True):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class Series(Part, frozen=True):
    count: int = 0
    last_observed_time: datetime | None = None


class Event(Part, frozen=True):
    metadata: Metadata
    involved_object: InvolvedObject = InvolvedObject()
    type: str = "Normal"
    reason: str | None = None
    message: str | None = None
    count: int | None = None
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    series: Series | None = None

    @property
    def at(self) -> datetime | None:
        """The last time that it happened; which field holds it depends on who wrote the event."""
        in_series = self.series.last_observed_time if self.series else None
        return in_series or self.last_timestamp or self.event_time or self.metadata.creation_timestamp

    @property
    def times(self) -> int:
        return max(self.count or 0, self.series.count if self.series else 0, 1)


# Facts of a cluster


class StorageClass(Part, frozen=True):
    metadata: Metadata
    provisioner: str = ""
    volume_binding_mode: str = "Immediate"
    allow_volume_expansion: bool = False


class Named(Part, frozen=True):
    """An object of which only the metadata is read."""

    metadata: Metadata


T = TypeVar("T")


class ObjectList(Part, Generic[T], frozen=True):
    """A list answer; `resource_version` of the list itself is its metadata's."""

    items: tuple[T, ...] | None = None


_DECODERS: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def read_list(kind: type[T], body: bytes) -> tuple[T, ...]:
    """All objects of a list answer, in one pass. Raises Unreadable."""
    answer: ObjectList[T] = _decode(ObjectList[kind], body)  # type: ignore[valid-type]
    return answer.items or ()


def read_one(kind: type[T], body: bytes) -> T:
    """One object. Raises Unreadable."""
    one: T = _decode(kind, body)
    return one


def _decode(kind: Any, body: bytes) -> Any:
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    if _NUL in body:
        body = _without_nul(body)
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        # The decoder's message names a path and a type, never a value.
        raise Unreadable(f"The answer is not what a Kubernetes API sends: {str(error)[:200]}.") from None


_NUL = b"\\u0000"


def _without_nul(body: bytes) -> bytes:
    """The same JSON without NUL characters in its texts: engines print what they like, PostgreSQL stores none."""
    try:
        return msgspec.json.encode(_cleaned(msgspec.json.decode(body)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("The answer is not what a Kubernetes API sends.") from None


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    return value
