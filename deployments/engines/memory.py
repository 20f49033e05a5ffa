"""How much memory a replica needs: of each GPU, term by term, and of its node.

An estimate before anything runs. Weights and KV cache follow from the model's facts; what the engine needs
besides is a rule of thumb and says so. All sizes are bytes of one GPU: tensor and pipeline parallelism
split the model over several, data parallelism repeats it. Pure: no Django, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from deployments import quantity
from deployments.context import SizingFacts
from deployments.engines.arguments import Parallelism, parallelism, token_count, value_of
from deployments.quantity import GIBI, KIBI, MEBI, show_bytes
from deployments.spec import DeploymentSpec, Resources
from deployments.vocabulary import DynamoBackend, DynamoMode, Engine

#: vLLM's --gpu-memory-utilization where nobody says otherwise.
DEFAULT_SHARE: Final = Decimal("0.9")

#: Model repositories split weights into files of at most this many bytes, with few exceptions.
LARGEST_FILE: Final = 5 * GIBI

#: vLLM's flags as Dynamo's other backends call them.
_SAME_FLAG: Final = {
    DynamoBackend.SGLANG: {
        "--max-model-len": "--context-length",
        "--gpu-memory-utilization": "--mem-fraction-static",
        "--kv-cache-dtype": "--kv-cache-dtype",
    },
    DynamoBackend.TRTLLM: {
        "--max-model-len": "--max-seq-len",
        "--gpu-memory-utilization": "--free-gpu-memory-fraction",
    },
}
_LENGTH_OF_NIM: Final = "NIM_MAX_MODEL_LEN"
_SHARE_OF_NIM: Final = ("NIM_GPU_MEM_FRACTION", "NIM_KVCACHE_PERCENT")


@dataclass(frozen=True, slots=True)
class Term:
    """One addend of the memory that a GPU needs."""

    name: str
    size: int
    """Bytes."""
    working: str
    """How the size came about, for people: "125 M parameters × 2 bytes"."""


@dataclass(frozen=True, slots=True)
class MemorySum:
    terms: tuple[Term, ...]
    available: int | None
    """Bytes of one GPU that the engine may use; None when the GPU's memory is unknown."""
    available_working: str
    concurrent: int | None
    """Requests of full context length that one replica can hold at once; None when unknown."""
    missing: tuple[str, ...] = ()
    """Facts of the model that are unknown, so that the sum is too small."""
    assumptions: tuple[str, ...] = ()
    """What has to hold for the sum besides, as sentences."""

    @property
    def needed(self) -> int:
        return sum(term.size for term in self.terms)

    @property
    def spare(self) -> int | None:
        """Bytes left over, negative when it does not fit; None when the GPU's memory is unknown."""
        return None if self.available is None else self.available - self.needed

    @property
    def weights(self) -> int:
        return self.terms[0].size


def estimate(
    spec: DeploymentSpec, sizing: SizingFacts, gpu_memory: int | None, gpus: int | None = None
) -> MemorySum | None:
    """The sum for one GPU of a replica; None when even the size of the weights is unknown.

    `gpu_memory` is the whole memory of one GPU in bytes, `gpus` how many a pod has (None: as many as a replica). The
    KV cache counts one request of full length: vLLM does not start when that does not fit, and takes all memory that
    is left for more.
    """
    weights = sizing.weights_bytes
    if weights is None:
        return None
    count = spec.resources.gpu.count if gpus is None else gpus
    split = parallelism(spec.engine.arguments if speaks_vllm(spec) else (), count)
    weights_term = _weights(weights, sizing, split)
    per_token = kv_bytes_per_token(spec, sizing, split)
    length = context_length(spec, sizing)
    terms = [weights_term]
    if per_token is not None and length is not None:
        working = f"{length:,} tokens × {_small(per_token)} per token, one request of full length"
        terms.append(Term("KV cache", length * per_token, working))
    terms += [_activations(spec, weights_term.size), _context(split)]
    share = memory_share(spec)
    available = None if gpu_memory is None else int(gpu_memory * share)
    of_what = (
        "GPU memory unknown"
        if gpu_memory is None
        else f"{_figure(share * 100)} % of {show_bytes(gpu_memory)}"
    )
    return MemorySum(
        terms=tuple(terms),
        available=available,
        available_working=of_what,
        concurrent=_concurrent(terms, available, per_token, length, split),
        missing=_missing(per_token, length),
        assumptions=_assumptions(spec),
    )


def speaks_vllm(spec: DeploymentSpec) -> bool:
    """Whether the arguments are vLLM's: its own, those of a NIM 2.x around it, and of Dynamo with that backend."""
    dynamo = spec.engine.dynamo
    return dynamo is None or dynamo.backend is DynamoBackend.VLLM


