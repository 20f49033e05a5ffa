"""Dynamo's processes over HTTP: a frontend that finds its workers, and what both say of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from deployments.sandbox.engines.engine_config import DynamoPart, EngineConfig
from tests.deployments.sandbox_engines.conftest import QUICK
from tests.deployments.sandbox_engines.running import Running, running

_SPACE = "models-md-qwen--graph"
_FRONTEND = EngineConfig((_SPACE,), "", dynamo=DynamoPart("frontend", _SPACE))
_QUESTION = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 6}


@pytest.fixture
def frontend() -> Iterator[Running]:
    """A frontend that is alone."""
    with running(_FRONTEND) as handle:
        yield handle


def worker(frontend: Running, role: str, *, space: str = _SPACE, backend: str = "vllm") -> str:
    """Start a worker; the address of its own door."""
    config = replace(QUICK, dynamo=DynamoPart(role, space, backend))
    key = f"{space}/{role}"
    return str(frontend.call(lambda: frontend.engines.open(key, config, frontend.lines.append)))


def models(frontend: Running) -> list[str]:
    return [each["id"] for each in httpx.get(f"{frontend.url}/v1/models").json()["data"]]


def test_a_frontend_alone_is_healthy_and_knows_no_model(frontend: Running) -> None:
    assert httpx.get(f"{frontend.url}/live").status_code == 200
    assert httpx.get(f"{frontend.url}/health").json()["status"] == "healthy"
    assert models(frontend) == []
    refused = httpx.post(f"{frontend.url}/v1/chat/completions", json=_QUESTION)
    assert (refused.status_code, refused.json()["message"]) == (404, "Model not found")


def test_a_worker_of_its_graph_makes_the_model_appear(frontend: Running) -> None:
    worker(frontend, "worker", space="models-another")
    assert models(frontend) == []
    worker(frontend, "worker")
    assert models(frontend) == ["demo", "other-name"]
    answer = httpx.post(f"{frontend.url}/v1/chat/completions", json=_QUESTION)
    assert answer.status_code == 200
    assert answer.json()["model"] == "demo"


@pytest.mark.parametrize(("first", "second"), [("prefill", "decode"), ("decode", "prefill")])
def test_a_divided_model_needs_both_roles(frontend: Running, first: str, second: str) -> None:
    worker(frontend, first)
    assert models(frontend) == []
    worker(frontend, second)
    assert models(frontend)
    assert httpx.post(f"{frontend.url}/v1/chat/completions", json=_QUESTION).status_code == 200


def test_a_worker_that_stops_takes_its_model_along(frontend: Running) -> None:
    worker(frontend, "worker")
    frontend.call(lambda: frontend.engines.close(f"{_SPACE}/worker"))
    assert models(frontend) == []


def test_a_streamed_answer_comes_through_and_is_counted(frontend: Running) -> None:
    worker(frontend, "worker")
    asked: dict[str, Any] = {**_QUESTION, "stream": True, "stream_options": {"include_usage": True}}
    with httpx.stream("POST", f"{frontend.url}/v1/chat/completions", json=asked) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    page = httpx.get(f"{frontend.url}/metrics").text
    assert 'dynamo_frontend_time_to_first_token_seconds_count{model="demo"} 1.0' in page
    assert 'dynamo_frontend_requests_total{endpoint="chat_completions",model="demo"' in page
    assert 'dynamo_frontend_active_requests{model="demo"} 0.0' in page
    tokens = next(
        line for line in page.splitlines() if line.startswith("dynamo_frontend_output_tokens_total")
    )
    assert float(tokens.rpartition(" ")[2]) > 0


def test_a_workers_own_door_has_probes_and_metrics_only(frontend: Running) -> None:
    url = worker(frontend, "worker")
    httpx.post(f"{frontend.url}/v1/chat/completions", json=_QUESTION)
    assert httpx.get(f"{url}/live").status_code == 200
    assert httpx.get(f"{url}/health").json()["endpoints"] == {"generate": "ready"}
    assert 'vllm:num_requests_waiting{engine="0",model_name="demo"} 0.0' in httpx.get(f"{url}/metrics").text
    assert httpx.post(f"{url}/v1/chat/completions", json=_QUESTION).status_code == 404


@pytest.mark.parametrize(
    ("backend", "name"), [("sglang", "sglang:num_queue_reqs"), ("trtllm", "trtllm_num_requests_waiting")]
)
def test_other_backends_name_their_queue_in_their_way(frontend: Running, backend: str, name: str) -> None:
    url = worker(frontend, "worker", backend=backend)
    assert f'{name}{{model_name="demo"}} 0.0' in httpx.get(f"{url}/metrics").text
