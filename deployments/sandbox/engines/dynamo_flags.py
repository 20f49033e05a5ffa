"""What Dynamo's workers and frontend take on their command lines, and what the sandbox makes of it.

The vLLM worker takes vLLM's own options and a few more; SGLang's and TensorRT-LLM's name the same things
differently. All of them end in an option of vLLM's, because vLLM's arithmetic stands for every backend here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deployments.sandbox.engines.command_line import UsageError
from deployments.sandbox.engines.engine_options import MANY, SWITCHES, TEXT, WHOLE

_RUNTIME = (
    "namespace endpoint component discovery-backend request-plane event-plane store-kv connector"
    " custom-jinja-template migration-limit dump-config-to output-modalities dyn-tool-call-parser"
    " dyn-reasoning-parser dyn-endpoint-types endpoint-types tool-call-parser reasoning-parser"
)
_WORKER = set(f"{_RUNTIME} disaggregation-mode".split())
_VLLM = _WORKER | set(
    "sleep-mode-level mm-prompt-template stage-configs-path model-express-url kv-transfer-config".split()
)
_VLLM_SWITCHES = set(
    "is-prefill-worker is-decode-worker use-vllm-tokenizer enable-multimodal enable-local-indexer"
    " durable-kv-events headless route-to-encoder multimodal-worker".split()
)
# How SGLang and TensorRT-LLM call what vLLM calls otherwise.
_SGLANG_SAME = {
    "model-path": "model",
    "model": "model",
    "tp": "tensor-parallel-size",
    "tp-size": "tensor-parallel-size",
    "tensor-parallel-size": "tensor-parallel-size",
    "context-length": "max-model-len",
    "mem-fraction-static": "gpu-memory-utilization",
    "max-running-requests": "max-num-seqs",
    "quantization": "quantization",
}
_SGLANG = set(
    "revision dtype host port page-size attention-backend disaggregation-transfer-backend chunked-prefill-size"
    " disaggregation-bootstrap-port disaggregation-ib-device kv-cache-dtype tokenizer-path load-format dp dp-size"
    " ep ep-size pp-size max-prefill-tokens max-total-tokens schedule-policy random-seed log-level download-dir"
    " kv-events-config mm-attention-backend moe-runner-backend cuda-graph-max-bs watchdog-timeout".split()
)
_SGLANG_SWITCHES = set(
    "enable-metrics trust-remote-code skip-tokenizer-init disable-radix-cache disable-cuda-graph"
    " enable-dp-attention enable-p2p-check enable-mixed-chunk enable-torch-compile".split()
)
_TRTLLM_SAME = {
    "model-path": "model",
    "model": "model",
    "tensor-parallel-size": "tensor-parallel-size",
    "pipeline-parallel-size": "pipeline-parallel-size",
    "max-seq-len": "max-model-len",
    "free-gpu-memory-fraction": "gpu-memory-utilization",
    "max-batch-size": "max-num-seqs",
}
_TRTLLM = set(
    "extra-engine-args override-engine-args max-num-tokens max-beam-width kv-block-size modality"
    " expert-parallel-size gpus-per-node disaggregation-strategy encode-endpoint allowed-local-media-path".split()
)
_TRTLLM_SWITCHES = set("publish-events-and-metrics use-nixl-connect enable-attention-dp".split())
_FRONTEND = set(
    "http-host http-port router-mode namespace namespace-prefix kv-cache-block-size kv-overlap-score-weight"
    " router-temperature busy-threshold model-name model-path metrics-prefix tls-cert-path tls-key-path"
    " discovery-backend request-plane event-plane store-kv migration-limit grpc-metrics-port".split()
)
_FRONTEND_SWITCHES = set(
    "interactive kv-events router-reset-states enforce-disagg kserve-grpc-server".split()
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A worker's command line: its role (`worker`, `prefill`, `decode`) and the options that vLLM would take."""

    role: str
    arguments: list[str] = field(default_factory=list)


def worker(backend: str, words: list[str]) -> Asked:
    """Read the options of `python3 -m dynamo.<backend>`. Raises UsageError for one that it does not know."""
    same = {"sglang": _SGLANG_SAME, "trtllm": _TRTLLM_SAME}.get(backend, {})
    known = {"sglang": _SGLANG | _WORKER, "trtllm": _TRTLLM | _WORKER}.get(backend, _VLLM)
    switches = {"sglang": _SGLANG_SWITCHES, "trtllm": _TRTLLM_SWITCHES}.get(backend, _VLLM_SWITCHES)
    role, passed, unknown, rest = "worker", [], [], list(words)
    while rest:
        word = rest.pop(0)
        name, joined, value = word.lstrip("-").partition("=")
        if not word.startswith("--"):
            unknown.append(word)
        elif name.removeprefix("no-") in switches:
            role = {"is-prefill-worker": "prefill", "is-decode-worker": "decode"}.get(name, role)
        elif backend == "vllm" and name not in known:
            taken = _vllm_option(name, joined, value, word, rest)
            passed += taken
            unknown += [] if taken else [word, *_values(rest)]
        elif name == "served-model-name" or name in same or name in known:
            values = [value] if joined else _values(rest, 1)
            if not values:
                raise UsageError(f"argument --{name}: expected one argument")
            if name == "disaggregation-mode":
                role = _role(values[0])
            elif name == "served-model-name" or name in same:
                passed += [f"--{same.get(name, name)}", *values]
        else:
            unknown += [word, *_values(rest)]
    if unknown:
        raise UsageError(f"unrecognized arguments: {' '.join(unknown)}")
    return Asked(role, passed)


def frontend(words: list[str]) -> dict[str, str]:
    """Read the options of `python3 -m dynamo.frontend`. Raises UsageError for one that it does not know."""
    found: dict[str, str] = {}
    unknown, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        name, joined, value = word.lstrip("-").partition("=")
        if not word.startswith("--"):
            unknown.append(word)
        elif name.removeprefix("no-") in _FRONTEND_SWITCHES:
            found[name] = "true"
        elif name in _FRONTEND:
            found[name] = value if joined else next(iter(_values(rest, 1)), "")
        else:
            unknown += [word, *_values(rest)]
    if unknown:
        raise UsageError(f"unrecognized arguments: {' '.join(unknown)}")
    return found


def _vllm_option(name: str, joined: str, value: str, word: str, rest: list[str]) -> list[str]:
    """One of vLLM's own options with its values; nothing when vLLM does not know it."""
    plain = name.split(".", 1)[0]
    if plain in SWITCHES or (plain.startswith("no-") and plain[3:] in SWITCHES):
        return [word]
    if plain in WHOLE or plain in TEXT:
        values = [] if joined else _values(rest, None if plain in MANY else 1)
        return [word, *values]
    return []


def _role(mode: str) -> str:
    roles = {
        "agg": "worker",
        "null": "worker",
        "prefill_and_decode": "worker",
        "prefill": "prefill",
        "decode": "decode",
    }
    if mode not in roles:
        choices = ", ".join(f"'{each}'" for each in ("agg", "prefill", "decode", "encode"))
        raise UsageError(f"argument --disaggregation-mode: invalid choice: '{mode}' (choose from {choices})")
    return roles[mode]


def _values(rest: list[str], most: int | None = None) -> list[str]:
    taken: list[str] = []
    while rest and not rest[0].startswith("--") and (most is None or len(taken) < most):
        taken.append(rest.pop(0))
    return taken
