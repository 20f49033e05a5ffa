"""A stream from engine to client: metered exactly, and apart from usage that nobody asked for, byte for byte."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.gateway.usage import MOST_TOKENS, of_answer
from tests.metering.gateway.events import encoded, event, stream, used

DONE = b"data: [DONE]\n\n"


WORDS = ["Hello", " ", "wörld", ' "usage":{', ',"usage":{"prompt_tokens":1}', "\n\ndata: x", ""]
REPORTED = b"".join(
    [
        event("", used(0), role="assistant"),
        *(event(word, used(number)) for number, word in enumerate(WORDS, 1)),
        event(usage=used(len(WORDS)), last=True),
        DONE,
    ]
)
PLAIN = b"".join([event("", role="assistant"), *(event(word) for word in WORDS), DONE])


@given(st.lists(st.integers(1, len(REPORTED) - 1), max_size=12))
def test_wherever_it_is_cut_the_client_sees_what_it_would_have_without_us(cuts: list[int]) -> None:
    """Every byte but the usage reaches the client, and every token is counted, in whatever pieces the bytes come."""
    edges = [0, *sorted(cuts), len(REPORTED)]
    metered = stream()
    out = b"".join(metered.feed(REPORTED[a:b]) for a, b in itertools.pairwise(edges))
    assert out + metered.rest() == PLAIN
    assert (metered.counted.input, metered.counted.output, metered.counted.is_known) == (7, len(WORDS), True)
    assert metered.is_done


def test_who_asked_for_usage_gets_the_last_event_and_no_other() -> None:
    metered = stream(keep_last=True)
    out = metered.feed(REPORTED) + metered.rest()
    assert out == PLAIN.removesuffix(DONE) + event(usage=used(len(WORDS)), last=True) + DONE


def test_who_asked_for_all_usage_gets_every_byte() -> None:
    metered = stream(keep_last=True, keep_all=True)
    assert metered.feed(REPORTED) + metered.rest() == REPORTED


def test_the_event_that_ends_a_stream_waits_until_the_ledger_has_it() -> None:
    metered = stream()
    assert metered.feed(event("Hi") + DONE) == event("Hi")
    assert metered.is_done
    assert (metered.rest(), metered.rest()) == (DONE, b"")


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_every_line_end_of_the_standard_ends_an_event(end: bytes) -> None:
    metered = stream()
    sent = REPORTED.replace(b"\n\n", end)
    assert metered.feed(sent) + metered.rest() == PLAIN.replace(b"\n\n", end)
    assert metered.counted.output == len(WORDS)


def test_comments_that_keep_a_stream_alive_pass_and_are_no_tokens() -> None:
    metered = stream()
    assert metered.feed(b": ping\n\n" + event("Hi")) == b": ping\n\n" + event("Hi")
    assert metered.output == 1


def test_spaces_in_the_engines_json_change_nothing() -> None:
    answer = {"choices": [{"delta": {"content": "Hi"}}], "usage": used(1, prompt=3)}
    metered = stream()
    shown = json.loads(metered.feed(b"data: " + json.dumps(answer).encode() + b"\n\n")[6:])
    assert shown == {"choices": [{"delta": {"content": "Hi"}}]}
    assert metered.counted.input == 3


BAD_USAGE = {
    "missing": None,
    "null": "null",
    "a text": "lots",
    "a list": [1],
    "negative": used(-5),
    "negative prompt": used(5, prompt=-1),
    "enormous": used(10**18),
    "more than 64 bits": used(10**30),
    "a fraction": used(1.5),
    "without a prompt": {"completion_tokens": 3},
    "nested": {"usage": used(3)},
}


@pytest.mark.parametrize("case", BAD_USAGE)
def test_usage_that_cannot_be_true_is_not_believed(case: str) -> None:
    """E15: usage missing, malformed, negative, 10^18. The gateway counts the events that have text instead."""
    metered = stream()
    metered.feed(event("Hello") + event(" there") + event(usage=BAD_USAGE[case], last=True) + DONE)
    assert not metered.counted.is_known
    assert metered.output == 2


def test_usage_that_comes_twice_counts_once() -> None:
    """E15: the usage chunk doubled."""
    metered = stream()
    last = event(usage=used(5), last=True)
    metered.feed(event("Hi") + last + last + DONE)
    assert (metered.counted.input, metered.counted.output) == (7, 5)


def test_a_later_and_smaller_count_takes_nothing_back() -> None:
    metered = stream()
    metered.feed(event("Hi", used(5)) + event(usage=used(2), last=True))
    assert metered.counted.output == 5


def of_choice(index: int, usage: dict[str, Any]) -> bytes:
    """As vLLM reports while several answers are under way: each event speaks of its own answer."""
    choice = {"index": index, "delta": {"content": "Hi"}, "finish_reason": None}
    return encoded({"choices": [choice], "usage": usage})


def test_the_answers_of_one_request_are_added_up_while_they_come() -> None:
    metered = stream(choices=3)
    metered.feed(b"".join(of_choice(index, used(count)) for index, count in [(0, 1), (2, 1), (0, 2), (1, 4)]))
    assert (metered.counted.input, metered.output) == (7, 2 + 4 + 1)
    metered.feed(of_choice(0, used(1)))  # takes nothing back
    assert metered.output == 7
    metered.feed(event(usage=used(9), last=True) + DONE)
    assert (metered.counted.input, metered.output) == (7, 9)


def test_the_prompts_of_one_request_are_added_up_while_their_answers_come() -> None:
    metered = stream(prompts=2, choices=4)
    metered.feed(
        of_choice(0, used(1, prompt=3)) + of_choice(1, used(2, prompt=3)) + of_choice(3, used(1, prompt=7))
    )
    assert (metered.counted.input, metered.output) == (10, 4)


@pytest.mark.parametrize(
    "choices", [b"null", b"[{}]", b"[1]", b'[{"index":0},{"index":1}]', b'[{"index":"a"}]']
)
def test_usage_of_no_known_answer_is_left_out(choices: bytes) -> None:
    metered = stream(choices=2)
    metered.feed(b'data: {"choices":' + choices + b',"usage":' + json.dumps(used(5)).encode() + b"}\n\n")
    assert not metered.counted.is_known


def test_more_cached_tokens_than_the_prompt_has_are_not_believed() -> None:
    for cached, believed in ((3, 3), (8, 0), (-1, 0)):
        metered = stream()
        metered.feed(event(usage=used(1, prompt_tokens_details={"cached_tokens": cached}), last=True))
        assert metered.counted.cached == believed


def test_the_first_token_is_the_first_text_and_not_the_role() -> None:
    metered = stream()
    metered.feed(event(""))
    assert not metered.has_text
    metered.feed(event("Hi"))
    assert metered.has_text


@pytest.mark.parametrize(
    "delta", [{"reasoning": "Hm"}, {"reasoning_content": "Hm"}, {"tool_calls": [{"index": 0}]}]
)
def test_thinking_and_calling_tools_are_answers_too(delta: dict[str, Any]) -> None:
    metered = stream()
    metered.feed(b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n")
    assert metered.has_text


def test_an_engine_that_fails_in_mid_stream_is_not_quoted() -> None:
    """What an engine says of its insides is not for tenants; the gateway says it in its own words."""
    metered = stream()
    out = metered.feed(
        event("Hi", used(1)) + b'data: {"error": {"message": "stack trace", "code": 500}}\n\n' + DONE
    )
    assert metered.failed
    assert b"stack trace" not in out


def test_an_answer_that_the_engine_gave_up_is_a_failure() -> None:
    metered = stream()
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "abort"}
    metered.feed(encoded({"choices": [choice]}))
    assert metered.failed


def test_an_event_without_an_end_is_not_gathered_for_ever() -> None:
    metered = stream()
    metered.feed(b"data: " + b"x" * 2_000_000)
    with pytest.raises(ValueError, match="too long"):
        metered.feed(b"x" * 1_000_000)


@given(st.binary(max_size=400))
def test_no_bytes_whatever_break_the_meter(data: bytes) -> None:
    """E26: what an engine sends is not trusted either."""
    metered = stream()
    metered.feed(data + b"\n\n")
    assert 0 <= metered.output <= MOST_TOKENS


def test_a_whole_answer_says_what_it_used() -> None:
    answer = {"choices": [{"message": {"content": "Hello"}}], "usage": used(12)}
    counted = of_answer(json.dumps(answer).encode())
    assert (counted.input, counted.output, counted.is_known) == (7, 12, True)


@pytest.mark.parametrize("case", BAD_USAGE)
def test_a_whole_answer_without_believable_usage_is_estimated_by_its_text(case: str) -> None:
    answer = {"choices": [{"message": {"content": "x" * 41}}], "usage": BAD_USAGE[case]}
    counted = of_answer(json.dumps(answer).encode())
    assert (counted.output, counted.is_known) == (11, False)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'{"choices": 3}', b'{"choices": [null]}'])
def test_an_answer_that_says_nothing_has_no_tokens(body: bytes) -> None:
    assert of_answer(body).output == 0
