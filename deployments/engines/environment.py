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
    """One row of the table: a name, in which "*" stands for any characters."""

    pattern: str
    refused: bool
    why: str
    engines: tuple[Engine, ...] = tuple(Engine)

    def covers(self, name: str, engine: Engine) -> bool:
        if engine not in self.engines:
            return False
        before, star, after = self.pattern.partition("*")
        if not star:
            return name == self.pattern
        return name.startswith(before) and name.endswith(after) and len(name) >= len(before) + len(after)


_OURS = "Slipway sets it so that caches land on the replica's volume."
_QUIET = "Slipway sets it: no usage reports leave the cluster."
_INTERNAL = "It belongs to the engine's internal network. A wrong value stops the start."
_GPUS = "It can bypass the GPUs that the cluster assigned to this pod."
_LOADER = "It changes which code the process loads."
_CONTENT = "It writes prompts and answers to the log."
_GONE = "Current vLLM versions ignore it."
_PATHS = "Slipway sets the paths and the port, because volumes and probes depend on them."
_ONE_POD = "A replica is one pod; engines over several pods are not offered."
_PLAIN = "Probes speak plain HTTP to the engine; TLS ends at the endpoint."
_CATALOGUE = "The model comes from the catalogue entry."
_CLIENTS = "Clients name the deployment as the model; metering depends on it."
_GRAPH = "The Dynamo operator sets it, so that the components of a graph find each other."
_FIELD = "Choose it on the Engine step."

