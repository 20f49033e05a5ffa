"""The desired state of one deployment as frozen values.

Everything that makes or judges Kubernetes objects takes a DeploymentSpec and nothing else of ours, so a
document, a wizard draft and a stored revision all mean the same thing. Reading and writing the YAML document
is document/'s job. Pure: no Django, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from deployments.vocabulary import (
    DynamoBackend,
    DynamoMode,
    Engine,
    LimitScope,
    NimRunner,
    RolloutStrategy,
    ScalingMetric,
    Sharing,
)

GPU_RESOURCE = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True)
class NimSpec:
    """What only NVIDIA NIM has."""

    profile: str = ""
    """A profile's id (64 hexadecimal digits) or name; empty: NIM chooses by the GPUs that it finds."""
    runner: NimRunner = NimRunner.PODS


@dataclass(frozen=True, slots=True)
class Workers:
    """Dynamo workers of one role."""

    replicas: int = 1
    gpus: int | None = None
    """GPUs of each; None: as many as `resources.gpu.count`."""


@dataclass(frozen=True, slots=True)
class DynamoSpec:
    """What only NVIDIA Dynamo has."""

    mode: DynamoMode = DynamoMode.AGGREGATED
    backend: DynamoBackend = DynamoBackend.VLLM
    prefill: Workers = field(default_factory=Workers)
    decode: Workers = field(default_factory=Workers)
    """Prefill and decode count in disaggregated mode only; aggregated workers are the engine's replicas."""


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """The container image and how it is run."""

    kind: Engine
    image: str
    tag: str
    replicas: int = 1
    volume: str = "100Gi"
    """Storage per replica, as a Kubernetes quantity."""
    arguments: tuple[str, ...] = ()
    nim: NimSpec | None = None
    """Set exactly when the engine is NIM."""
    dynamo: DynamoSpec | None = None
    """Set exactly when the engine is Dynamo."""

    @property
    def reference(self) -> str:
        """The image as a kubelet pulls it."""
        return f"{self.image}@{self.tag}" if self.tag.startswith("sha256:") else f"{self.image}:{self.tag}"


@dataclass(frozen=True, slots=True)
class Gpu:
    """GPUs of one replica."""

    count: int = 1
    resource: str = GPU_RESOURCE
    product: str | None = None
    """Node label nvidia.com/gpu.product; None lets the scheduler choose."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What one replica gets; CPU and memory are Kubernetes quantities."""

    cpu_request: str = "4"
    memory_request: str = "24Gi"
    cpu_limit: str | None = "8"
    memory_limit: str = "48Gi"
    gpu: Gpu = field(default_factory=Gpu)


@dataclass(frozen=True, slots=True)
class PodGroup:
    """Pods that are alike: all replicas of a deployment, or Dynamo's workers of one role."""

    role: str
    """ "replica", or Dynamo's "worker", "prefill", "decode"."""
    replicas: int
    gpus: int
    """GPUs of each pod."""


@dataclass(frozen=True, slots=True)
class Autoscaling:
    enabled: bool = False
    min_replicas: int = 1
    max_replicas: int = 4
    metric: ScalingMetric = ScalingMetric.CPU
    threshold: int = 80
    """By metric, as a mean over all replicas: percent of the request (CPU, memory), percent of the KV cache, or a
    number of requests."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable. A secret one has no value here: values travel apart, encrypted."""

    name: str
    value: str | None = None
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """Tokens are input plus output. None: no limit."""

    tokens_per_minute: int | None = None
    requests_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class RateLimits:
    organization: Limit | None = None
    user: Limit | None = None
    api_key: Limit | None = None

    def by_scope(self) -> dict[LimitScope, Limit]:
        """Only the scopes that have a limit."""
        limits = {
            LimitScope.ORGANIZATION: self.organization,
            LimitScope.USER: self.user,
            LimitScope.API_KEY: self.api_key,
        }
        return {scope: limit for scope, limit in limits.items() if limit is not None}


@dataclass(frozen=True, slots=True)
class Pricing:
    """Price per one million tokens, exact, in units of the currency (ISO 4217)."""

    currency: str
    input_per_million: Decimal
    output_per_million: Decimal
    cached_input_per_million: Decimal | None = None
    """For input that the engine had in its cache; None: like other input."""


@dataclass(frozen=True, slots=True)
class SharingSpec:
    mode: Sharing = Sharing.PRIVATE
    organizations: tuple[str, ...] = ()
    """Slugs, sorted; only for mode "selected"."""


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    """One deployment: what a person wants to run."""

    name: str
    model: str
    endpoint: str
    engine: EngineSpec
    description: str = ""
    resources: Resources = field(default_factory=Resources)
    autoscaling: Autoscaling = field(default_factory=Autoscaling)
    environment: tuple[Variable, ...] = ()
    rate_limits: RateLimits = field(default_factory=RateLimits)
    pricing: Pricing | None = None
    """None: nobody has said what it costs; usage is then recorded as unpriced."""
    sharing: SharingSpec = field(default_factory=SharingSpec)
    rollout: RolloutStrategy = RolloutStrategy.AUTO

    @property
    def groups(self) -> tuple[PodGroup, ...]:
        """The pods that take GPUs, as they are wanted at least; Dynamo's frontend takes none."""
        scaling, gpus = self.autoscaling, self.resources.gpu.count
        replicas = scaling.min_replicas if scaling.enabled else self.engine.replicas
        dynamo = self.engine.dynamo
        if dynamo is None:
            return (PodGroup("replica", replicas, gpus),)
        if dynamo.mode is DynamoMode.AGGREGATED:
            return (PodGroup("worker", replicas, gpus),)
        return tuple(
            PodGroup(role, scaling.min_replicas if scaled else workers.replicas, workers.gpus or gpus)
            for role, workers, scaled in (
                ("prefill", dynamo.prefill, False),
                # The autoscaler adds decode workers: they hold the answers being written.
                ("decode", dynamo.decode, scaling.enabled),
            )
        )

    @property
    def pods_at_least(self) -> int:
        """All pods that are wanted at least: with Dynamo, its frontend is one more than the workers."""
        return sum(group.replicas for group in self.groups) + (self.engine.dynamo is not None)

    def workers_among(self, pods: int) -> int:
        """Of so many pods, those that work: Dynamo's frontend passes requests on. Of none: as many as are wanted."""
        working = pods - (self.engine.dynamo is not None)
        return working if working > 0 else sum(group.replicas for group in self.groups)

    @property
    def replicas_at_most(self) -> int:
        return self.autoscaling.max_replicas if self.autoscaling.enabled else self.engine.replicas

    @property
    def secret_names(self) -> tuple[str, ...]:
        return tuple(variable.name for variable in self.environment if variable.secret)
