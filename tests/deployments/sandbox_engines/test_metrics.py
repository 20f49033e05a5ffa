"""The metrics page: names, buckets, labels and numbers, against what a real server's page looks like."""

import re
from collections.abc import Iterator

import httpx
import pytest

from deployments.sandbox.engines.exposition import number
from tests.deployments.sandbox_engines.conftest import QUICK
from tests.deployments.sandbox_engines.running import running

_OWN = '{engine="0",model_name="demo"}'
_LINE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? \S+')
# The families of a recorded page of version 0.32.0; those of the Python runtime are left out.
_NAMES = """
    vllm:estimated_flops_per_gpu_total vllm:estimated_read_bytes_per_gpu_total vllm:estimated_write_bytes_per_gpu_total
    vllm:num_requests_running vllm:num_requests_waiting vllm:num_requests_waiting_by_reason vllm:engine_sleep_state
    vllm:kv_cache_usage_perc vllm:prefix_cache_queries_total vllm:prefix_cache_hits_total
    vllm:external_prefix_cache_queries_total vllm:external_prefix_cache_hits_total vllm:mm_cache_queries_total
    vllm:mm_cache_hits_total vllm:num_preemptions_total vllm:prompt_tokens_total vllm:prompt_tokens_by_source_total
    vllm:prompt_tokens_cached_total vllm:prompt_tokens_cached_by_source_total vllm:generation_tokens_total
    vllm:request_success_total vllm:admission_rejections_total vllm:request_prompt_tokens vllm:request_generation_tokens
    vllm:iteration_tokens_total vllm:request_max_num_generation_tokens vllm:request_params_n
    vllm:request_params_max_tokens vllm:time_to_first_token_seconds vllm:inter_token_latency_seconds
    vllm:request_time_per_output_token_seconds vllm:e2e_request_latency_seconds vllm:request_queue_time_seconds
    vllm:request_inference_time_seconds vllm:request_prefill_time_seconds vllm:request_decode_time_seconds
    vllm:request_num_preemptions vllm:request_prefill_kv_computed_tokens vllm:cache_config_info http_requests_total
    http_request_size_bytes http_response_size_bytes http_request_duration_highr_seconds http_request_duration_seconds
""".split()


@pytest.fixture
def fresh() -> Iterator[httpx.Client]:
    """A client of an engine that has had no request yet."""
    with running(QUICK) as handle, httpx.Client(base_url=handle.url) as client:
        yield client


def _chat(client: httpx.Client, text: str = "Hello", tokens: int = 10, **more: object) -> dict:
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": tokens, "ignore_eos": True, **more}
    return client.post("/v1/chat/completions", json=body).json()


def _value(page: str, series: str) -> float:
    found = [line for line in page.splitlines() if line.startswith(f"{series} ")]
    assert len(found) == 1, series
    return float(found[0].rsplit(" ", 1)[1])


def test_every_family_of_a_real_page_is_there(fresh: httpx.Client) -> None:
    page = fresh.get("/metrics")
    assert page.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    told = set(re.findall(r"^# TYPE (\S+) ", page.text, re.MULTILINE))
    assert [name for name in _NAMES if name not in told] == []


def test_every_line_is_well_formed_and_unique(fresh: httpx.Client) -> None:
    _chat(fresh)
    lines = [line for line in fresh.get("/metrics").text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not _LINE.fullmatch(line)] == []
    series = [line.rsplit(" ", 1)[0] for line in lines]
    assert len(series) == len(set(series))


