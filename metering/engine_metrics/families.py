"""The names that each family of engines gives to the figures that are kept. Pure: no Django, no I/O.

Where a figure has several names, they are those of different versions; the first one that a page has is taken, because
some versions show a figure under its old and its new name at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from deployments.vocabulary import Engine


class Figure(StrEnum):
    """A figure that is kept; the values are the names of columns."""

    RUNNING = "running"
    WAITING = "waiting"
    KV_USE = "kv_use"
    PREFIX_HITS = "prefix_hits"
    PREFIX_QUERIES = "prefix_queries"
    PREEMPTIONS = "preemptions"
    PROMPT_TOKENS = "prompt_tokens"
    GENERATION_TOKENS = "generation_tokens"


COUNTERS = (
    Figure.PREFIX_HITS,
    Figure.PREFIX_QUERIES,
    Figure.PREEMPTIONS,
    Figure.PROMPT_TOKENS,
    Figure.GENERATION_TOKENS,
)
"""Those that only grow while an engine runs; the others are gauges."""


@dataclass(frozen=True, slots=True)
class Family:
    """Engines that use the same names."""

    name: str
    names: Mapping[Figure, tuple[str, ...]]
    is_engine: bool = True
    """It counts the tokens that it reads and writes itself. Otherwise it stands before engines."""


FAMILIES = (
    Family(
        "vLLM",
        {
            Figure.RUNNING: ("vllm:num_requests_running",),
            Figure.WAITING: ("vllm:num_requests_waiting",),
            Figure.KV_USE: ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
            Figure.PREFIX_HITS: ("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
            Figure.PREFIX_QUERIES: ("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"),
            Figure.PREEMPTIONS: ("vllm:num_preemptions_total",),
            Figure.PROMPT_TOKENS: ("vllm:prompt_tokens_total",),
            Figure.GENERATION_TOKENS: ("vllm:generation_tokens_total",),
        },
    ),
    # NIM 2.x passes the page of its engine through, which is one of the other families.
    Family(
        "NIM 1.x",
        {
            Figure.RUNNING: ("num_requests_running",),
            Figure.WAITING: ("num_requests_waiting",),
            Figure.KV_USE: ("gpu_cache_usage_perc",),
            Figure.PROMPT_TOKENS: ("prompt_tokens_total",),
            Figure.GENERATION_TOKENS: ("generation_tokens_total",),
        },
    ),
    Family(
        "SGLang",
        {
            Figure.RUNNING: ("sglang:num_running_reqs",),
            Figure.WAITING: ("sglang:num_queue_reqs",),
            Figure.KV_USE: ("sglang:token_usage",),
            # It looks every token of a prompt up, and counts those that it found.
            Figure.PREFIX_HITS: ("sglang:cached_tokens_total",),
            Figure.PREFIX_QUERIES: ("sglang:prompt_tokens_total",),
            Figure.PROMPT_TOKENS: ("sglang:prompt_tokens_total",),
            Figure.GENERATION_TOKENS: ("sglang:generation_tokens_total",),
        },
    ),
    Family(
        "TensorRT-LLM",
        {
            Figure.RUNNING: ("trtllm_num_requests_running",),
            Figure.WAITING: ("trtllm_num_requests_waiting",),
            Figure.KV_USE: ("trtllm_kv_cache_utilization",),
            Figure.PROMPT_TOKENS: ("trtllm_prompt_tokens_total",),
            Figure.GENERATION_TOKENS: ("trtllm_generation_tokens_total",),
        },
    ),
    # What a frontend has under way includes what waits at its workers. The sum of a histogram is a counter.
    Family(
        "Dynamo frontend",
        {
            Figure.RUNNING: ("dynamo_frontend_active_requests", "dynamo_frontend_inflight_requests"),
            Figure.PROMPT_TOKENS: ("dynamo_frontend_input_sequence_tokens_sum",),
            Figure.GENERATION_TOKENS: ("dynamo_frontend_output_tokens_total",),
        },
        is_engine=False,
    ),
)

_METRICS = "/metrics"
_PATHS = {Engine.NIM.value: "/v1/metrics"}


def path_of(engine: str | None) -> str:
    """Where an engine of this kind, a value of `Engine`, has its metrics page."""
    return _PATHS.get(engine or "", _METRICS)
