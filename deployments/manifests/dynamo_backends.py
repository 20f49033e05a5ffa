"""How each of Dynamo's backends is started, and in which words it is told model, name, GPUs and role. Pure."""

from __future__ import annotations

import json
from typing import Final

from deployments.context import ModelSource
from deployments.spec import DeploymentSpec, DynamoSpec, PodGroup
from deployments.vocabulary import DynamoBackend, DynamoMode

FRAMEWORKS: Final = {
    DynamoBackend.VLLM: "vllm",
    DynamoBackend.SGLANG: "sglang",
    DynamoBackend.TRTLLM: "trtllm",
}
"""As `spec.backendFramework` says it; it can never be changed."""

#: Where SGLang's prefill workers tell decode workers how to fetch the cache.
_BOOTSTRAP_PORT: Final = 12345
_NIXL: Final = {"kv_connector": "NixlConnector", "kv_role": "kv_both"}


def command(backend: DynamoBackend) -> list[str]:
    return ["python3", "-m", f"dynamo.{FRAMEWORKS[backend]}"]


def worker_arguments(spec: DeploymentSpec, source: ModelSource, group: PodGroup) -> list[str]:
    """What Slipway decides, then what people gave."""
    dynamo = spec.engine.dynamo or DynamoSpec()
    role = group.role if dynamo.mode is DynamoMode.DISAGGREGATED else ""
    gpus = str(max(group.gpus, 1))
    revision = ["--revision", source.revision] if source.revision else []
    match dynamo.backend:
        case DynamoBackend.VLLM:
            made = [*_served(spec, "--model", source), "--tensor-parallel-size", gpus, *revision]
            made += _vllm_role(role)
        case DynamoBackend.SGLANG:
            made = [*_served(spec, "--model-path", source), "--tp", gpus, *revision, "--enable-metrics"]
            made += _sglang_role(role)
        case DynamoBackend.TRTLLM:
            made = [*_served(spec, "--model-path", source), "--tensor-parallel-size", gpus]
            made += _trtllm_role(role)
    return [*made, *spec.engine.arguments]


def _served(spec: DeploymentSpec, flag: str, source: ModelSource) -> list[str]:
    return [flag, source.reference, "--served-model-name", spec.name]


def _vllm_role(role: str) -> list[str]:
    if not role:
        return []
    made = ["--disaggregation-mode", role]
    return [*made, "--kv-transfer-config", _json(_NIXL)] if role == "prefill" else made


def _sglang_role(role: str) -> list[str]:
    if not role:
        return []
    return [
        *("--disaggregation-mode", role),
        *("--disaggregation-transfer-backend", "nixl"),
        *("--disaggregation-bootstrap-port", str(_BOOTSTRAP_PORT)),
        *("--host", "0.0.0.0"),  # noqa: S104 - inside the pod, where the other workers look for it
    ]


def _trtllm_role(role: str) -> list[str]:
    """The overlap scheduler is off where prompts are read: TensorRT-LLM does not support it there."""
    if not role:
        return []
    engine: dict[str, object] = {"cache_transceiver_config": {"backend": "DEFAULT"}}
    if role == "prefill":
        engine["disable_overlap_scheduler"] = True
    return ["--disaggregation-mode", role, "--override-engine-args", _json(engine)]


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
