"""The HTTP doors of Dynamo's processes: the frontend, which passes requests on to workers, and a worker's own.

The frontend answers its probes without any worker. It lists a model once a worker of every role that the model
needs has registered, and then gives each request to the one that does least.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Protocol

from deployments.sandbox.api.exchange import Exchange
from deployments.sandbox.engines.engine_config import EngineConfig
from deployments.sandbox.engines.engine_core import EngineCore
from deployments.sandbox.engines.engine_metrics import CONTENT_TYPE
from deployments.sandbox.engines.exposition import Counter, Family, Gauge, Histogram

_TTFT = (0, 0.0022, 0.0047, 0.01, 0.022, 0.047, 0.1, 0.22, 0.47, 1, 2.2, 4.7, 10, 22, 48, 100, 220, 480)
_ITL = (0, 0.0019, 0.0035, 0.0067, 0.013, 0.024, 0.045, 0.084, 0.16, 0.3, 0.56, 1.1, 2)
_DURATION = (0, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)
_TOKENS = (0, 1, 10, 100, 1_000, 10_000, 100_000)
_PASSED = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")
_GAUGES = {
    "vllm": (),
    "sglang": ("sglang:num_queue_reqs", "sglang:num_running_reqs", "sglang:token_usage"),
    "trtllm": ("trtllm_num_requests_waiting", "trtllm_num_requests_running", "trtllm_kv_cache_utilization"),
}


class Worker(Protocol):
    """A worker that has registered."""

    core: EngineCore

    async def generate(self, exchange: Exchange) -> None:
        """Answer a request that the frontend passes on."""


class Door(Protocol):
    """Answers the requests to one process."""

    extra_load: tuple[int, int]

    async def answer(self, exchange: Exchange) -> None:
        """Answer one request."""


class WorkerDoor:
    """The system server of a worker: probes and metrics, no OpenAI API."""

    def __init__(self, core: EngineCore) -> None:
        self.extra_load = (0, 0)
        self._core = core

    async def answer(self, exchange: Exchange) -> None:
        """See Door."""
        if exchange.path in ("/live", "/health"):
            healthy = not self._core.dead
            body = {"status": "ready" if healthy else "notready", "endpoints": {"generate": "ready"}}
            await exchange.send_json(200 if healthy else 503, body)
        elif exchange.path == "/metrics":
            await exchange.send(200, page(self._core).encode(), CONTENT_TYPE)
        else:
            await exchange.send_json(404, {"message": "Route not found"})


def page(core: EngineCore) -> str:
    """A worker's metrics: the engine's, and the few gauges under the names of a backend other than vLLM."""
    text = core.metrics.render()
    config = core.config
    names = _GAUGES[config.dynamo.backend] if config.dynamo else ()
    used = 0.0
    for line in text.splitlines():
        if line.startswith("vllm:kv_cache_usage_perc{"):
            used = float(line.rpartition(" ")[2])
    for name, value in zip(names, (core.waiting, core.running, used), strict=False):
        gauge = Gauge(name, "As the backend names it.", ("model_name",))
        gauge.set(value, config.name)
        text += "\n".join(gauge.render()) + "\n"
    return text


class FrontendDoor:
    """The OpenAI API of a graph."""

    def __init__(self, config: EngineConfig, workers: Callable[[], Iterable[Worker]]) -> None:
        self.extra_load = (0, 0)
        self._config = config
        self._workers = workers
        self._began = int(time.time())
        self._metrics = _Metrics()

    async def answer(self, exchange: Exchange) -> None:
        """See Door."""
        serving = self._serving()
        if exchange.path in ("/live", "/health"):
            names = sorted({each.core.config.name for each in serving})
            status = "live" if exchange.path == "/live" else "healthy"
            await exchange.send_json(200, {"status": status, "instances": names})
        elif exchange.path == "/metrics":
            await exchange.send(200, self._metrics.render().encode(), CONTENT_TYPE)
        elif exchange.path == "/v1/models":
            await exchange.send_json(200, {"object": "list", "data": self._models(serving)})
        elif exchange.path in _PASSED and exchange.method == "POST":
            await self._pass_on(exchange, serving)
        else:
            await exchange.send_json(404, {"message": "Route not found", "type": "Not Found", "code": 404})

    def _serving(self) -> list[Worker]:
        """The workers that may take a request; none while a role is missing."""
        found = list(self._workers())
        roles = {_role(each) for each in found}
        if not roles & {"prefill", "decode"}:
            return found
        complete = {"prefill", "decode"} <= roles
        return [each for each in found if _role(each) != "prefill"] if complete else []

    def _models(self, serving: list[Worker]) -> list[dict[str, Any]]:
        names = dict.fromkeys(name for each in serving for name in each.core.config.names)
        return [
            {"id": name, "object": "model", "created": self._began, "owned_by": "nvidia"} for name in names
        ]

    async def _pass_on(self, exchange: Exchange, serving: list[Worker]) -> None:
        if not serving:
            message = {"message": "Model not found", "type": "Not Found", "code": 404}
            await exchange.send_json(404, message)
            return
        worker = min(serving, key=lambda each: each.core.running + each.core.waiting)
        note = self._metrics.begin(worker.core.config.name, exchange)
        try:
            await worker.generate(exchange)
        finally:
            note()


def _role(worker: Worker) -> str:
    part = worker.core.config.dynamo
    return part.role if part else ""


class _Metrics:
    """The frontend's own series; each appears with the first request."""

    def __init__(self) -> None:
        now = time.time()
        name = ("model",)
        front = "dynamo_frontend"
        self._requests = Counter(
            f"{front}_requests",
            "Requests.",
            ("model", "endpoint", "request_type", "status"),
            created=now,
        )
        self._active = Gauge(f"{front}_active_requests", "Requests that are being answered.", name)
        self._inflight = Gauge(f"{front}_inflight_requests", "Requests that are being answered.", name)
        self._tokens = Counter(f"{front}_output_tokens", "Generated tokens.", name, created=now)
        self._ttft = Histogram(
            f"{front}_time_to_first_token_seconds", "Time to first token.", _TTFT, name, created=now
        )
        self._itl = Histogram(
            f"{front}_inter_token_latency_seconds", "Time between tokens.", _ITL, name, created=now
        )
        self._duration = Histogram(
            f"{front}_request_duration_seconds", "Latency of a request.", _DURATION, name, created=now
        )
        self._read = Histogram(
            f"{front}_input_sequence_tokens", "Prompt tokens of a request.", _TOKENS, name, created=now
        )
        self._written = Histogram(
            f"{front}_output_sequence_tokens", "Generated tokens of a request.", _TOKENS, name, created=now
        )
        self._now: dict[str, int] = {}

    def render(self) -> str:
        """The page."""
        families: tuple[Family, ...] = (
            self._requests,
            self._active,
            self._inflight,
            self._tokens,
            self._ttft,
            self._itl,
            self._duration,
            self._read,
            self._written,
        )
        return "\n".join(line for family in families for line in family.render()) + "\n"

    def begin(self, model: str, exchange: Exchange) -> Callable[[], None]:
        """Count a request from its arrival on; call what comes back when it is answered."""
        began = time.monotonic()
        moments: list[float] = []
        counted: dict[str, int] = {}
        self._running(model, 1)

        def look(part: bytes) -> None:
            told, usage = _read_part(part)
            counted.update(usage)
            if told:
                moments.append(time.monotonic())

        def end() -> None:
            exchange.on_sent = lambda part: None
            self._running(model, -1)
            good = 200 <= exchange.status < 300
            self._requests.add(
                1,
                model,
                exchange.path.rsplit("/v1/", 1)[-1].replace("/", "_"),
                "stream" if len(moments) > 1 else "unary",
                "success" if good else "error",
            )
            self._duration.observe(time.monotonic() - began, model)
            if not good:
                return
            written = counted.get("completion_tokens", len(moments))
            self._tokens.add(written, model)
            self._written.observe(written, model)
            self._read.observe(counted.get("prompt_tokens", 0), model)
            if moments:
                self._ttft.observe(moments[0] - began, model)
            for earlier, later in pairwise(moments):
                self._itl.observe(later - earlier, model)

        exchange.on_sent = look
        return end

    def _running(self, model: str, change: int) -> None:
        self._now[model] = self._now.get(model, 0) + change
        self._active.set(self._now[model], model)
        self._inflight.set(self._now[model], model)


def _read_part(part: bytes) -> tuple[bool, dict[str, int]]:
    """Whether a part of an answer carries text, and the tokens that it tells."""
    text = part.removeprefix(b"data: ").strip()
    try:
        document = json.loads(text)
    except ValueError:
        return False, {}
    if not isinstance(document, dict):
        return False, {}
    usage = document.get("usage") or {}
    counted = {
        key: usage[key] for key in ("prompt_tokens", "completion_tokens") if isinstance(usage.get(key), int)
    }
    choices = document.get("choices") or []
    told = any(
        (each.get("delta") or {}).get("content") or each.get("text") or each.get("message")
        for each in choices
    )
    return told, counted
