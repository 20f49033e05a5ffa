"""Small lines: every known value is drawn once, inside the box, and a gap is not bridged."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from metering.fleet.sparkline import HEIGHT, WIDTH, path


def test_a_gap_begins_a_new_piece_and_a_lonely_value_is_a_dot() -> None:
    assert path([10, 5, None, 10, None]) == "M0,2 25,11 M75,2h0"


def test_nothing_is_drawn_of_nothing() -> None:
    assert path([]) == path([None, None]) == ""


@given(st.lists(st.none() | st.integers(0, 10**9), max_size=60))
def test_each_known_value_is_a_point_inside(values: list[int | None]) -> None:
    points = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", path(values))]
    assert len(points) == len([value for value in values if value is not None])
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    starts = sum(
        value is not None and (index == 0 or values[index - 1] is None) for index, value in enumerate(values)
    )
    assert path(values).count("M") == starts