def test_counters_and_histograms_have_created_gauges(fresh: httpx.Client) -> None:
    page = fresh.get("/metrics").text
    for name in ("vllm:generation_tokens", "vllm:time_to_first_token_seconds", "vllm:iteration_tokens_total"):
        assert f"# TYPE {name}_created gauge" in page
        assert re.search(rf"^{name}_created\{{.*\}} 1\.\d+e\+09$", page, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        (
            "vllm:time_to_first_token_seconds",
            (
                "0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 40.0 80.0 160.0 640.0"
                " 2560.0 +Inf"
            ),
        ),
        (
            "vllm:inter_token_latency_seconds",
            "0.01 0.025 0.05 0.075 0.1 0.15 0.2 0.3 0.4 0.5 0.75 1.0 2.5 5.0 7.5 10.0 20.0 40.0 80.0 +Inf",
        ),
        (
            "vllm:e2e_request_latency_seconds",
            (
                "0.3 0.5 0.8 1.0 1.5 2.0 2.5 5.0 10.0 15.0 20.0 30.0 40.0 50.0 60.0 120.0 240.0 480.0 960.0 1920.0"
                " 7680.0 +Inf"
            ),
        ),
        ("vllm:request_prompt_tokens", "1.0 2.0 5.0 10.0 20.0 50.0 100.0 200.0 500.0 +Inf"),
    ],
)
def test_buckets_are_the_real_ones(fresh: httpx.Client, name: str, bounds: str) -> None:
    page = fresh.get("/metrics").text
    found = re.findall(
        rf'^{name}_bucket\{{engine="0",le="([^"]+)",model_name="demo"\}} 0\.0$', page, re.MULTILINE
    )
    assert found == bounds.split()


def test_a_request_is_counted_everywhere_once(fresh: httpx.Client) -> None:
    usage = _chat(fresh, tokens=10)["usage"]
    page = fresh.get("/metrics").text
    for name, value in {
        "vllm:prompt_tokens_total": usage["prompt_tokens"],
        "vllm:generation_tokens_total": 10,
        "vllm:time_to_first_token_seconds_count": 1,
        "vllm:inter_token_latency_seconds_count": 9,
        "vllm:e2e_request_latency_seconds_count": 1,
        "vllm:request_generation_tokens_sum": 10,
        "vllm:request_prompt_tokens_sum": usage["prompt_tokens"],
        "vllm:request_params_max_tokens_sum": 10,
        "vllm:request_params_n_sum": 1,
        "vllm:iteration_tokens_total_count": 10,
        "vllm:num_requests_running": 0,
        "vllm:kv_cache_usage_perc": 0,
    }.items():
        assert _value(page, name + _OWN) == value, name
    success = 'vllm:request_success_total{engine="0",finished_reason="length",model_name="demo"}'
    assert _value(page, success) == 1
    assert _value(page, f"vllm:time_to_first_token_seconds_sum{_OWN}") >= QUICK.ttft_seconds
    handler = 'http_requests_total{handler="/v1/chat/completions",method="POST",status="2xx"}'
    assert _value(page, handler) == 1


def test_streamed_and_plain_requests_count_alike(fresh: httpx.Client) -> None:
    body = {
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 7,
        "ignore_eos": True,
        "stream": True,
    }
    fresh.post("/v1/chat/completions", json=body)
    page = fresh.get("/metrics").text
    assert _value(page, f"vllm:generation_tokens_total{_OWN}") == 7
    assert _value(page, f"vllm:request_generation_tokens_sum{_OWN}") == 7


def test_a_refused_request_is_in_no_engine_series(fresh: httpx.Client) -> None:
    fresh.post("/v1/chat/completions", json={"model": "nope", "messages": []})
    page = fresh.get("/metrics").text
    assert _value(page, f"vllm:time_to_first_token_seconds_count{_OWN}") == 0
    assert _value(page, 'http_requests_total{handler="/v1/chat/completions",method="POST",status="4xx"}') == 1


def test_a_repeated_prompt_hits_the_prefix_cache(fresh: httpx.Client) -> None:
    text = "a rather long question about harbours and trains " * 4
    first = _chat(fresh, text)
    page = fresh.get("/metrics").text
    assert _value(page, f"vllm:prefix_cache_hits_total{_OWN}") == 0
    _chat(fresh, text)
    page = fresh.get("/metrics").text
    hits = _value(page, f"vllm:prefix_cache_hits_total{_OWN}")
    prompt = first["usage"]["prompt_tokens"]
    assert hits == (prompt - 1) // QUICK.block_size * QUICK.block_size
    assert _value(page, f"vllm:prefix_cache_queries_total{_OWN}") == 2 * prompt
    local = 'vllm:prompt_tokens_by_source_total{engine="0",model_name="demo",source="local_cache_hit"}'
    assert _value(page, local) == hits


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0.0"), (60, "60.0"), (0.25, "0.25"), (1795419465.5, "1.7954194655e+09"), (1048576, "1.048576e+06")],
)
def test_numbers_are_floats(value: float, shown: str) -> None:
    assert number(value) == shown
