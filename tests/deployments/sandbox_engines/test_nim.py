"""What NVIDIA's packaging shows of the engine: its own paths below /v1, and metrics under the names of its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from tests.deployments.sandbox_engines.conftest import QUICK
from tests.deployments.sandbox_engines.running import running

_CHAT = {"model": "demo", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}


@pytest.fixture(scope="module", params=["nim1", "nim2"])
def flavour(request: pytest.FixtureRequest) -> str:
    """The release line."""
    return str(request.param)


@pytest.fixture(scope="module")
def nim(flavour: str) -> Iterator[httpx.Client]:
    """A client of a NIM."""
    config = replace(QUICK, flavour=flavour, release="2.0.5", max_num_seqs=16)
    with running(config) as handle, httpx.Client(base_url=handle.url, timeout=10) as client:
        yield client


@pytest.mark.parametrize(("path", "message"), [("live", "Service is live."), ("ready", "Service is ready.")])
def test_it_tells_its_health_in_words(nim: httpx.Client, path: str, message: str) -> None:
    answer = nim.get(f"/v1/health/{path}")
    assert (answer.status_code, answer.json()["message"]) == (200, message)


def test_the_engines_own_paths_are_hidden(nim: httpx.Client) -> None:
    for path in ("/health", "/metrics", "/version", "/load"):
        assert nim.get(path).status_code == 404


def test_it_answers_as_openai_does_under_the_served_names(nim: httpx.Client) -> None:
    assert [model["id"] for model in nim.get("/v1/models").json()["data"]] == ["demo", "other-name"]
    answer = nim.post("/v1/chat/completions", json=_CHAT)
    assert answer.status_code == 200
    assert answer.json()["usage"]["completion_tokens"] > 0
    assert nim.get("/v1/metadata").json()["version"] == "2.0.5"


def test_the_metrics_have_the_names_of_the_line(nim: httpx.Client, flavour: str) -> None:
    nim.post("/v1/chat/completions", json=_CHAT)
    page = nim.get("/v1/metrics").text
    if flavour == "nim2":
        assert 'vllm:num_requests_running{engine="0",model_name="demo"}' in page
        return
    assert "vllm:" not in page
    assert "engine=" not in page
    names = {line.partition("{")[0] for line in page.splitlines() if not line.startswith("#")}
    wanted = {
        "num_requests_running",
        "num_requests_waiting",
        "num_request_max",
        "gpu_cache_usage_perc",
        "prompt_tokens_total",
        "generation_tokens_total",
        "request_finish_total",
        "time_to_first_token_seconds_bucket",
        "time_per_output_token_seconds_count",
        "e2e_request_latency_seconds_sum",
    }
    assert wanted <= names
    assert 'num_request_max{model_name="demo"} 16.0' in page
    (tokens,) = (line for line in page.splitlines() if line.startswith("generation_tokens_total{"))
    assert float(tokens.rsplit(" ", 1)[1]) > 0


def test_plain_vllm_has_none_of_its_paths() -> None:
    with running(QUICK) as handle, httpx.Client(base_url=handle.url, timeout=10) as client:
        for path in ("/v1/health/live", "/v1/health/ready", "/v1/metrics", "/v1/metadata"):
            assert client.get(path).status_code == 404
