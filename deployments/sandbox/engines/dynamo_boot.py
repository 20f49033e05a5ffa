"""How Dynamo's processes start: workers that load a model and register, and the frontend that finds them.

A worker's model is loaded by vLLM's script, whatever the backend. Its system server answers `/live` as soon as the
weights are there and `/health` once it has registered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from deployments.sandbox.engines import dynamo_flags
from deployments.sandbox.engines.boot import API_SERVER, Boot, LogLine, Surroundings
from deployments.sandbox.engines.command_line import UsageError
from deployments.sandbox.engines.engine_config import DynamoPart, EngineConfig
from deployments.sandbox.engines.vllm_boot import gated_without_token, vllm_boot
from deployments.sandbox.nodes.registry import Image

_BACKENDS = ("vllm", "sglang", "trtllm")
_PACKAGES = {"vllm": "vllm", "sglang": "sglang", "trtllm": "tensorrt_llm"}
_RUNTIMES = {"vllm-runtime": "vllm", "sglang-runtime": "sglang", "tensorrtllm-runtime": "trtllm"}
_ENGINE_VERSION = "0.31.0"
_SYSTEM_PORT, _HTTP_PORT = 9090, 8000
_FRONTEND_PATHS = ("/live", "/health", "/metrics", "/v1/models", "/openapi.json")
_MEMORY_BYTES = 600 * 1024**2
# What vLLM says of an HTTP server that a worker does not have.
_NOT_HERE = ("Starting vLLM server", "INFO:     ", "Supported tasks")


@dataclass(frozen=True, slots=True)
class DynamoLine(LogLine):
    """A line of Dynamo's own logger: time, level, module."""

    def render(self, now: datetime) -> str:
        """The line as it stands in the container's log."""
        return f"{now:%Y-%m-%dT%H:%M:%S.%fZ} {self.level:>5} {self.source}: {self.text}"


def starts_dynamo(argv: tuple[str, ...]) -> bool:
    """Whether a command line is one of Dynamo's modules."""
    program = argv[0].rsplit("/", 1)[-1] if argv else ""
    return program in ("python", "python3") and argv[1:2] == ("-m",) and argv[2:3] != () and _is_ours(argv[2])


def dynamo_boot(around: Surroundings, image: Image) -> Boot:
    """The life of `python3 -m dynamo.<module>`."""
    module, words = around.argv[2].partition(".")[2], list(around.argv[3:])
    if "dynamo" not in image.path and image.path.rsplit("/", 1)[-1] not in _RUNTIMES:
        return _dies(around, f"/usr/bin/python3: No module named dynamo.{module}")
    if module == "frontend":
        return _frontend(around, words)
    inside = _RUNTIMES.get(image.path.rsplit("/", 1)[-1], module)
    if module not in _BACKENDS:
        return _dies(around, f"/usr/bin/python3: No module named dynamo.{module}")
    if inside != module:
        wanted = f"ModuleNotFoundError: No module named '{_PACKAGES[module]}'"
        return _dies(around, "Traceback (most recent call last):", wanted)
    try:
        asked = dynamo_flags.worker(module, words)
    except UsageError as error:
        return _misused(around, module, error)
    return _worker(around, module, asked)


def _is_ours(module: str) -> bool:
    return module.startswith("dynamo.")


def _frontend(around: Surroundings, words: list[str]) -> Boot:
    try:
        options = dynamo_flags.frontend(words)
    except UsageError as error:
        return _misused(around, "frontend", error)
    text = options.get("http-port") or around.env.get("DYN_HTTP_PORT", "") or str(_HTTP_PORT)
    if not text.isdecimal():
        return _misused(around, "frontend", UsageError(f"argument --http-port: invalid int value: '{text}'"))
    namespace = options.get("namespace") or around.env.get("DYN_NAMESPACE", "dynamo")
    at = around.settings.import_seconds
    port = int(text)
    lines = (
        DynamoLine(
            at, f"Starting HTTP service on 0.0.0.0:{port}", source="dynamo_llm::http::service::service_v2"
        ),
        DynamoLine(
            at,
            f"Watching for remote models in namespace {namespace}",
            source="dynamo_llm::discovery::watcher",
        ),
    )
    config = EngineConfig((namespace,), "", dynamo=DynamoPart("frontend", namespace))
    return Boot(
        lines,
        serves_at=at,
        config=config,
        port=port,
        open_paths=_FRONTEND_PATHS,
        memory_bytes=_MEMORY_BYTES,
    )


