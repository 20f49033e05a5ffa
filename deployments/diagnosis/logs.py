"""Lines of an engine's log that say why it died, and what to do about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deployments.diagnosis.finding import brief


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
            r"NGC_API_KEY|NGC.*Authentication Error",
            "ngc-key",
            "The NGC key is missing or not accepted.",
            "Set a valid NGC key.",
        ),
        (
            r"\b0 compatible profile",
            "nim-profile",
            "The image has no profile for these GPUs.",
            "Choose GPUs that the image supports.",
        ),
        (
            r"Timed out waiting for engine|engine core .*did not (?:start|become ready)",
            "engine-timeout",
            "The engine's own start-up time ran out before the model was loaded.",
            "Raise VLLM_ENGINE_READY_TIMEOUT_S.",
        ),
    )
)
#: Lines that only say that something went wrong further up.
_EMPTY_LAST_WORDS = re.compile(
    r"Engine core initialization failed|EngineDeadError|^\s*(?:\^+|~+)?\s*$|^Traceback|See root cause"
)


def recognise(lines: Iterable[str]) -> tuple[Cause, str] | None:
    """The cause that the log names, with its line; None for a log that names none we know."""
    text = list(lines)
    for pattern, cause in _CAUSES:
        for line in text:
            if pattern.search(line):
                return cause, line
    return None


def last_words(lines: Sequence[str]) -> str:
    """The last line that says something, in brief; empty for an empty log."""
    for line in reversed(lines):
        if line.strip() and not _EMPTY_LAST_WORDS.search(line):
            return brief(line)
    return ""
