"""Most events of a stream are like the one before: they are compared with what is foretold, and mean the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.gateway.likeness import Likeness
from metering.gateway.stream import Stream
from tests.metering.gateway.events import encoded, event, stream, used

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
    sent = [encoded(each) for each in (first, *messages)]
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
