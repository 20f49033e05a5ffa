"""The chain alone: whatever is done to an entry is found, and the entry is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.audit.chain import NOTHING, START, Link, Mark, check, digest

values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
contents = st.dictionaries(st.text(max_size=6), values | st.lists(values, max_size=3), max_size=4)


def chained(rows: list[dict[str, Any]]) -> list[Link]:
    links: list[Link] = []
    for number, content in enumerate(rows, 1):
        previous = links[-1].digest if links else NOTHING
        links.append(Link(number, previous, digest(previous, number, content), content))
    return links


def mark(links: list[Link]) -> Mark:
    return Mark(links[-1].number, links[-1].digest)


def found(links: list[Link], head: Mark, **more: Any) -> int | None:
    first = check(links, head, **more)
    return first.number if first else None


chains = st.lists(contents, min_size=2, max_size=12).map(chained)
places = st.integers(0, 10**6)


@given(chains)
def test_a_chain_that_nobody_touched_is_whole(links: list[Link]) -> None:
    assert check(links, mark(links)) is None
    assert check([], START) is None


@given(chains, places, contents)
def test_a_changed_entry_is_named(links: list[Link], at: int, other: dict[str, Any]) -> None:
    place = at % len(links)
    changed = links[place]._replace(content={**links[place].content, "was": other})
    assert found([*links[:place], changed, *links[place + 1 :]], mark(links)) == place + 1


@given(chains, places, contents)
def test_a_changed_entry_with_a_digest_made_anew_is_found_at_its_place_or_the_next(
    links: list[Link], at: int, other: dict[str, Any]
) -> None:
    place = at % len(links)
    link = links[place]
    content = {**link.content, "was": other}
    forged = link._replace(content=content, digest=digest(link.previous, link.number, content))
    named = found([*links[:place], forged, *links[place + 1 :]], mark(links))
    assert named == min(place + 2, len(links))


@given(chains, places)
def test_a_deleted_entry_is_named_also_at_the_end(links: list[Link], at: int) -> None:
    place = at % len(links)
    assert found([*links[:place], *links[place + 1 :]], mark(links)) == place + 1


@given(chains, places, contents)
def test_an_inserted_entry_is_named(links: list[Link], at: int, content: dict[str, Any]) -> None:
    place = at % len(links)
    before = links[place]
    forged = Link(before.number, before.digest, digest(before.digest, before.number, content), content)
    assert found([*links[: place + 1], forged, *links[place + 1 :]], mark(links)) == place + 1


@given(chains, places)
def test_two_swapped_entries_are_found_at_the_first(links: list[Link], at: int) -> None:
    place = at % (len(links) - 1)
    one, two = links[place], links[place + 1]
    swapped = [one._replace(number=two.number), two._replace(number=one.number)]
    assert found([*links[:place], *swapped[::-1], *links[place + 2 :]], mark(links)) == place + 1


@given(chains, places, contents)
def test_a_chain_written_anew_is_found_by_a_mark_that_was_kept(
    links: list[Link], at: int, content: dict[str, Any]
) -> None:
    place = at % len(links)
    rows = [dict(link.content) for link in links]
    rows[place] = {**rows[place], "was": content}
    forged = chained(rows)
    assert found(forged, mark(forged)) is None
    assert found(forged, mark(forged), expected=mark(links)) == len(links)
    assert found(links, mark(links), expected=mark(links)) is None


@given(chains, places)
def test_a_pruned_chain_is_whole_from_its_anchor_on(links: list[Link], at: int) -> None:
    place = at % len(links)
    anchor = Mark(links[place].number, links[place].digest)
    assert check(links[place + 1 :], mark(links), anchor=anchor) is None
    if links[place + 1 :]:
        assert found(links[place + 1 :], mark(links), anchor=anchor._replace(digest="f" * 64)) == place + 2


def test_the_end_that_was_cut_off_with_its_head_is_found_by_a_mark_that_was_kept() -> None:
    links = chained([{"a": 1}, {"a": 2}, {"a": 3}])
    assert found(links[:2], mark(links[:2])) is None
    assert found(links[:2], mark(links[:2]), expected=mark(links)) == 3
    assert found(links, mark(links[:2])) == 3


@pytest.mark.parametrize(
    "text", ["", "1", "1:", "x:" + "0" * 64, "1:" + "g" * 64, "-1:" + "0" * 64, "1" * 30]
)
def test_what_is_no_mark_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (which one does not matter)
        Mark.read(text)


def test_a_mark_is_read_as_it_is_written() -> None:
    here = Mark(7, "ab" * 32)
    assert Mark.read(str(here)) == here