def shared_memory(resources: Resources) -> int:
    """Size of /dev/shm in bytes: what the GPUs' processes exchange, within half of the memory limit.

    Pages written there count against the container's memory limit.
    """
    wanted = 2 if resources.gpu.count <= 1 else 8 if resources.gpu.count <= 4 else 16
    half = quantity.to_bytes(resources.memory_limit) // 2
    return max(min(wanted * GIBI, half // MEBI * MEBI), MEBI)


def loading_memory(resources: Resources, weights: int) -> int:
    """Host memory in bytes while the weights load: for each GPU's process 3 GiB and one weights file, plus
    /dev/shm.

    Weights files are rarely larger than 5 GB; a process reads one at a time. A rule of thumb.
    """
    processes = max(1, resources.gpu.count)
    return processes * 3 * GIBI + min(weights, processes * LARGEST_FILE) + shared_memory(resources)


def kv_bytes_per_token(spec: DeploymentSpec, sizing: SizingFacts, split: Parallelism) -> int | None:
    """Bytes of KV cache that one token takes on one GPU; None when the model's facts do not tell.

    2 × layers × KV heads × head size × bytes per value: a key and a value for each KV head in each layer (the
    arithmetic of grouped-query attention, Ainslie et al. 2023). KV heads are divided over the tensor
    parallel GPUs and repeated where there are fewer heads than GPUs; layers are divided over the pipeline.
    Values take 2 bytes, or 1 with --kv-cache-dtype fp8. Models that compress the cache (MLA) or slide a
    window need less.
    """
    layers, heads, size = sizing.layers, sizing.kv_heads, sizing.head_size
    if layers is None or heads is None or size is None:
        return None
    fp8 = (_value(spec, "--kv-cache-dtype") or "").startswith("fp8")
    return 2 * -(-layers // split.pipeline) * -(-heads // split.tensor) * size * (1 if fp8 else 2)


def context_length(spec: DeploymentSpec, sizing: SizingFacts) -> int | None:
    """Tokens of the longest request: what the engine is told, else the model's own limit."""
    asked = _value(spec, "--max-model-len") or _variable(spec, _LENGTH_OF_NIM)
    return (token_count(asked) if asked else None) or sizing.context_length


def memory_share(spec: DeploymentSpec) -> Decimal:
    """The part of a GPU's memory that the engine may use, above 0 and at most 1."""
    asked = _value(spec, "--gpu-memory-utilization") or _variable(spec, *_SHARE_OF_NIM)
    try:
        share = Decimal(asked) if asked else DEFAULT_SHARE
    except InvalidOperation:
        return DEFAULT_SHARE
    return share if share.is_finite() and 0 < share <= 1 else DEFAULT_SHARE


def _value(spec: DeploymentSpec, flag: str) -> str | None:
    """The value of vLLM's flag, by whatever name the backend knows it; None when nobody says."""
    if speaks_vllm(spec):
        return value_of(spec.engine.arguments, flag)
    dynamo = spec.engine.dynamo
    name = _SAME_FLAG[dynamo.backend].get(flag) if dynamo else None
    return value_of(spec.engine.arguments, name) if name else None


def _variable(spec: DeploymentSpec, *names: str) -> str | None:
    """The value of a variable of NIM; None for other engines, and for a secret one."""
    if spec.engine.kind is not Engine.NIM:
        return None
    return next((v.value for v in spec.environment if v.name in names and v.value), None)


def _assumptions(spec: DeploymentSpec) -> tuple[str, ...]:
    """What is taken for granted about engines whose arithmetic is not known."""
    dynamo = spec.engine.dynamo
    if spec.engine.kind is Engine.NIM:
        return (
            "Reckoned as for vLLM. The profile that NIM chooses may hold another precision or another engine.",
        )
    if dynamo is None:
        return ()
    made = []
    if dynamo.backend is not DynamoBackend.VLLM:
        made.append(f"Reckoned as for vLLM. {dynamo.backend.label} divides GPU memory in another way.")
    if dynamo.mode is DynamoMode.DISAGGREGATED:
        made.append(
            "Prefill and decode workers each hold the whole model. The sum is that of the smaller ones."
        )
    return tuple(made)


def _weights(weights: int, sizing: SizingFacts, split: Parallelism) -> Term:
    """Parameters × bytes per parameter, divided over the GPUs that share one copy of the model."""
    shards = split.tensor * split.pipeline
    each = Decimal(sizing.bits_per_parameter or 0) / 8
    working = f"{_many(sizing.parameters or 0)} parameters × {each:f} byte{'' if each == 1 else 's'}"
    if shards > 1:
        working += f" ÷ {shards} GPUs"
    return Term("Weights", -(-weights // shards), working)


def _activations(spec: DeploymentSpec, weights: int) -> Term:
    """Room for intermediate values and captured CUDA graphs: 1 GiB plus 5 % of the weights, as a rule of
    thumb.

    vLLM measures the real figure at its start with a batch of the largest size. --enforce-eager captures no
    graphs; the rule then takes half.
    """
    size = GIBI + weights // 20
    if _value(spec, "--enforce-eager") is not None:
        return Term("Activations", size // 2, "Rule of thumb: 0.5 GiB + 2.5 % of the weights")
    return Term("Activations, CUDA graphs", size, "Rule of thumb: 1 GiB + 5 % of the weights")


def _context(split: Parallelism) -> Term:
    """What CUDA and, between several GPUs, NCCL take before the engine allocates anything; a rule of thumb."""
    if split.gpus > 1:
        return Term("CUDA context, NCCL", GIBI + 512 * MEBI, "Rule of thumb: 1 GiB + 0.5 GiB for NCCL")
    return Term("CUDA context", GIBI, "Rule of thumb: 1 GiB")


def _concurrent(
    terms: list[Term], available: int | None, per_token: int | None, length: int | None, split: Parallelism
) -> int | None:
    if available is None or not per_token or not length:
        return None
    rest = available - sum(term.size for term in terms if term.name != "KV cache")
    return max(0, rest // (per_token * length)) * split.data


def _missing(per_token: int | None, length: int | None) -> tuple[str, ...]:
    missing = ["layers, KV heads and head size"] if per_token is None else []
    return tuple(missing + (["context length"] if length is None else []))


def _small(size: int) -> str:
    return f"{_figure(Decimal(size) / KIBI)} KiB"


def _many(count: int) -> str:
    for factor, unit in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= factor:
            return f"{_figure(Decimal(count) / factor)} {unit}"
    return str(count)


def _figure(value: Decimal) -> str:
    """At most one decimal, and none where it would be zero."""
    return f"{value.quantize(Decimal('0.1')).normalize():f}"
