"""Every closed list of values in the product, with the words, tones and icons that people see.

One place, so that a status never gets its colour from a template, and a form, a document and a badge
can never disagree about what exists. Pure: no Django, no I/O.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Word(StrEnum):
    """A value that is stored, with a label that is shown."""

    label: str

    def __new__(cls, value: str, label: str = "") -> Self:  # a look-up by value gives no label
        word = str.__new__(cls, value)
        word._value_ = value
        word.label = label
        return word

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        """(value, label) pairs in order of definition, as a form field takes them."""
        return [(word.value, word.label) for word in cls]


class Tone(StrEnum):
    """The five states anything can be in; the stylesheet gives each its colour."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    BUSY = "busy"
    IDLE = "idle"


class Engine(Word):
    VLLM = "vllm", "vLLM"
    NIM = "nim", "NVIDIA NIM"
    DYNAMO = "dynamo", "NVIDIA Dynamo"


class NimRunner(Word):
    """Who makes the pods of a NIM."""

    PODS = "pods", "Slipway"
    OPERATOR = "operator", "NIM Operator"


class DynamoMode(Word):
    """Whether the same workers read prompts and write answers."""

    AGGREGATED = "aggregated", "Aggregated"
    DISAGGREGATED = "disaggregated", "Disaggregated"


class DynamoBackend(Word):
    VLLM = "vllm", "vLLM"
    SGLANG = "sglang", "SGLang"
    TRTLLM = "trtllm", "TensorRT-LLM"


class UseCase(Word):
    CHAT = "chat", "Chat"
    COMPLETION = "completion", "Completion"
    EMBEDDING = "embedding", "Embedding"
    RERANK = "rerank", "Rerank"


class SourceKind(Word):
    """Where an engine finds a model's weights."""

    HUGGING_FACE = "hugging-face", "Hugging Face repository"
    NGC = "ngc", "NGC image"
    OBJECT_STORAGE = "object-storage", "Object storage"
    VOLUME = "volume", "Volume"


class ClusterKind(Word):
    KUBECONFIG = "kubeconfig", "Kubeconfig"
    IN_CLUSTER = "in-cluster", "Service account of this pod"
    SANDBOX = "sandbox", "Sandbox"


class Reach(Word):
    """How the gateway reaches the engines of a cluster. The sandbox is always reached on loopback."""

    ENDPOINT = "endpoint", "Through the endpoint's host name"
    INSIDE = "inside", "By service, inside the cluster"


class Routing(Word):
    """How a host name reaches a deployment's service."""

    GATEWAY = "gateway", "Gateway API"
    INGRESS = "ingress", "Ingress"
    SERVICE = "service", "Service only"


class TlsMode(Word):
    NONE = "none", "No TLS"
    PEM = "pem", "Certificate and key"
    SECRET = "secret", "Existing secret"


class Sharing(Word):
    PRIVATE = "private", "Not shared"
    ALL = "all", "All organisations"
    SELECTED = "selected", "Selected organisations"


class LimitScope(Word):
    """Whose requests are counted together."""

    ORGANIZATION = "organization", "Organisation"
    USER = "user", "User"
    API_KEY = "api_key", "API key"


class ScalingMetric(Word):
    """What an autoscaler goes by. The first two every cluster can measure; the others need KEDA and Prometheus."""

    CPU = "cpu", "CPU"
    MEMORY = "memory", "Memory"
    REQUESTS_WAITING = "requests-waiting", "Requests waiting"
    KV_CACHE = "kv-cache", "KV-cache use"
    CONCURRENCY = "concurrency", "Requests at once"

    @property
    def is_of_engine(self) -> bool:
        """True for figures that the engine exports itself."""
        return self not in (ScalingMetric.CPU, ScalingMetric.MEMORY)

    @property
    def is_percentage(self) -> bool:
        return self not in (ScalingMetric.REQUESTS_WAITING, ScalingMetric.CONCURRENCY)


class RolloutStrategy(Word):
    """How replicas of a new revision take the place of the old ones."""

    AUTO = "auto", "Safe choice"
    REPLACE = "replace", "Replace in place"
    SURGE = "surge", "Start one more first"


class DriftPolicy(Word):
    """What happens to a hand-made change in the cluster."""

    REPAIR = "repair", "Repair what Slipway owns"
    LEAVE = "leave", "Leave it and say so"


class DesiredState(Word):
    """What a person asked for; what is seen is a Phase."""

    RUNNING = "running", "Running"
    STOPPED = "stopped", "Stopped"
    DELETED = "deleted", "Deleted"


class Phase(StrEnum):
    """What is seen of a deployment, with its label, tone and icon (Lucide names)."""

    label: str
    tone: Tone
    icon: str

    QUEUED = "queued", "Queued", Tone.BUSY, "loader"
    SCHEDULING = "scheduling", "Scheduling", Tone.BUSY, "loader"
    PULLING = "pulling", "Pulling image", Tone.BUSY, "loader"
    LOADING = "loading", "Loading weights", Tone.BUSY, "loader"
    SERVING = "serving", "Serving", Tone.GOOD, "circle-check"
    DEGRADED = "degraded", "Degraded", Tone.WARN, "triangle-alert"
    FAILED = "failed", "Rollout failed", Tone.BAD, "octagon-x"
    UPDATING = "updating", "Rolling out", Tone.BUSY, "loader"
    STOPPING = "stopping", "Stopping", Tone.BUSY, "loader"
    STOPPED = "stopped", "Stopped", Tone.IDLE, "circle-stop"
    DELETING = "deleting", "Deleting", Tone.BUSY, "loader"
    UNKNOWN = "unknown", "Unknown", Tone.WARN, "triangle-alert"

    def __new__(cls, value: str, label: str = "", tone: Tone = Tone.IDLE, icon: str = "") -> Self:
        phase = str.__new__(cls, value)
        phase._value_ = value
        phase.label, phase.tone, phase.icon = label, tone, icon
        return phase

    @property
    def is_moving(self) -> bool:
        """True while a page has something to wait for."""
        return self.tone is Tone.BUSY

    @property
    def needs_attention(self) -> bool:
        return self.tone in (Tone.BAD, Tone.WARN)

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        return [(phase.value, phase.label) for phase in cls]


#: The steps of a first rollout in the order in which they happen.
ROLLOUT_STEPS = (Phase.QUEUED, Phase.SCHEDULING, Phase.PULLING, Phase.LOADING, Phase.SERVING)
