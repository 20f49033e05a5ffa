"""What a request asks for and how it is told to the engine: exact to the last digit, bounded in everything."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.gateway.body import CHAT, COMPLETIONS, EMBEDDINGS, for_engine, prompt_about, read
from metering.gateway.errors import Refusal

MESSAGES = [{"role": "user", "content": "Hello"}]


def chat(**members: Any) -> bytes:
    return json.dumps({"model": "chat", "messages": MESSAGES, **members}).encode()


def told(body: bytes, path: str = CHAT, **options: Any) -> dict[str, Any]:
    """What the engine gets."""
    given = {"continuous": True, "cap": None, **options}
    return json.loads(for_engine(read(path, body), **given))


def test_a_stream_is_made_to_report_usage_in_every_event() -> None:
    asked = told(chat(stream=True, stream_options={"include_usage": False, "chunk_size": 3}))
    assert asked["stream_options"] == {
        "include_usage": True,
        "chunk_size": 3,
        "continuous_usage_stats": True,
    }
    assert told(chat(stream=True), continuous=False)["stream_options"] == {"include_usage": True}
    assert told(chat(stream=True, stream_options=None))["stream_options"]["include_usage"] is True


def test_an_answer_that_is_not_streamed_gets_no_stream_options() -> None:
    assert "stream_options" not in told(chat())


def test_what_the_client_asked_for_is_remembered() -> None:
    asked = read(CHAT, chat(stream=True, stream_options={"include_usage": True}, n=3, max_tokens=9))
    assert (asked.include_usage, asked.continuous_usage, asked.choices, asked.max_output) == (
        True,
        False,
        3,
        9,
    )


def test_numbers_reach_the_engine_as_they_were_written() -> None:
    body = b'{"model":"chat","seed":9223372036854775808,"temperature":1.0,"top_p":0.10,"messages":[]}'
    sent = for_engine(read(CHAT, body), continuous=True, cap=None)
    assert b'"seed":9223372036854775808' in sent
    assert b'"temperature":1.0,"top_p":0.10' in sent


def test_a_member_that_stands_twice_means_the_same_to_everybody() -> None:
    body = b'{"model":"mine","model":"yours","n":100,"n":1,"messages":[]}'
    asked = read(CHAT, body)
    sent = for_engine(asked, continuous=True, cap=None)
    assert (asked.model, asked.choices) == ("yours", 1)
    assert sent.count(b'"model"') == sent.count(b'"n"') == 1


def test_a_cap_becomes_the_most_tokens_of_the_answer() -> None:
    assert told(chat(), cap=77)["max_tokens"] == 77


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [("one", 1), (["one", "two"], 2), ([1, 2, 3], 1), ([[1], [2], [3]], 3), ([], 1), (None, 1)],
)
def test_each_prompt_of_a_completion_is_an_answer_of_its_own(prompt: Any, prompts: int) -> None:
    body = json.dumps({"model": "chat", "prompt": prompt, "n": 2}).encode()
    assert read(COMPLETIONS, body).choices == 2 * prompts


def test_an_embedding_has_no_output() -> None:
    body = json.dumps({"model": "embed", "input": ["a", "b"], "stream": True}).encode()
    asked = read(EMBEDDINGS, body)
    assert (asked.max_output, asked.stream, asked.prompts) == (0, False, 2)


@given(st.lists(st.text(max_size=40), max_size=5))
def test_a_prompt_never_has_more_tokens_than_its_bound(texts: list[str]) -> None:
    """A token is at least one byte of text, whatever the tokenizer."""
    messages = [{"role": "user", "content": text} for text in texts]
    for ascii_only in (True, False):
        body = json.dumps({"model": "chat", "messages": messages}, ensure_ascii=ascii_only)
        asked = read(CHAT, body.encode("utf-8", "replace"))
        assert asked.prompt_bound >= sum(len(text.encode("utf-8", "replace")) for text in texts)
        assert prompt_about(asked) >= 1


def test_a_picture_is_bound_by_the_context_alone() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert read(CHAT, chat(messages=[{"role": "user", "content": [picture]}])).prompt_bound == 0


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not a JSON object"),
    "a list": (b"[]", "not a JSON object"),
    "cut": (b'{"model":"chat"', "not a JSON object"),
    "not a number": (b'{"model":"chat","temperature":NaN}', "not a JSON object"),
    "a lone surrogate": (b'{"model":"\\ud800"}', "not a JSON object"),
    "not UTF-8": (b'{"model":"\xff"}', "model must be a text"),
    "nested deeply": (b'{"model":"chat","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
    "no model": (b"{}", "which model"),
    "an empty model": (b'{"model":""}', "which model"),
    "a model that is a number": (b'{"model":7}', "model must be a text"),
    "stream is a text": (chat(stream="yes"), "stream must be true or false"),
    "options without a stream": (chat(stream_options={"include_usage": True}), "stream: true"),
    "options that are a list": (chat(stream=True, stream_options=[1]), "stream_options must be an object"),
    "no choices": (chat(n=0), "n is 0"),
    "negative choices": (chat(n=-1), "n is -1"),
    "a million choices": (chat(n=10**6), "n is 1000000"),
    "no tokens": (chat(max_tokens=0), "max_tokens is 0"),
    "negative tokens": (chat(max_completion_tokens=-5), "max_completion_tokens is -5"),
    "a huge number of tokens": (chat(max_tokens=10**30), "max_tokens"),
    "half a token": (chat(max_tokens=0.5), "max_tokens must be a whole number"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_no_engine_could_answer_is_refused_in_words(case: str) -> None:
    """E26: cut, nested, huge, negative and odd input."""
    body, words = BAD[case]
    with pytest.raises(Refusal) as refused:
        read(CHAT, body)
    assert refused.value.status == 400
    assert words in json.loads(refused.value.body)["error"]["message"]


@given(st.binary(max_size=300))
def test_no_bytes_whatever_break_the_reading(data: bytes) -> None:
    """E26: a refusal, or a request; nothing else comes out."""
    with contextlib.suppress(Refusal):
        assert read(CHAT, data).model
