"""A stream from engine to client: metered exactly, and apart from usage that nobody asked for, byte for byte."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.gateway.likeness import Likeness
from metering.gateway.stream import Stream
from metering.gateway.usage import MOST_TOKENS, of_answer

DONE = b"data: [DONE]\n\n"


def event(content: str | None = None, usage: Any = None, *, last: bool = False, **members: Any) -> bytes:
    """One event in vLLM's shape; `last` is the one with usage only."""
    choices = [] if last else [{"index": 0, "delta": {"content": content}, "finish_reason": None}]
    message = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": choices, **members}
    if usage is not None:
        message["usage"] = usage
    return b"data: " + json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def used(output: Any, prompt: Any = 7, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "total_tokens": 0, "completion_tokens": output, **more}


def stream(**options: Any) -> Stream:
    return Stream(**{"keep_last": False, "keep_all": False, **options})


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


TEXTS = st.lists(
    st.sampled_from([*'ab"\\{}[],:\n\r ', "error", "abort", ',"usage":{"prompt_tokens":7,"total_tokens":']),
    max_size=6,
).map("".join)


@st.composite
def event_of_a_token(draw: st.DrawFn) -> dict[str, Any]:
    """Mostly alike, as those of one stream are, and sometimes different in any member.

    Its usage is what it counts more than the one before.
    """
    choice: dict[str, Any] = {"index": 0, "delta": {"content": draw(TEXTS)}, "logprobs": None}
    choice["finish_reason"] = draw(st.sampled_from([None, None, None, "stop", "abort"]))
    message = {"id": "1", "choices": [choice], "usage": used(draw(st.sampled_from([1, 1, 1, 1, 0, 2, -1])))}
    odd = draw(
        st.sampled_from(["", "", "", "role", "reasoning", "nested", "error", "prompt", "none", "null"])
    )
    if odd in ("role", "reasoning"):
        choice["delta"][odd] = "x"
    elif odd == "nested":
        message["more"] = {"usage": message["usage"]}
    elif odd == "error":
        message["error"] = draw(st.sampled_from([None, {"message": "x"}]))
    elif odd == "prompt":
        message["usage"]["prompt_tokens"] = draw(st.integers(-1, 9))
    elif odd:
        message["choices" if odd == "none" else "usage"] = [] if odd == "none" else None
    return message


class Following:
    """Passes a stream on as an answer does: what comes as foretold the quick way, up to `most` events at a time."""

    def __init__(self, metered: Stream, most: int = 1000) -> None:
        self._metered, self._most = metered, most
        self._like: Likeness | None = None
        self.followed = 0

    def feed(self, data: bytes) -> bytes:
        if self._like is not None and (piece := self._like.follow(data)) is not None:
            self.followed += 1
            return piece
        piece = self._metered.feed(data)
        self._like = self._metered.foretell(self._most)
        return piece


