"""vLLM's metrics page, with vLLM's names, labels and buckets, fed by the requests that an engine really had.

Two of its habits are kept because readers of the page must cope with them: a client that hangs up is counted in the
first-token and inter-token histograms and in the token counters but in none of the per-request ones, and everything
except the `http_*` series exists with 0 before the first request.
"""

from __future__ import annotations

import time

from deployments.sandbox.engines.engine_config import EngineConfig
from deployments.sandbox.engines.exposition import Counter, Family, Gauge, Histogram, Summary

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
_BASE = ("engine", "model_name")
_TTFT = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560),
)
_ITL = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
_E2E = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680)
_STEP = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
_HTTP = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 7.5, 10, 30, 60)
_FINISHED = ("stop", "length", "abort", "error", "repetition")
_UNCOUNTED = ("/metrics", "/health", "/version", "/load", "/ping", "/v1/metrics")


class EngineMetrics:
    """The metrics of one engine; the attributes are the families that requests feed."""

    def __init__(self, config: EngineConfig) -> None:
        self._families: list[Family] = []
        self._now = time.time()
        self._own = ("0", config.name)
        self._process(config)
        self._flops()
        self.running = self._gauge("vllm:num_requests_running", "Requests in the running batch.")
        self.waiting = self._gauge("vllm:num_requests_waiting", "Requests that wait for a place.")
        self._by_reason = self._gauge(
            "vllm:num_requests_waiting_by_reason", "Waiting requests by reason.", ("reason",)
        )
        self._sleep(config)
        self.kv_usage = self._gauge(
            "vllm:kv_cache_usage_perc", "Share of the KV cache in use; 1 is all of it."
        )
        self.cache_queries = self._counter(
            "vllm:prefix_cache_queries", "Prompt tokens looked up in the prefix cache."
        )
        self.cache_hits = self._counter("vllm:prefix_cache_hits", "Prompt tokens found in the prefix cache.")
        for name in (
            "external_prefix_cache_queries",
            "external_prefix_cache_hits",
            "mm_cache_queries",
            "mm_cache_hits",
        ):
            self._counter(f"vllm:{name}", "Always zero here: no such cache.")
        self._counter("vllm:num_preemptions", "Preemptions of the engine.")
        self.prompt_tokens = self._counter("vllm:prompt_tokens", "Prompt tokens processed.")
        sources = ("local_compute", "local_cache_hit", "external_kv_transfer")
        self.by_source = self._counter(
            "vllm:prompt_tokens_by_source",
            "Prompt tokens by source.",
            ("source",),
            [(each,) for each in sources],
        )
        self.cached_tokens = self._counter("vllm:prompt_tokens_cached", "Prompt tokens that were cached.")
        tiers = ("device", "host", "p2p", "disk", "external_unspecified")
        self.cached_by_tier = self._counter(
            "vllm:prompt_tokens_cached_by_source",
            "Cached prompt tokens by tier.",
            ("source",),
            [(each,) for each in tiers],
        )
        self.generation_tokens = self._counter("vllm:generation_tokens", "Generated tokens.")
        self.success = self._counter(
            "vllm:request_success",
            "Finished requests.",
            ("finished_reason",),
            [(each,) for each in _FINISHED],
        )
        self.rejections = Counter(
            "vllm:admission_rejections", "Refused admissions.", ("model_name", "reason"), created=self._now
        )
        for reason in ("max_num_queued_reqs", "max_num_queued_tokens"):
            self.rejections.add(0, config.name, reason)
        self._families.append(self.rejections)
        self._histograms(config)
        self._cache_info(config)
        self._http()
        self.set_queue(0, 0)

    def set_queue(self, running: int, waiting: int) -> None:
        """Requests in work and in the queue."""
        self.running.set(running, *self._own)
        self.waiting.set(waiting, *self._own)
        self._by_reason.set(waiting, *self._own, "capacity")
        self._by_reason.set(0, *self._own, "deferred")

    def observe(self, family: Histogram, value: float) -> None:
        """Note a value in one of the engine's histograms."""
        family.observe(value, *self._own)

    def count(self, family: Counter, amount: float, *more: str) -> None:
        """Count in one of the engine's counters; `more` are labels after engine and model name."""
        family.add(amount, *self._own, *more)

    def http_request(self, path: str, method: str, status: int, seconds: float, read: int, sent: int) -> None:
        """One answered HTTP request, for the server's own series."""
        if path in _UNCOUNTED or status == 401:
            return
        self._http_requests.add(1, path, method, f"{status // 100}xx")
        self._http_read.observe(read, path)
        self._http_sent.observe(sent, path)
        self._http_fine.observe(seconds)
        self._http_coarse.observe(seconds, path, method)

    def render(self) -> str:
        """The page."""
        self._process_cpu()
        lines = (line for family in self._families for line in family.render())
        return "\n".join(lines) + "\n"

    # Making families

    def _counter(
        self, name: str, text: str, labels: tuple[str, ...] = (), values: list[tuple[str, ...]] | None = None
    ) -> Counter:
        counter = Counter(name, text, _BASE + labels, created=self._now)
        for each in values if values is not None else [()]:
            counter.add(0, *self._own, *each)
        self._families.append(counter)
        return counter

    def _gauge(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        gauge = Gauge(name, text, _BASE + labels)
        if not labels:
            gauge.set(0, *self._own)
        self._families.append(gauge)
        return gauge

    def _histogram(self, name: str, text: str, bounds: tuple[float, ...]) -> Histogram:
        histogram = Histogram(f"vllm:{name}", text, bounds, _BASE, created=self._now)
        histogram.prepare(*self._own)
        self._families.append(histogram)
        return histogram

    def _histograms(self, config: EngineConfig) -> None:
        tokens = _one_two_five(config.max_model_len)
        make = self._histogram
        self.request_prompt_tokens = make("request_prompt_tokens", "Prompt tokens of a request.", tokens)
        self.request_generation_tokens = make(
            "request_generation_tokens", "Generated tokens of a request.", tokens
        )
        self.step_tokens = make("iteration_tokens_total", "Tokens of one engine step.", _STEP)
        self.max_generation = make(
            "request_max_num_generation_tokens", "Most generated tokens of a choice.", tokens
        )
        self.params_n = make("request_params_n", "Choices that a request asked for.", (1, 2, 5, 10, 20))
        self.params_max_tokens = make("request_params_max_tokens", "max_tokens of a request.", tokens)
        self.ttft = make("time_to_first_token_seconds", "Time to first token.", _TTFT)
        self.itl = make("inter_token_latency_seconds", "Time between tokens.", _ITL)
        self.tpot = make("request_time_per_output_token_seconds", "Mean time per token of a request.", _ITL)
        self.e2e = make("e2e_request_latency_seconds", "Latency of a request.", _E2E)
        self.queue_time = make("request_queue_time_seconds", "Time in the queue.", _E2E)
        self.inference_time = make("request_inference_time_seconds", "Time in the running batch.", _E2E)
        self.prefill_time = make("request_prefill_time_seconds", "Time of the prompt.", _E2E)
        self.decode_time = make("request_decode_time_seconds", "Time of the answer.", _E2E)
        self.preemptions = make(
            "request_num_preemptions", "Preemptions of a request.", (1, 2, 3, 4, 5, 10, 20)
        )
        self.kv_computed = make(
            "request_prefill_kv_computed_tokens", "Prompt tokens not taken from a cache.", tokens
        )

    def _flops(self) -> None:
        for name in ("flops", "read_bytes", "write_bytes"):
            self._counter(f"vllm:estimated_{name}_per_gpu", "Not estimated: zero.")

    def _sleep(self, config: EngineConfig) -> None:
        sleep = self._gauge("vllm:engine_sleep_state", "Whether the engine sleeps.", ("sleep_state",))
        for state in ("awake", "weights_offloaded", "discard_all"):
            sleep.set(1 if state == "awake" else 0, *self._own, state)

    def _cache_info(self, config: EngineConfig) -> None:
        facts = {
            "block_size": str(config.block_size),
            "cache_dtype": "auto",
            "enable_prefix_caching": str(config.prefix_caching),
            "engine": "0",
            "gpu_memory_utilization": config.gpu_memory_utilization,
            "kv_cache_max_concurrency": str(round(config.kv_tokens / config.max_model_len, 2)),
            "kv_cache_size_tokens": str(config.kv_tokens),
            "num_cpu_blocks": "None",
            "num_gpu_blocks": str(config.kv_tokens // config.block_size),
            "prefix_caching_hash_algo": "sha256",
        }
        info = Gauge("vllm:cache_config_info", "Settings of the KV cache.", tuple(facts))
        info.set(1, *facts.values())
        self._families.append(info)

    def _process(self, config: EngineConfig) -> None:
        self._cpu = Counter("process_cpu_seconds", "CPU time of the server.", created=self._now)
        self._cpu.add(0)
        resident = Gauge("process_resident_memory_bytes", "Resident memory of the server.")
        resident.set(5.7e8)
        start = Gauge("process_start_time_seconds", "Start of the server since the epoch.")
        start.set(self._now)
        self._families += [resident, start, self._cpu]

    def _process_cpu(self) -> None:
        self._cpu.add(max(0.0, (time.time() - self._now) * 0.02 - self._cpu.value()))

    def _http(self) -> None:
        now = self._now
        names = ("handler", "method", "status")
        self._http_requests = Counter("http_requests", "HTTP requests.", names, created=now)
        self._http_read = Summary("http_request_size_bytes", "Sizes of requests.", names[:1], created=now)
        self._http_sent = Summary("http_response_size_bytes", "Sizes of answers.", names[:1], created=now)
        self._http_fine = Histogram(
            "http_request_duration_highr_seconds", "Latency, fine.", _HTTP, created=now
        )
        self._http_fine.prepare()
        self._http_coarse = Histogram(
            "http_request_duration_seconds", "Latency, coarse.", (0.1, 0.5, 1), names[:2], created=now
        )
        self._families += [
            self._http_requests,
            self._http_read,
            self._http_sent,
            self._http_fine,
            self._http_coarse,
        ]


def _one_two_five(limit: int) -> tuple[float, ...]:
    """1, 2, 5, 10, … up to a limit."""
    bounds: list[float] = []
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power > limit:
                return tuple(bounds)
            bounds.append(digit * power)
        power *= 10
