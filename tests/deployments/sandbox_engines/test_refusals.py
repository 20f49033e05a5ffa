"""Bad requests: vLLM's statuses and bodies, the same for streams."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.deployments.sandbox_engines.conftest import QUICK
from tests.deployments.sandbox_engines.running import running

_HELLO = [{"role": "user", "content": "Hello"}]


def _error(message: str, type_: str, param: str | None, code: int) -> dict[str, Any]:
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (
            {"model": "nope"},
            404,
            _error(
                "The model `nope` does not exist. Valid aliases: demo, other-name.",
                "NotFoundError",
                "model",
                404,
            ),
        ),
        (
            {"max_tokens": 5000},
            400,
            _error(
                "max_tokens=5000 cannot be greater than max_model_len=512. Please request fewer output tokens."
                " (parameter=max_tokens, value=5000)",
                "BadRequestError",
                "max_tokens",
                400,
            ),
        ),
        (
            {"max_tokens": 0},
            400,
            _error(
                "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)",
                "BadRequestError",
                "max_tokens",
                400,
            ),
        ),
        (
            {"messages": [{"role": "user", "content": "long word " * 600}]},
            400,
            _error(
                "This model's maximum context length is 512 tokens. However, your prompt contains at least 513 input"
                " tokens, which exceeds this limit even without any output tokens. Please reduce the length of the"
                " input prompt. (parameter=input_tokens, value=513)",
                "BadRequestError",
                "input_tokens",
                400,
            ),
        ),
        (
            {"messages": []},
            400,
            _error(
                "Cannot apply chat template to an empty conversation. Provide at least one message.",
                "BadRequestError",
                None,
                400,
            ),
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            400,
            _error(
                '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
                "BadRequestError",
                None,
                400,
            ),
        ),
    ],
)
def test_a_refusal_is_said_as_the_real_engine_says_it(
    http: httpx.Client, body: dict, status: int, expected: dict, stream: bool
) -> None:
    whole = {"messages": _HELLO, "stream": stream, **body}
    answer = http.post("/v1/chat/completions", json=whole)
    assert (answer.status_code, answer.json()) == (status, expected)
    assert answer.headers["content-type"] == "application/json"


def test_stream_options_need_a_stream(http: httpx.Client) -> None:
    body = {"messages": _HELLO, "stream_options": {"include_usage": True}}
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.json() == _error(
        "Stream options can only be defined when `stream=True`. (parameter=stream_options)",
        "BadRequestError",
        "stream_options",
        400,
    )


def test_a_missing_field_is_a_bad_request_with_a_space(http: httpx.Client) -> None:
    answer = http.post("/v1/chat/completions", json={"model": "demo"})
    assert (answer.status_code, answer.json()) == (
        400,
        _error(
            "1 validation error:\n  {'type': 'missing', 'loc': 'body.messages', 'msg': 'Field required',"
            " 'input': '<dict of 1 items>'}",
            "Bad Request",
            "body.messages",
            400,
        ),
    )


@pytest.mark.parametrize(
    "body",
    [
        {"messages": "x"},
        {"messages": ["x"]},
        {"messages": [{"role": "user", "content": 1}]},
        {"messages": _HELLO, "max_tokens": "many"},
        {"messages": _HELLO, "max_tokens": True},
        {"messages": _HELLO, "stream": "yes"},
        {"messages": _HELLO, "n": 0},
        {"messages": _HELLO, "n": 1000},
        {"messages": _HELLO, "temperature": -1},
        {"messages": _HELLO, "temperature": "hot"},
        {"messages": _HELLO, "stop": 7},
        {"messages": _HELLO, "model": 7},
        {"messages": _HELLO, "stream": True, "stream_options": "all"},
        [1, 2],
        "text",
    ],
)
def test_wrong_types_and_values_are_400(http: httpx.Client, body: Any) -> None:
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == 400


@pytest.mark.parametrize("raw", [b"{", b"", b"\xff\xfe", b"nonsense", b'{"messages": [}'])
def test_broken_json_is_400(http: httpx.Client, raw: bytes) -> None:
    answer = http.post("/v1/chat/completions", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "Bad Request"


def test_another_content_type_is_400(http: httpx.Client) -> None:
    answer = http.post("/v1/chat/completions", content=b"{}", headers={"content-type": "text/plain"})
    message = "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed"
    assert (answer.status_code, answer.json()) == (400, _error(message, "Bad Request", None, 400))


def test_unknown_routes_and_methods_are_told_as_fastapi_tells_them(http: httpx.Client) -> None:
    missing, wrong = http.get("/v1/nothing"), http.get("/v1/chat/completions")
    assert (missing.status_code, missing.json()) == (404, {"detail": "Not Found"})
    assert (wrong.status_code, wrong.json()) == (405, {"detail": "Method Not Allowed"})
    assert http.post("/v1/embeddings", json={"input": "x"}).status_code == 404


def test_unknown_fields_and_no_model_are_accepted(http: httpx.Client) -> None:
    body = {"messages": _HELLO, "max_tokens": 1, "mystery": 1}
    assert http.post("/v1/chat/completions", json=body).status_code == 200


def test_text_that_is_no_utf_8_comes_back_without_a_fault(http: httpx.Client) -> None:
    raw = b'{"model": "\\ud800", "messages": []}'
    answer = http.post("/v1/chat/completions", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 404


def test_a_key_guards_v1_and_nothing_else() -> None:
    body = {"messages": _HELLO, "max_tokens": 1}
    with running(replace(QUICK, api_key="secret")) as handle, httpx.Client(base_url=handle.url) as client:
        refused = client.post("/v1/chat/completions", json=body, headers={"Authorization": "Bearer wrong"})
        assert (refused.status_code, refused.json()) == (401, {"error": "Unauthorized"})
        assert client.get("/v1/models").status_code == 401
        assert client.get("/health").status_code == 200
        assert client.get("/metrics").status_code == 200
        right = {"Authorization": "Bearer secret"}
        assert client.post("/v1/chat/completions", json=body, headers=right).status_code == 200


def test_a_full_queue_is_503_without_retry_after() -> None:
    config = replace(QUICK, max_num_seqs=1, max_num_queued=1, itl_seconds=5)
    body = {"messages": _HELLO, "max_tokens": 20, "stream": True}
    with running(config) as handle, httpx.Client(base_url=handle.url) as client:
        with client.stream("POST", "/v1/chat/completions", json=body) as first:
            assert first.status_code == 200
            answer = client.post("/v1/chat/completions", json={"messages": _HELLO})
            assert answer.status_code == 503
            assert answer.json()["error"]["type"] == "Service Unavailable"
            assert "retry-after" not in answer.headers
            assert client.get("/health").status_code == 200
        page = client.get("/metrics").text
    assert 'vllm:admission_rejections_total{model_name="demo",reason="max_num_queued_reqs"} 1.0' in page