def sent_as(messages: list[dict[str, Any]]) -> list[bytes]:
    return [
        b"data: " + json.dumps(each, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"
        for each in messages
    ]


@given(
    st.lists(event_of_a_token(), min_size=2, max_size=12),
    st.booleans(),
    st.lists(st.integers(1, 60), max_size=6),
    st.integers(0, 3),
)
def test_an_event_that_is_compared_means_what_it_means_when_it_is_read(
    messages: list[dict[str, Any]], keep_last: bool, cuts: list[int], most: int
) -> None:
    """Whatever texts and members events have: as if each were read as JSON, in one piece or in many, foretold or not.

    Some of them are cut, so that pieces of events come, too.
    """
    first, output = {"choices": [{"delta": {"content": "a"}}], "usage": used(0)}, 0
    for usage in filter(None, (each["usage"] for each in messages)):
        output += usage["completion_tokens"]
        usage.update(completion_tokens=output, total_tokens=7 + output)
    sent = sent_as([first, *messages])
    pieces = list(sent)
    for cut in cuts:
        index = cut % len(pieces)
        pieces[index : index + 1] = [pieces[index][:cut], pieces[index][cut:]]
    read, compared, whole, cut_up = (stream(keep_last=keep_last) for _ in range(4))
    read._is_comparable = False
    shown = b"".join(map(read.feed, sent))
    assert b"".join(map(compared.feed, sent)) == whole.feed(b"".join(sent)) == shown
    assert b"".join(map(Following(cut_up, most).feed, pieces)) == shown
    assert compared.counted == whole.counted == cut_up.counted == read.counted
    assert compared.output == whole.output == cut_up.output == read.output
    assert compared.failed is whole.failed is cut_up.failed is read.failed


@given(
    start=st.integers(0, 12_000),
    prompt=st.integers(0, 12_000),
    steps=st.lists(st.sampled_from([1] * 40 + [0, 2, 3, -1]), min_size=1, max_size=150),
)
def test_every_count_is_followed_whatever_the_steps(start: int, prompt: int, steps: list[int]) -> None:
    """Numbers become longer, skip, stand still and go back; after each event the answer has as many as were told."""
    metered = stream()
    following, output, told = Following(metered), start, 0
    for step in [0, *steps]:
        output = max(0, output + step)
        told = max(told, output)
        usage = {
            "prompt_tokens": prompt,
            "total_tokens": prompt + output,
            "completion_tokens": output,
        }
        assert following.feed(event("a%", usage)) == event("a%")
        assert (metered.counted.input, metered.output) == (prompt, told)


def test_nearly_all_events_of_a_stream_come_as_foretold() -> None:
    following = Following(stream())
    for count in range(1000):
        usage = {"prompt_tokens": 7, "total_tokens": 7 + count, "completion_tokens": count}
        following.feed(event("a", usage, of="50%d"))
    assert following.followed > 950


def test_no_more_events_are_foretold_than_may_pass() -> None:
    metered = stream()
    sent = [event("a", used(count)) for count in range(1, 9)]
    assert metered.foretell(4) is None
    metered.feed(sent[0] + sent[1])
    assert metered.foretell(0) is None
    for allowed in (1, 1):  # more of them only after these have come
        like = metered.foretell(allowed)
        assert like is not None
        assert like.follow(event("a", {**used(metered.output + 1), "total_tokens": 1})) is not None
        assert like.follow(event("a", {**used(metered.output + 1), "total_tokens": 2})) is None
        metered.feed(event("a", used(metered.output + 1)))


NEXT = event("xx", {**used(2), "total_tokens": 1})
UNLIKE = {
    "a quotation mark in the text": NEXT.replace(b"xx", b'x"'),
    "a line in the text": NEXT.replace(b"xx", b"x\n"),
    "an old line in the text": NEXT.replace(b"xx", b"x\r"),
    "two events": NEXT.replace(b"xx", b'x"}}]}\n\ndata: {"'),
    "another field": NEXT.replace(b"data:", b"date:"),
    "another member": NEXT.replace(b'"content"', b'"refusal"'),
    "no end of the text": NEXT.replace(b'"xx"', b'"'),
    "another count": NEXT.replace(b"}}\n\n", b"0}}\n\n"),
    "no end": NEXT[:-1],
    "nothing": b"",
}


@pytest.mark.parametrize("case", UNLIKE)
def test_an_event_that_differs_in_more_than_its_text_does_not_come_as_foretold(case: str) -> None:
    metered = stream()
    metered.feed(event("a", used(1)))
    like = metered.foretell(9)
    assert like is not None
    assert like.follow(UNLIKE[case]) is None
    assert metered.output == 1
    assert like.follow(NEXT) == event("xx")
    assert metered.output == 2


def test_after_a_piece_of_an_event_comes_its_rest_whatever_that_looks_like() -> None:
    metered = stream()
    assert metered.feed(event("a", used(1)) + b"x") == event("a")
    assert metered.foretell(9) is None
    assert metered.feed(NEXT) == b"x" + NEXT  # not "data:", so no event with data
    assert metered.output == 1


def test_a_prompt_that_was_counted_anew_in_between_is_counted_anew_again() -> None:
    alike = [event("a", usage=used(1)), event("b", usage=used(2)), event(usage=used(4, prompt=3), last=True)]
    metered = stream()
    for each in (*alike, event("d", usage=used(5))):
        metered.feed(each)
    assert (metered.counted.input, metered.counted.output) == (7, 5)


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
    return (
        b"data: "
        + json.dumps({"choices": [choice], "usage": usage}, separators=(",", ":")).encode()
        + b"\n\n"
    )


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
    metered.feed(b"data: " + json.dumps({"choices": [choice]}, separators=(",", ":")).encode() + b"\n\n")
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
