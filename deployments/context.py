"""What a manifest needs beyond the spec: the catalogue's and the endpoint's facts, and the moment's.

The spec names a model and an endpoint; these are the values behind the names, read once by whoever renders,
so that rendering stays a pure function. Pure: no Django, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from deployments.vocabulary import RolloutStrategy, Routing, SourceKind, TlsMode, UseCase


@dataclass(frozen=True, slots=True)
class SizingFacts:
    """Facts of a model for the memory arithmetic; any may be unknown."""

    parameters: int | None = None
    bits_per_parameter: int | None = None
    layers: int | None = None
    attention_heads: int | None = None
    kv_heads: int | None = None
    head_size: int | None = None
    context_length: int | None = None
    """Tokens, prompt and answer together."""

    @property
    def weights_bytes(self) -> int | None:
        """Size of the weights; None unless both the parameters and their size are known."""
        if self.parameters is None or self.bits_per_parameter is None:
            return None
        return -(-self.parameters * self.bits_per_parameter // 8)


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where the weights come from."""

    reference: str
    """A repository ("facebook/opt-125m"), image, bucket URL or path, by kind."""
    kind: SourceKind = SourceKind.HUGGING_FACE
    revision: str = ""
    """A commit or tag of the repository; empty: the newest at the time of loading."""
    use_case: UseCase = UseCase.CHAT
    sizing: SizingFacts = field(default_factory=SizingFacts)

    def to_mapping(self) -> dict[str, Any]:
        """Only what JSON knows; kept with a revision."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> Self:
        """What to_mapping() gave."""
        return cls(
            reference=raw["reference"],
            kind=SourceKind(raw["kind"]),
            revision=raw["revision"],
            use_case=UseCase(raw["use_case"]),
            sizing=SizingFacts(**raw["sizing"]),
        )

    def same_weights(self, other: ModelSource) -> bool:
        """Whether replicas would load the same; facts for estimates do not count."""
        return replace(self, sizing=SizingFacts()) == replace(other, sizing=SizingFacts())


@dataclass(frozen=True, slots=True)
class Exposure:
    """How an endpoint publishes a deployment."""

    hostname: str = ""
    routing: Routing = Routing.SERVICE
    gateway_name: str = ""
    gateway_namespace: str = ""
    gateway_section: str = ""
    ingress_class: str = ""
    tls: TlsMode = TlsMode.NONE
    tls_secret: str = ""
    """Name of the existing TLS secret, for mode "secret". A PEM pair becomes one secret per deployment."""


@dataclass(frozen=True, slots=True)
class ClusterOffers:
    """What a cluster has beyond Kubernetes itself that decides how an object is written."""

    dynamo_versions: tuple[str, ...] = ("v1beta1",)
    """Served versions of DynamoGraphDeployment; empty: no operator."""
    nim_operator: bool = True
    keda: bool = True
    prometheus_url: str = ""
    """Where KEDA asks for the engines' figures; empty: not known."""


PLAIN_KUBERNETES = ClusterOffers(dynamo_versions=(), nim_operator=False, keda=False)


@dataclass(frozen=True, slots=True)
class RenderContext:
    """Everything besides the spec that decides a deployment's objects."""

    namespace: str
    source: ModelSource
    exposure: Exposure = field(default_factory=Exposure)
    revision: int = 1
    stopped: bool = False
    """Zero replicas, configuration kept."""
    weights_token: str | None = field(default=None, repr=False)
    """Access token for gated weights (HF_TOKEN); None when the model needs none."""
    secret_values: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values of the spec's secret variables by name."""
    checksum_key: bytes = field(default=b"", repr=False)
    """Key of the checksum that restarts pods when a secret value changes; empty: no checksum is written."""
    ngc_key: str | None = field(default=None, repr=False)
    """NVIDIA's key: it pulls images from nvcr.io and lets NIM fetch its weights. None: keyless."""
    registry_credentials: str | None = field(default=None, repr=False)
    """A .dockerconfigjson document, when the image needs one."""
    pull_secret: str = ""
    """Name of a registry secret that is in the namespace already, and not ours."""
    tls_pair: tuple[str, str] | None = field(default=None, repr=False)
    """(certificate chain, private key) in PEM, when the endpoint brings its own."""
    storage_class: str | None = None
    strategy: RolloutStrategy = RolloutStrategy.REPLACE
    """How this revision rolls out: REPLACE or SURGE, never AUTO."""
    restarted_at: str = ""
    """When somebody last asked for a restart (ISO 8601); part of the pod template."""
    offers: ClusterOffers = field(default_factory=ClusterOffers)
