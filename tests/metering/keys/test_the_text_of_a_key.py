"""The text of an API key: recognisable, checked against slips, and impossible to guess."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from metering import keys


def test_a_key_can_be_recognised_and_is_never_the_same() -> None:
    made = {keys.mint() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"slipway_[0-9A-Za-z]{48}", key) for key in made)
    assert all(keys.is_whole(key) for key in made)
    assert len({keys.prefix_of(key) for key in made}) == 200


@given(st.integers(8, 55), st.sampled_from("0123456789ABCXYZabcxyz"))
def test_a_slip_of_one_character_is_noticed(place: int, character: str) -> None:
    key = keys.mint()
    slipped = key[:place] + character + key[place + 1 :]
    assert keys.is_whole(slipped) is (slipped == key)


@given(st.integers(0, 55))
def test_a_key_that_is_cut_is_noticed(length: int) -> None:
    assert not keys.is_whole(keys.mint()[:length])


@given(st.text(max_size=80))
def test_other_text_is_no_key(text: str) -> None:
    assert not keys.is_whole(text)


def test_what_is_kept_of_a_key_does_not_contain_it() -> None:
    key = keys.mint()
    assert keys.digest(key) == keys.digest(key)
    assert len(keys.digest(key)) == 64
    assert key[16:] not in keys.digest(key)
    assert len(keys.prefix_of(key)) == 16
