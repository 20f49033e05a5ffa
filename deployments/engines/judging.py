"""Which arguments an engine takes, judged for the engine as it is set: its version, mode and backend.

vLLM's own are judged in arguments.py. NIM hands its arguments to vLLM or SGLang inside; Dynamo's workers have their
own parsers, of which each backend adds flags. Pure: no Django, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from deployments.engines import arguments, ngc
from deployments.engines.arguments import REFUSED, RISKY, Verdict
from deployments.spec import EngineSpec
from deployments.vocabulary import DynamoBackend, DynamoMode, Engine

_CATALOGUE = REFUSED["--model"]
_ONE_POD = REFUSED["--nnodes"]
_SPLIT = "Slipway splits the model over all GPUs of a worker. Change the number of GPUs."
_ROLE = "It follows from the mode that the Engine step says."
_GRAPH = "The Dynamo operator connects the components of a graph."
_FILE = REFUSED["--config"]
_METRICS = "Autoscaling and diagrams depend on it: Slipway always switches it on."

#: Of vLLM's table, what Slipway does not set for a NIM.
_FREE_IN_NIM: Final = (
    "--shutdown-timeout",
    "--enable-force-include-usage",
    "--no-enable-force-include-usage",
    "--enable-prompt-tokens-details",
    "--no-enable-prompt-tokens-details",
)
NIM_REFUSED: Final[Mapping[str, str]] = {
    **{flag: why for flag, why in REFUSED.items() if flag not in _FREE_IN_NIM},
    "--model-path": _CATALOGUE,
    "--dist-init-addr": _ONE_POD,
}

_OF_EVERY_WORKER: Final[Mapping[str, str]] = {
    "--model": _CATALOGUE,
    "--model-path": _CATALOGUE,
    "--revision": REFUSED["--revision"],
    "--served-model-name": REFUSED["--served-model-name"],
    "--tensor-parallel-size": _SPLIT,
    "--pipeline-parallel-size": _SPLIT,
    "--data-parallel-size": _SPLIT,
    "--disaggregation-mode": _ROLE,
    "--endpoint": _GRAPH,
    "--discovery-backend": _GRAPH,
    "--request-plane": _GRAPH,
    "--event-plane": _GRAPH,
    "--nnodes": _ONE_POD,
    "--node-rank": _ONE_POD,
}
_OF_BACKEND: Final[Mapping[DynamoBackend, Mapping[str, str]]] = {
    DynamoBackend.VLLM: {
        "--config": _FILE,
        "--headless": _ONE_POD,
        "--master-addr": _ONE_POD,
        "--data-parallel-address": _ONE_POD,
        "--is-prefill-worker": _ROLE,
        "--is-decode-worker": _ROLE,
    },
    DynamoBackend.SGLANG: {
        "--config": _FILE,
        "--tp": _SPLIT,
        "--tp-size": _SPLIT,
        "--pp-size": _SPLIT,
        "--dp": _SPLIT,
        "--dp-size": _SPLIT,
        "--host": "Workers of a graph find each other there.",
        "--port": "Workers of a graph find each other there.",
        "--dist-init-addr": _ONE_POD,
        "--enable-metrics": _METRICS,
    },
    DynamoBackend.TRTLLM: {"--gpus-per-node": _SPLIT},
}
#: What carries the role of a worker that only reads prompts, or only writes answers.
_OF_ROLE: Final[Mapping[DynamoBackend, Mapping[str, str]]] = {
    DynamoBackend.VLLM: {"--kv-transfer-config": _ROLE},
    DynamoBackend.SGLANG: {
        "--disaggregation-transfer-backend": _ROLE,
        "--disaggregation-bootstrap-port": _ROLE,
    },
    DynamoBackend.TRTLLM: {"--override-engine-args": _ROLE},
}
_RISKY_FILE: Final = {
    "--extra-engine-args": "A file inside the image then decides, also about what is refused here."
}


def judge(engine: EngineSpec, gpus: int, attention_heads: int | None = None) -> list[Verdict]:
    """Every objection to an engine's arguments for replicas with that many GPUs, in the order of the arguments.

    `attention_heads` is the model's, where known.
    """
    match engine.kind:
        case Engine.VLLM:
            return arguments.judge(engine.arguments, gpus, attention_heads)
        case Engine.NIM:
            return _judge_nim(engine)
        case Engine.DYNAMO:
            return _judge_dynamo(engine)


def reserved(engine: EngineSpec) -> Mapping[str, str]:
    """The flags that this engine refuses, with the reason."""
    match engine.kind:
        case Engine.VLLM:
            return REFUSED
        case Engine.NIM:
            return NIM_REFUSED
        case Engine.DYNAMO:
            return _reserved_by_dynamo(engine)


def _judge_nim(engine: EngineSpec) -> list[Verdict]:
    if engine.arguments and not ngc.line_of(engine.tag).takes_arguments:
        sentence = (
            "NIM 1.x takes no arguments. Remove them and set variables such as NIM_MAX_MODEL_LEN on the "
            "Environment step, or choose a 2.x tag."
        )
        return [Verdict(0, True, sentence)]
    return arguments.judge_reserved(engine.arguments, NIM_REFUSED, RISKY)


def _judge_dynamo(engine: EngineSpec) -> list[Verdict]:
    return arguments.judge_reserved(engine.arguments, _reserved_by_dynamo(engine), {**RISKY, **_RISKY_FILE})


def _reserved_by_dynamo(engine: EngineSpec) -> Mapping[str, str]:
    dynamo = engine.dynamo
    backend = dynamo.backend if dynamo else DynamoBackend.VLLM
    apart = dynamo is not None and dynamo.mode is DynamoMode.DISAGGREGATED
    return {**_OF_EVERY_WORKER, **_OF_BACKEND[backend], **(_OF_ROLE[backend] if apart else {})}