_VLLM = (Engine.VLLM,)
_NIM = (Engine.NIM,)
_DYNAMO = (Engine.DYNAMO,)
#: NIM 2.x and Dynamo run vLLM inside, which reads its own variables there, too.
_WITH_VLLM = (Engine.VLLM, Engine.NIM, Engine.DYNAMO)

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
    Rule("VLLM_CACHE_ROOT", True, _OURS, _WITH_VLLM),
    Rule("VLLM_NO_USAGE_STATS", True, _QUIET, _WITH_VLLM),
    Rule("VLLM_DO_NOT_TRACK", True, _QUIET, _WITH_VLLM),
    Rule("VLLM_USAGE_*", True, _QUIET, _WITH_VLLM),
    Rule("VLLM_HTTP_TIMEOUT_KEEP_ALIVE", True, "Slipway keeps it above the idle time of proxies.", _VLLM),
    Rule("VLLM_PORT", True, _INTERNAL + " The API's port is always 8000.", _WITH_VLLM),
    Rule("VLLM_HOST_IP", True, _INTERNAL, _WITH_VLLM),
    Rule("VLLM_LOOPBACK_IP", True, _INTERNAL, _WITH_VLLM),
    Rule("VLLM_RPC_BASE_PATH", True, _INTERNAL, _WITH_VLLM),
    Rule("VLLM_DP_*", True, _INTERNAL, _WITH_VLLM),
    Rule("VLLM_NIXL_*", True, _INTERNAL, _WITH_VLLM),
    Rule(
        "VLLM_SERVER_DEV_MODE",
        True,
        "It opens development endpoints to everyone who reaches the pod.",
        _WITH_VLLM,
    ),
    Rule(
        "VLLM_ALLOW_INSECURE_SERIALIZATION",
        True,
        "It lets processes run code that they receive.",
        _WITH_VLLM,
    ),
    Rule(
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING",
        True,
        "Anyone who reaches the pod could load adapters.",
        _WITH_VLLM,
    ),
    Rule("VLLM_PLUGINS", True, _LOADER, _WITH_VLLM),
    Rule(
        "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH",
        True,
        "A dead engine would still look alive to Kubernetes.",
        _WITH_VLLM,
    ),
    Rule("VLLM_SKIP_MODEL_NAME_VALIDATION", True, "Usage could be counted for the wrong model.", _WITH_VLLM),
    Rule(
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN",
        False,
        "A context beyond the model's limit gives wrong answers or CUDA errors.",
        _WITH_VLLM,
    ),
    Rule("VLLM_DEBUG_LOG_API_SERVER_RESPONSE", False, _CONTENT, _WITH_VLLM),
    Rule("VLLM_TRACE_FUNCTION", False, "It makes the engine very slow.", _WITH_VLLM),
    Rule(
        "VLLM_API_KEY",
        False,
        "Mark it as secret. Every caller then needs this key; probes and metrics stay open.",
        _VLLM,
    ),
    Rule(
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS",
        False,
        "Keep it at 0 where requests must not reach internal addresses through redirects.",
        _WITH_VLLM,
    ),
    Rule("VLLM_USE_V1", False, _GONE, _WITH_VLLM),
    Rule("VLLM_ATTENTION_BACKEND", False, _GONE + " Use the argument --attention-backend.", _WITH_VLLM),
    Rule("VLLM_RPC_TIMEOUT", False, _GONE, _WITH_VLLM),
    Rule("VLLM_TORCH_PROFILER_*", False, _GONE, _WITH_VLLM),
    Rule("VLLM_ALL2ALL_BACKEND", False, _GONE, _WITH_VLLM),
    Rule("VLLM_FLASH_ATTN_VERSION", False, _GONE, _WITH_VLLM),
    Rule("NIM_SERVER_PORT", True, _PATHS, _NIM),
    Rule("NIM_HTTP_API_PORT", True, _PATHS, _NIM),
    Rule("NIM_HEALTH_PORT", True, _PATHS, _NIM),
    Rule("NIM_CACHE_PATH", True, _PATHS, _NIM),
    Rule("NIM_SERVED_MODEL_NAME", True, _CLIENTS, _NIM),
    Rule("NIM_MODEL_PATH", True, _CATALOGUE, _NIM),
    Rule("NIM_MODEL_NAME", True, _CATALOGUE, _NIM),
    Rule("NIM_MODEL_PROFILE", True, _FIELD, _NIM),
    Rule("NIM_PASSTHROUGH_ARGS", True, "Write the arguments on the Engine step.", _NIM),
    Rule("NGC_API_KEY", True, "The key is kept with the cluster or the model. Enter it there.", _NIM),
    Rule("NGC_CLI_API_KEY", True, "The key is kept with the cluster or the model. Enter it there.", _NIM),
    Rule("NIM_SSL_*", True, _PLAIN, _NIM),
    Rule("NIM_NUM_COMPUTE_NODES", True, _ONE_POD, _NIM),
    Rule("NIM_MULTI_NODE", True, _ONE_POD, _NIM),
    Rule("NIM_NODE_RANK", True, _ONE_POD, _NIM),
    Rule("NIM_LEADER_ROLE", True, _ONE_POD, _NIM),
    Rule("NIM_MIDDLEWARE_CONFIG_PATH", True, _LOADER, _NIM),
    Rule("NIM_NGINX_DIR", True, _PATHS, _NIM),
    Rule("NIM_CAPTURE_*", False, "It keeps prompts and answers in files.", _NIM),
    Rule("NIM_REPOSITORY_OVERRIDE", False, "Weights then come from somewhere else than NGC.", _NIM),
    Rule("DYN_NAMESPACE*", True, _GRAPH, _DYNAMO),
    Rule("DYN_COMPONENT*", True, _GRAPH, _DYNAMO),
    Rule("DYN_ENDPOINT*", True, _GRAPH, _DYNAMO),
    Rule("DYN_DISCOVERY_BACKEND", True, _GRAPH, _DYNAMO),
    Rule("DYN_KUBE_*", True, _GRAPH, _DYNAMO),
    Rule("DYN_PARENT_*", True, _GRAPH, _DYNAMO),
    Rule("DYN_REQUEST_PLANE", True, _GRAPH, _DYNAMO),
    Rule("DYN_EVENT_PLANE", True, _GRAPH, _DYNAMO),
    Rule("POD_NAME", True, _GRAPH, _DYNAMO),
    Rule("POD_NAMESPACE", True, _GRAPH, _DYNAMO),
    Rule("POD_UID", True, _GRAPH, _DYNAMO),
    Rule("NATS_SERVER", True, _GRAPH, _DYNAMO),
    Rule("ETCD_*", True, _GRAPH, _DYNAMO),
    Rule("DYN_HTTP_PORT", True, _PATHS, _DYNAMO),
    Rule("DYN_SYSTEM_*", True, _PATHS, _DYNAMO),
    Rule("DYN_TLS_*", True, _PLAIN, _DYNAMO),
    Rule("DYN_*_SERVED_MODEL_NAME", True, _CLIENTS, _DYNAMO),
    Rule("DYN_*_MODEL", True, _CATALOGUE, _DYNAMO),
    Rule("DYN_*_DISAGGREGATION_MODE", True, _FIELD, _DYNAMO),
    Rule("DYN_*_PARALLEL_SIZE", True, "It follows from the GPUs of a worker.", _DYNAMO),
    Rule("DYN_*", False, "The Dynamo operator sets some of these names itself.", _DYNAMO),
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
    return iter(sorted((r for r in RULES if engine in r.engines), key=lambda rule: not rule.refused))
