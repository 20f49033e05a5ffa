"""Queue, hang-ups, shutdown and death of an engine."""

import threading
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.deployments.sandbox_engines.conftest import QUICK
from tests.deployments.sandbox_engines.running import KEY, Running, running

_HELLO = [{"role": "user", "content": "Hello"}]
_SLOW = replace(QUICK, itl_seconds=0.02)


def _body(tokens: int = 400, *, stream: bool = True) -> dict[str, Any]:
    options = {"stream_options": {"include_usage": True}} if stream else {}
    return {"messages": _HELLO, "max_tokens": tokens, "ignore_eos": True, "stream": stream, **options}


class _Caller(threading.Thread):
    """A request in a thread of its own; its answer's text is there after `join`."""

    def __init__(self, url: str, body: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self._url, self._body = url, body
        self.status, self.text = 0, ""

    def run(self) -> None:
        answer = httpx.post(f"{self._url}/v1/chat/completions", json=self._body, timeout=20)
        self.status, self.text = answer.status_code, answer.text


def _call(handle: Running, body: dict[str, Any]) -> _Caller:
    caller = _Caller(handle.url, body)
    caller.start()
    handle.wait(lambda: handle.core.metrics.generation_tokens.value("0", "demo") >= 2)
    return caller


def test_a_client_that_hangs_up_ends_its_request() -> None:
    with running(_SLOW) as handle, httpx.Client(base_url=handle.url) as client:
        with client.stream("POST", "/v1/chat/completions", json=_body()) as answer:
            next(answer.iter_bytes())
        handle.wait(lambda: handle.core.running == 0)
        page = client.get("/metrics").text
    assert 'vllm:time_to_first_token_seconds_count{engine="0",model_name="demo"} 1.0' in page
    assert 'vllm:e2e_request_latency_seconds_count{engine="0",model_name="demo"} 0.0' in page
    assert 'finished_reason="abort",model_name="demo"} 0.0' in page


def test_a_client_that_hangs_up_in_the_queue_leaves_the_queue() -> None:
    config = replace(_SLOW, max_num_seqs=1)
    with running(config) as handle, httpx.Client(base_url=handle.url) as client:
        first = _call(handle, _body(60))
        with pytest.raises(httpx.ReadTimeout):
            client.post("/v1/chat/completions", json=_body(1, stream=False), timeout=0.2)
        handle.wait(lambda: handle.core.waiting == 0)
        first.join(20)
        assert first.status == 200
        assert client.post("/v1/chat/completions", json=_body(1, stream=False)).status_code == 200


def test_no_more_than_the_limit_run_at_once_and_the_rest_wait() -> None:
    config = replace(_SLOW, max_num_seqs=2)
    with running(config) as handle:
        callers = [_Caller(handle.url, _body(20, stream=False)) for _ in range(5)]
        for caller in callers:
            caller.start()
        handle.wait(lambda: (handle.core.running, handle.core.waiting) == (2, 3))
        page = httpx.get(f"{handle.url}/metrics").text
        assert 'vllm:num_requests_running{engine="0",model_name="demo"} 2.0' in page
        assert 'vllm:num_requests_waiting{engine="0",model_name="demo"} 3.0' in page
        assert (
            'vllm:num_requests_waiting_by_reason{engine="0",model_name="demo",reason="capacity"} 3.0' in page
        )
        for caller in callers:
            caller.join(20)
        assert [caller.status for caller in callers] == [200] * 5


@pytest.mark.parametrize("stream", [True, False])
def test_a_stop_without_drain_cuts_answers_off_as_if_they_were_whole(stream: bool) -> None:
    with running(_SLOW) as handle:
        caller = _call(handle, _body(stream=stream))
        handle.call(lambda: handle.engines.stop(KEY, 0))
        caller.join(20)
        assert caller.status == 200
        assert '"finish_reason":"abort"' in caller.text
        assert '"usage":{' in caller.text
        assert caller.text.endswith("data: [DONE]\n\n") is stream
        handle.wait(lambda: handle.engines.stopped(KEY))
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{handle.url}/health")


def test_a_drain_finishes_what_runs_and_refuses_what_comes() -> None:
    with running(_SLOW) as handle, httpx.Client(base_url=handle.url) as client:
        caller = _call(handle, _body(60))
        handle.call(lambda: handle.engines.stop(KEY, 20))
        assert client.get("/health").status_code == 200
        refused = client.post("/v1/chat/completions", json=_body(1))
        assert refused.status_code == 500
        assert refused.json()["error"]["message"] == "cannot schedule new futures after shutdown"
        caller.join(20)
        assert '"completion_tokens":60' in caller.text
        assert '"finish_reason":"length"' in caller.text
        handle.wait(lambda: handle.engines.stopped(KEY))
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{handle.url}/health")


def test_a_dead_engine_ends_streams_with_an_error_and_health_with_503() -> None:
    with running(_SLOW) as handle, httpx.Client(base_url=handle.url) as client:
        client.get("/health")
        caller = _call(handle, _body())
        assert client.post("/sandbox/fail").json() == {"failed": True}
        assert client.get("/health").status_code == 503
        assert handle.call(handle.engines.take_failed) == {KEY}
        caller.join(20)
        assert caller.status == 200
        error = (
            'data: {"error": {"message": "EngineCore encountered an issue. See stack trace (above) for the root'
            ' cause.", "type": "InternalServerError", "param": null, "code": 500}}\n\ndata: [DONE]\n\n'
        )
        assert caller.text.endswith(error)
        assert '"usage"' not in caller.text
        assert client.post("/v1/chat/completions", json=_body(1)).status_code == 500
        handle.call(lambda: handle.engines.fail(KEY))
        handle.wait(lambda: not handle.engines._engines)


def test_a_whole_answer_of_an_engine_that_dies_is_500() -> None:
    with running(_SLOW) as handle:
        caller = _call(handle, _body(stream=False))
        handle.call(lambda: handle.engines.fail(KEY))
        caller.join(20)
        assert caller.status == 500


def test_work_is_measured_in_request_seconds() -> None:
    with running(_SLOW) as handle:
        assert handle.call(lambda: handle.engines.busy_seconds(KEY)) == 0
        caller = _call(handle, _body(10))
        caller.join(20)
        assert handle.call(lambda: handle.engines.busy_seconds(KEY)) >= 9 * _SLOW.itl_seconds


def test_load_can_be_set_from_outside() -> None:
    with running(QUICK) as handle, httpx.Client(base_url=handle.url) as client:
        assert client.post("/sandbox/load", json={"cpu": "2500m", "memory": "1Gi"}).status_code == 200
        assert handle.call(lambda: handle.engines.extra_load(KEY)) == (2500, 1024**3)
        assert client.post("/sandbox/load", json={"cpu": "lots"}).status_code == 400


def test_the_log_has_a_line_per_request_but_none_for_probes() -> None:
    with running(QUICK) as handle, httpx.Client(base_url=handle.url) as client:
        client.get("/health")
        client.get("/version")
        client.post("/v1/chat/completions", json=_body(1))
    assert [line.split('"', 1)[1] for line in handle.lines] == [
        'GET /version HTTP/1.1" 200',
        'POST /v1/chat/completions HTTP/1.1" 200',
    ]


def test_two_engines_know_nothing_of_each_other() -> None:
    other = replace(QUICK, names=("second",))
    with running(QUICK) as handle:
        url = handle.call(lambda: handle.engines.open("pod-2/engine", other, handle.lines.append))
        names = [httpx.get(f"{each}/v1/models").json()["data"][0]["id"] for each in (handle.url, url)]
        assert names == ["demo", "second"]
        handle.call(lambda: handle.engines.close("pod-2/engine"))
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/health")
        assert httpx.get(f"{handle.url}/health").status_code == 200
