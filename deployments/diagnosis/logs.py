"""Lines of an engine's log that say why it died, and what to do about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from deployments.diagnosis.finding import brief
from deployments.vocabulary import Engine


@dataclass(frozen=True, slots=True)
class Cause:
    """What a log pattern means: `sentence` says what is the matter, without naming the replica."""

    code: str
    sentence: str
    remedy: str


_CAUSES: tuple[tuple[re.Pattern[str], Cause], ...] = tuple(
    (re.compile(pattern), Cause(code, sentence, remedy))
    for pattern, code, sentence, remedy in (
        (
            (
                r"CUDA out of memory|OutOfMemoryError: CUDA|No available memory for the cache blocks"
                r"|KV cache is needed, which is larger than the available"
            ),
            "gpu-memory",
            "The model and its context do not fit into the GPU memory.",
            "Use more GPUs, a smaller --max-model-len, or a quantised model.",
        ),
        (
            r"Free memory on device .* is less than desired GPU memory utilization",
            "gpu-busy",
            "Something else uses the memory of the GPU.",
            "Free the GPU, or lower --gpu-memory-utilization.",
        ),
        (
            r"NGC_API_KEY.*(?:not set|empty|not accepted|invalid|required)|Authentication Error",
            "ngc-key",
            "The NGC key is missing or not accepted.",
            "Set a valid NGC key for the cluster or the model.",
        ),
        (
            r"NIM_MODEL_PROFILE .*cannot be used|Unknown profiles? provided|profile .* is not in the manifest",
            "nim-profile-chosen",
            "The chosen profile is not one of this image's, or does not run on these GPUs.",
            "Choose another profile, or none: NIM then chooses by the GPUs that it finds.",
        ),
        (
            r"\b0 compatible profile|[Nn]o (?:compatible )?profile.*hardware|[Cc]ould not find a profile",
            "nim-profile",
            "The image has no profile for these GPUs.",
            "Choose GPUs, or a number of them, for which the image has a profile.",
        ),
        (
            (
                r"(?:/opt/nim/\.cache|/model-store|NIM_CACHE_PATH).*(?:cannot be written|not writable|not reachable)"
                r"|Permission ?(?:denied|Error).*(?:/opt/nim|/model-store)|NIM_CACHE_PROBE_TIMEOUT"
            ),
            "nim-cache",
            "NIM cannot write to its cache.",
            "Check the volume: the container's user, 1000 with group 2000, must be able to write to it.",
        ),
        (
            r"[Ff]ailed to connect to etcd|etcd.*(?:[Cc]onnection refused|connect error)|creating primary lease",
            "dynamo-etcd",
            "The replica cannot reach etcd, by which Dynamo finds its workers.",
            "Check that etcd of the Dynamo platform runs, and that no network policy keeps this namespace from it.",
        ),
        (
            (
                r"NoServersError|[Ff]ailed to connect to NATS"
                r"|(?:nats|NATS)\b.*(?:[Cc]onnection refused|[Tt]imed out|could not connect|ServiceUnavailable)"
            ),
            "dynamo-nats",
            "The replica cannot reach NATS, by which Dynamo's pods talk to each other.",
            "Check that NATS of the Dynamo platform runs, and that no network policy keeps this namespace from it.",
        ),
        (
            r"dynamoworkermetadata\w*.* is forbidden|endpointslices.* is forbidden",
            "dynamo-discovery",
            "The replica may not look for its peers in the cluster.",
            "Check that the Dynamo operator runs and has made the service account's rights in this namespace.",
        ),
        (
            r"No module named '?dynamo",
            "dynamo-backend",
            "The image does not contain this backend of Dynamo.",
            "Choose the backend's runtime image, of the same release as the platform.",
        ),
        (
            r"UCX +ERROR|nixl\w*Error|NIXL_ERR|NIXL.*(?:not available|[Ff]ailed|[Ee]rror)|[Nn]o usable transports",
            "dynamo-transfer",
            "Prefill and decode workers cannot hand the KV cache to each other: NIXL finds no way between them.",
            "Check the nodes' RDMA devices and the network between the pods, or deploy it aggregated.",
        ),
        (
            r"gated repo|GatedRepo|Access to model .* is restricted|awaiting a review",
            "gated-model",
            "The model is gated, and the access token does not open it.",
            "Accept the licence with the token's account, or set another token on the model's page.",
        ),
        (
            r"401 Client Error|Invalid user token|Repository Not Found|RepositoryNotFoundError",
            "weights-refused",
            "The weights cannot be loaded: the repository does not exist, or the access token is missing or wrong.",
            "Check the repository and the access token on the model's page.",
        ),
        (
            (
                r"is not a local folder and is not a valid model identifier|does not appear to have a file named"
                r"|[Mm]odel .* (?:not found|does not exist)"
            ),
            "model-not-found",
            "The model's repository or folder does not exist, or has no files that the engine reads.",
            "Check the model's source in the catalogue.",
        ),
        (
            r"must be divisible by tensor parallel size|divisible by tensor_parallel_size",
            "tensor-parallel",
            "The model's attention heads cannot be divided among so many GPUs.",
            "Choose a number of GPUs that divides the attention heads: 1, 2, 4 or 8 for most models.",
        ),
        (
            r"VLLM_PORT.*appears to be a URI",
            "port-collision",
            "A service in the namespace overwrites the engine's VLLM_PORT.",
            "Rename the service called vllm in this namespace.",
        ),
        (
            r"NCCL error|ncclSystemError|Bus error|unable to open shared memory object",
            "shared-memory",
            "The GPUs cannot exchange data: shared memory is too small, or a link is broken.",
            "Raise the memory limit; if that does not help, look at the node's GPUs.",
        ),
        (
            r"unrecognized arguments|No such option|error: argument ",
            "argument",
            "The engine does not know one of the arguments.",
            "Check the arguments against this version of the engine.",
        ),
        (
            r"No space left on device",
            "volume-full",
            "The volume is full before the weights are loaded.",
            "Deploy with a larger volume.",
        ),
        (
            r"is greater than the derived max_model_len|larger than the maximum context|max_position_embeddings",
            "context-length",
            "--max-model-len is longer than the model's context.",
            "Lower --max-model-len.",
        ),
        (
            r"(?:does not|doesn't) support (?:architecture|model)|are not supported for now|Model architectures .* not",
            "architecture",
            "This version of the engine does not know the model's architecture.",
            "Choose a newer tag of the engine.",
        ),
        (
            r"Bfloat16 is only supported on GPUs|no kernel image is available|compute capability",
            "gpu-capability",
            "The GPU is too old for this model or data type.",
            "Choose another GPU product, or add --dtype half.",
        ),
        (
            r"Timed out waiting for engine|engine core .*did not (?:start|become ready)",
            "engine-timeout",
            "The engine's own start-up time ran out before the model was loaded.",
            "Raise VLLM_ENGINE_READY_TIMEOUT_S.",
        ),
    )
)
#: Where an engine calls the remedy something else.
_REMEDIES: dict[tuple[str, Engine], str] = {
    (
        "gpu-memory",
        Engine.NIM,
    ): "Use more GPUs, a smaller NIM_MAX_MODEL_LEN, or a profile that needs less memory.",
    ("gpu-memory", Engine.DYNAMO): "Use more GPUs per worker, a shorter context, or a quantised model.",
    ("gpu-busy", Engine.NIM): "Free the GPU, or lower the fraction of its memory that NIM takes.",
    ("gpu-busy", Engine.DYNAMO): "Free the GPU, or lower the fraction of its memory that the backend takes.",
    ("argument", Engine.NIM): "Check the arguments against the engine inside this release of NIM.",
    ("argument", Engine.DYNAMO): "Check the arguments against this backend and the image's release.",
    ("context-length", Engine.NIM): "Lower NIM_MAX_MODEL_LEN.",
}
#: Lines that only say that something went wrong further up.
_EMPTY_LAST_WORDS = re.compile(
    r"Engine core initialization failed|EngineDeadError|^\s*(?:\^+|~+)?\s*$|^Traceback|See root cause"
)


def recognise(lines: Iterable[str], engine: Engine = Engine.VLLM) -> tuple[Cause, str] | None:
    """The cause that the log names, with its line; None for a log that names none we know."""
    text = list(lines)
    for pattern, cause in _CAUSES:
        for line in text:
            if pattern.search(line):
                remedy = _REMEDIES.get((cause.code, engine))
                return replace(cause, remedy=remedy) if remedy else cause, line
    return None


def last_words(lines: Sequence[str]) -> str:
    """The last line that says something, in brief; empty for an empty log."""
    for line in reversed(lines):
        if line.strip() and not _EMPTY_LAST_WORDS.search(line):
            return brief(line)
    return ""
