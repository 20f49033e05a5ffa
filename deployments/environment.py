"""Which environment variables may be set, and why not: those that Slipway sets itself and those that do harm.

The tables are data so that a page can show them before anybody is refused. Whether a name is a legal
variable name at all is the document's business. Pure: no Django, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from deployments.vocabulary import Engine

READY_TIMEOUT: Final = "VLLM_ENGINE_READY_TIMEOUT_S"
"""Seconds that vLLM waits for its engine. May be set: the start-up probe then follows it."""

HUB_TOKEN: Final = "HF_TOKEN"  # noqa: S105 - the name of a variable
"""May be set: it then counts instead of the token of the catalogue entry."""


@dataclass(frozen=True, slots=True)
class Verdict:
    refused: bool
    """False: accepted, with a warning."""
    why: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: a name, or the beginning of names when it ends in "*"."""

    pattern: str
    refused: bool
    why: str
    engine: Engine | None = None
    """None: for every engine."""

    def covers(self, name: str, engine: Engine) -> bool:
        if self.engine not in (None, engine):
            return False
        if self.pattern.endswith("*"):
            return name.startswith(self.pattern[:-1])
        return name == self.pattern


_OURS = "Slipway sets it so that caches land on the replica's volume."
_QUIET = "Slipway sets it: no usage reports leave the cluster."
_INTERNAL = "It belongs to the engine's internal network. A wrong value stops the start."
_GPUS = "It can bypass the GPUs that the cluster assigned to this pod."
_LOADER = "It changes which code the process loads."
_CONTENT = "It writes prompts and answers to the log."
_GONE = "Current vLLM versions ignore it."
_PATHS = "Slipway sets the paths and the port, because volumes and probes depend on them."

RULES: Final[tuple[Rule, ...]] = (
    Rule("KUBERNETES_*", True, "Kubernetes sets these names itself."),
    Rule("PATH", True, _LOADER),
    Rule("PYTHONPATH", True, _LOADER),
    Rule("PYTHONHOME", True, _LOADER),
    Rule("PYTHONSTARTUP", True, _LOADER),
    Rule("LD_*", True, _LOADER),
    Rule("HOME", True, _OURS),
    Rule("HF_HOME", True, _OURS),
    Rule("NVIDIA_VISIBLE_DEVICES", True, _GPUS),
    Rule("NVIDIA_DRIVER_CAPABILITIES", True, _GPUS),
    Rule("CUDA_VISIBLE_DEVICES", True, _GPUS),
    Rule("DO_NOT_TRACK", True, _QUIET),
    Rule("HF_HUB_DISABLE_TELEMETRY", True, _QUIET),
    Rule("VLLM_CACHE_ROOT", True, _OURS, Engine.VLLM),
    Rule("VLLM_NO_USAGE_STATS", True, _QUIET, Engine.VLLM),
    Rule("VLLM_DO_NOT_TRACK", True, _QUIET, Engine.VLLM),
    Rule("VLLM_USAGE_*", True, _QUIET, Engine.VLLM),
    Rule(
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE", True, "Slipway keeps it above the idle time of proxies.", Engine.VLLM
    ),
    Rule("VLLM_PORT", True, _INTERNAL + " The API's port is always 8000.", Engine.VLLM),
    Rule("VLLM_HOST_IP", True, _INTERNAL, Engine.VLLM),
    Rule("VLLM_LOOPBACK_IP", True, _INTERNAL, Engine.VLLM),
    Rule("VLLM_RPC_BASE_PATH", True, _INTERNAL, Engine.VLLM),
    Rule("VLLM_DP_*", True, _INTERNAL, Engine.VLLM),
    Rule("VLLM_NIXL_*", True, _INTERNAL, Engine.VLLM),
    Rule(
        "VLLM_SERVER_DEV_MODE",
        True,
        "It opens development endpoints to everyone who reaches the pod.",
        Engine.VLLM,
    ),
    Rule(
        "VLLM_ALLOW_INSECURE_SERIALIZATION",
        True,
        "It lets processes run code that they receive.",
        Engine.VLLM,
    ),
    Rule(
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING",
        True,
        "Anyone who reaches the pod could load adapters.",
        Engine.VLLM,
    ),
    Rule("VLLM_PLUGINS", True, _LOADER, Engine.VLLM),
    Rule(
        "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH",
        True,
        "A dead engine would still look alive to Kubernetes.",
        Engine.VLLM,
    ),
    Rule("VLLM_SKIP_MODEL_NAME_VALIDATION", True, "Usage could be counted for the wrong model.", Engine.VLLM),
    Rule(
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN",
        False,
        "A context beyond the model's limit gives wrong answers or CUDA errors.",
        Engine.VLLM,
    ),
    Rule("VLLM_DEBUG_LOG_API_SERVER_RESPONSE", False, _CONTENT, Engine.VLLM),
    Rule("VLLM_TRACE_FUNCTION", False, "It makes the engine very slow.", Engine.VLLM),
    Rule(
        "VLLM_API_KEY",
        False,
        "Mark it as secret. Every caller then needs this key; probes and metrics stay open.",
        Engine.VLLM,
    ),
    Rule(
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS",
        False,
        "Keep it at 0 where requests must not reach internal addresses through redirects.",
        Engine.VLLM,
    ),
    Rule("VLLM_USE_V1", False, _GONE, Engine.VLLM),
    Rule("VLLM_ATTENTION_BACKEND", False, _GONE + " Use the argument --attention-backend.", Engine.VLLM),
    Rule("VLLM_RPC_TIMEOUT", False, _GONE, Engine.VLLM),
    Rule("VLLM_TORCH_PROFILER_*", False, _GONE, Engine.VLLM),
    Rule("VLLM_ALL2ALL_BACKEND", False, _GONE, Engine.VLLM),
    Rule("VLLM_FLASH_ATTN_VERSION", False, _GONE, Engine.VLLM),
    Rule("NIM_SERVER_PORT", True, _PATHS, Engine.NIM),
    Rule("NIM_HTTP_API_PORT", True, _PATHS, Engine.NIM),
    Rule("NIM_CACHE_PATH", True, _PATHS, Engine.NIM),
    Rule("NIM_SERVED_MODEL_NAME", True, "Clients name the deployment as the model.", Engine.NIM),
    Rule("DYN_*", False, "The Dynamo operator sets most of these names itself.", Engine.DYNAMO),
)
"""The first row that covers a name counts."""


def judge(name: str, engine: Engine) -> Verdict | None:
    """What speaks against setting this variable; None when nothing does.

    A full name is judged, exactly as Kubernetes would hand it over: letter case counts.
    """
    rule = next((rule for rule in RULES if rule.covers(name, engine)), None)
    return Verdict(rule.refused, f"{name}: {rule.why}") if rule else None


def explained(engine: Engine) -> Iterator[Rule]:
    """The rows that matter for an engine, refused ones first, for a page to show."""
    return iter(sorted((r for r in RULES if r.engine in (None, engine)), key=lambda rule: not rule.refused))