def _worker(around: Surroundings, backend: str, asked: dynamo_flags.Asked) -> Boot:
    model = next(
        (
            value
            for name, value in zip(asked.arguments, asked.arguments[1:], strict=False)
            if name == "--model"
        ),
        "",
    )
    at = around.settings.import_seconds
    source = f"dynamo.{backend}.main"
    first = DynamoLine(
        at, f"Initializing {asked.role} worker for {model or 'the default model'}", source=source
    )
    if model and not model.startswith("/") and gated_without_token(model, dict(around.env)):
        return _no_weights(around, first, model)
    inner = vllm_boot(around, asked.arguments, _ENGINE_VERSION)
    if inner.config is None or inner.serves_at is None:
        return replace(inner, lines=(first, *_spoken(inner, backend)))
    namespace = around.env.get("DYN_NAMESPACE", "dynamo")
    suffix = around.env.get("DYN_NAMESPACE_WORKER_SUFFIX", "")
    shown = f"{namespace}-{suffix}" if suffix else namespace
    part = DynamoPart(asked.role, namespace, backend)
    component = "prefill" if asked.role == "prefill" else "backend"
    registered = DynamoLine(
        inner.serves_at,
        f"Registered model '{inner.config.name}' as {shown}.{component}.generate",
        source="dynamo_llm::local_model",
    )
    return replace(
        inner,
        lines=tuple(sorted((first, *_spoken(inner, backend), registered), key=lambda line: line.offset)),
        config=replace(inner.config, dynamo=part, api_key=""),
        port=_system_port(around),
        open_paths=("/live", "/health", "/metrics"),
        early_paths=("/live",),
        early_at=max(at, inner.downloaded_at),
    )


def _system_port(around: Surroundings) -> int:
    text = around.env.get("DYN_SYSTEM_PORT", "")
    return int(text) if text.isdecimal() else _SYSTEM_PORT


def _spoken(inner: Boot, backend: str) -> tuple[LogLine, ...]:
    """The engine's own lines, without those of the HTTP server, under the program's right name."""
    module = f"python3 -m dynamo.{backend}"
    kept = [line for line in inner.lines if not line.text.startswith(_NOT_HERE)]
    renamed = [
        replace(
            line,
            process="" if line.process == API_SERVER else line.process,
            text=line.text.replace("vllm: error:", "__main__.py: error:").replace(
                "usage: vllm", f"usage: {module}"
            ),
        )
        for line in kept
    ]
    return tuple(renamed)


def _no_weights(around: Surroundings, first: LogLine, model: str) -> Boot:
    """The model's files are fetched before anything else; the Hub refuses a gated repository without a token."""
    at = first.offset + 0.8
    address = f"https://huggingface.co/api/models/{model}/revision/main"
    refused = f"request error: HTTP status client error (401 Unauthorized) for url ({address})"
    asked = f"Failed to fetch model '{model}' from HuggingFace. Is this a valid HuggingFace ID?"
    texts = (
        "Traceback (most recent call last):",
        f"Exception: {asked} Error: {refused}",
        f"Cannot access gated repo for url {address}. Access to model {model} is restricted.",
    )
    return Boot(
        (first, *(LogLine(at, text) for text in texts)), exits_at=at, exit_code=1, exit_reason="Error"
    )


def _misused(around: Surroundings, module: str, error: UsageError) -> Boot:
    return _dies(
        around, f"usage: python3 -m dynamo.{module} [-h] ...", f"__main__.py: error: {error}", code=2
    )


def _dies(around: Surroundings, *texts: str, code: int = 1) -> Boot:
    at = around.settings.import_seconds / 2
    lines = tuple(LogLine(at, text) for text in texts)
    return Boot(lines, exits_at=at, exit_code=code, exit_reason="Error")
