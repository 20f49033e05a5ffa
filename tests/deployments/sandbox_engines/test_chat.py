"""Chat and completion answers, whole and streamed: keys, order of events, usage, determinism."""

import json
from typing import Any

import httpx
import openai
import pytest

from tests.deployments.sandbox_engines.running import Running

_HELLO = [{"role": "user", "content": "Hello there, engine"}]
# The keys of a real server's answers, in their order.
_WHOLE = (
    "id object created model choices service_tier system_fingerprint usage prompt_logprobs prompt_token_ids"
    " prompt_text kv_transfer_params ec_transfer_params metrics"
).split()
_CHOICE = "index message logprobs finish_reason stop_reason token_ids routed_experts".split()
_MESSAGE = "role content refusal annotations audio function_call reasoning".split()
_ROLE_EVENT = "id object created model choices prompt_token_ids prompt_text".split()
_EVENT = "id object created model choices".split()


def _events(client: httpx.Client, path: str = "/v1/chat/completions", **body: Any) -> list[Any]:
    """The parsed events of a stream; the end mark stays a string."""
    with client.stream("POST", path, json={"model": "demo", "stream": True, **body}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["transfer-encoding"] == "chunked"
        text = answer.read().decode()
    assert text.endswith("data: [DONE]\n\n")
    blocks = text.removesuffix("\n\n").split("\n\n")
    assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
    return [block[6:] if block == "data: [DONE]" else json.loads(block[6:]) for block in blocks]


def test_a_whole_answer_has_the_keys_of_a_real_one(http: httpx.Client) -> None:
    body = {"model": "demo", "messages": _HELLO, "max_tokens": 8}
    answer = http.post("/v1/chat/completions", json=body).json()
    assert list(answer) == _WHOLE
    (choice,) = answer["choices"]
    assert list(choice) == _CHOICE
    assert list(choice["message"]) == _MESSAGE
    assert choice["finish_reason"] == "length"
    usage = answer["usage"]
    assert usage["completion_tokens"] == 8
    assert usage["total_tokens"] == usage["prompt_tokens"] + 8
    assert answer["object"] == "chat.completion"
    assert answer["system_fingerprint"].startswith("vllm-0.32.0-")


def test_a_stream_has_role_tokens_usage_and_end(http: httpx.Client) -> None:
    events = _events(http, messages=_HELLO, max_tokens=24, stream_options={"include_usage": True})
    assert len(events) == 27
    role, *tokens, usage, end = events
    assert list(role) == _ROLE_EVENT
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(list(event) == _EVENT for event in tokens)
    assert list(tokens[0]["choices"][0]) == ["index", "delta", "logprobs", "finish_reason", "token_ids"]
    last = tokens[-1]["choices"][0]
    assert list(last) == ["index", "delta", "logprobs", "finish_reason", "stop_reason", "token_ids"]
    assert (last["finish_reason"], last["stop_reason"]) == ("length", None)
    assert list(usage) == [*_EVENT, "usage", "system_fingerprint"]
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 24
    assert list(usage["usage"]) == ["prompt_tokens", "total_tokens", "completion_tokens"]
    assert end == "[DONE]"
    assert len({event["id"] for event in events[:-1]}) == 1


def test_without_the_option_there_is_no_usage_event(http: httpx.Client) -> None:
    *events, _end = _events(http, messages=_HELLO, max_tokens=3)
    assert not any("usage" in event for event in events)
    assert "system_fingerprint" in events[-1]
    assert events[-1]["choices"][0]["finish_reason"] == "length"


def test_continuous_usage_is_on_every_event(http: httpx.Client) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    *events, _end = _events(http, messages=_HELLO, max_tokens=3, stream_options=options)
    assert [event["usage"]["completion_tokens"] for event in events] == [0, 1, 2, 3, 3]


def test_stream_and_whole_answer_say_the_same(http: httpx.Client) -> None:
    *events, _end = _events(http, messages=_HELLO)
    streamed = "".join(event["choices"][0]["delta"]["content"] for event in events)
    body = {"model": "demo", "messages": _HELLO}
    whole = http.post("/v1/chat/completions", json=body).json()["choices"][0]
    assert whole["message"]["content"] == streamed
    assert whole["finish_reason"] == "stop"
    assert len(streamed.split()) > 10
    assert streamed.endswith(".")


def test_an_event_may_carry_no_text(http: httpx.Client) -> None:
    *events, _end = _events(http, messages=_HELLO, max_tokens=400, ignore_eos=True)
    texts = [event["choices"][0]["delta"]["content"] for event in events[1:]]
    assert len(texts) == 400
    assert "" in texts
    assert any("✨" in text for text in texts)


def test_a_stop_string_ends_the_answer(http: httpx.Client) -> None:
    body = {"model": "demo", "messages": _HELLO, "stop": ["."]}
    choice = http.post("/v1/chat/completions", json=body).json()["choices"][0]
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", ".")
    assert "." not in choice["message"]["content"]


def test_several_choices_are_all_counted(http: httpx.Client) -> None:
    body = {"model": "demo", "messages": _HELLO, "n": 3, "max_tokens": 5}
    answer = http.post("/v1/chat/completions", json=body).json()
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert len({choice["message"]["content"] for choice in answer["choices"]}) == 3
    assert answer["usage"]["completion_tokens"] == 15


def test_a_completion_stream_has_texts_and_no_role(http: httpx.Client) -> None:
    *events, _end = _events(http, "/v1/completions", prompt="Once", max_tokens=4)
    assert len(events) == 4
    assert {event["object"] for event in events} == {"text_completion"}
    assert all("text" in event["choices"][0] for event in events)
    body = {"model": "demo", "prompt": "Once", "max_tokens": 4}
    whole = http.post("/v1/completions", json=body).json()
    assert whole["choices"][0]["text"] == "".join(event["choices"][0]["text"] for event in events)


def test_an_alias_answers_under_its_own_name(http: httpx.Client) -> None:
    body = {"model": "other-name", "messages": _HELLO, "max_tokens": 1}
    assert http.post("/v1/chat/completions", json=body).json()["model"] == "other-name"


def test_a_request_id_becomes_part_of_the_answer_s(http: httpx.Client) -> None:
    body = {"messages": _HELLO, "max_tokens": 1}
    answer = http.post("/v1/chat/completions", json=body, headers={"X-Request-Id": "mine-1"})
    assert answer.json()["id"] == "chatcmpl-mine-1"
    assert "x-request-id" not in answer.headers


@pytest.fixture(scope="module")
def official(engine: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{engine.url}/v1", api_key="unused", max_retries=0)


def test_the_official_client_gets_a_chat(official: openai.OpenAI) -> None:
    answer = official.chat.completions.create(model="demo", messages=_HELLO, max_tokens=6)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 6
    assert answer.choices[0].message.content


def test_the_official_client_reads_a_stream(official: openai.OpenAI) -> None:
    options = {"include_usage": True}
    chunks = list(
        official.chat.completions.create(
            model="demo", messages=_HELLO, max_tokens=6, stream=True, stream_options=options
        )
    )
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 6
    assert chunks[-2].choices[0].finish_reason == "length"


def test_the_official_client_lists_models_and_raises_on_a_wrong_one(official: openai.OpenAI) -> None:
    assert [model.id for model in official.models.list()] == ["demo", "other-name"]
    with pytest.raises(openai.NotFoundError, match="The model `nope` does not exist"):
        official.chat.completions.create(model="nope", messages=_HELLO)


def test_the_official_client_completes(official: openai.OpenAI) -> None:
    answer = official.completions.create(model="demo", prompt="Once", max_tokens=3)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3
