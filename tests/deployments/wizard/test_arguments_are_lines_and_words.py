"""Arguments are typed as lines and kept as words, and come back as they were meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.wizard import words

WORD = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1).filter(
    lambda text: not text.isspace()
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", []),
        ("--max-model-len 8192", ["--max-model-len", "8192"]),
        ("--a\r\n\r\n  --b=1  ", ["--a", "--b=1"]),
        ("""--config '{"a": 1}'""", ["--config", '{"a": 1}']),
        ("--x # not a comment $HOME *", ["--x", "#", "not", "a", "comment", "$HOME", "*"]),
    ],
)
def test_lines_are_split_as_a_shell_splits_words(typed: str, meant: list[str]) -> None:
    assert words.split(typed)[0] == meant


def test_a_word_knows_its_line() -> None:
    assert words.split("--a\n\n--b 1")[1] == [1, 3, 3]


def test_an_open_quote_names_its_line() -> None:
    with pytest.raises(words.Unsplittable, match="Line 2"):
        words.split("--a\n--b 'open")


@given(st.lists(WORD, max_size=8))
def test_words_survive_the_text_box(meant: list[str]) -> None:
    assert words.split(words.join(meant))[0] == meant
