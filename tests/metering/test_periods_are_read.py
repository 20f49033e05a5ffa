"""Which hours a page shows, from what its address says; and what is wrong with an address that makes no sense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering import period
from metering.latency import showing
from metering.period import BadPeriod

NOW = datetime(2026, 11, 26, 14, 20, tzinfo=UTC)


def test_the_last_day_ends_with_the_hour_that_runs() -> None:
    found = period.read({}, NOW)
    assert (found.begin, found.end) == (
        datetime(2026, 11, 25, 15, tzinfo=UTC),
        datetime(2026, 11, 26, 15, tzinfo=UTC),
    )
    assert len(list(found.starts())) == 24
    assert (found.before.begin, found.before.end) == (found.begin - timedelta(days=1), found.begin)


def test_a_period_of_ones_own_is_widened_to_whole_hours_of_its_zone() -> None:
    asked = {"from": "2026-11-22T14:30", "to": "2026-11-22T16:01", "zone": "Asia/Kolkata"}
    found = period.read(asked, NOW)
    assert found.begin == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert found.end == datetime(2026, 11, 22, 11, tzinfo=UTC)
    assert showing.step_name(found.begin, found) == "22 Nov 14:30"


def test_long_and_old_periods_are_shown_by_days() -> None:
    long = period.read({"from": "2026-08-01T05:00", "to": "2026-11-01T06:00"}, NOW)
    old = period.read({"from": "2025-06-01T05:00", "to": "2025-06-01T06:00"}, NOW)
    assert long.is_daily
    assert old.is_daily
    assert (old.begin.hour, old.end - old.begin) == (0, timedelta(days=1))


WRONG = {
    "reversed": ({"from": "2026-11-22T14:00", "to": "2026-11-22T13:00"}, "ends before it begins"),
    "empty": ({"from": "2026-11-22T14:00", "to": "2026-11-22T14:00"}, "ends before it begins"),
    "in the future": ({"from": "2026-12-01T00:00", "to": "2026-12-02T00:00"}, "in the future"),
    "five years and more": ({"from": "2020-01-01T00:00", "to": "2026-01-01T00:00"}, "longer than five years"),
    "without an end": ({"from": "2026-11-22T14:00"}, "A beginning and an end"),
    "no time": ({"from": "yesterday", "to": "today"}, "A beginning and an end"),
    "year one": ({"from": "0001-01-01T00:00", "to": "2026-01-01T00:00", "zone": "Asia/Tokyo"}, "A beginning"),
    "an unknown preset": ({"period": "90d"}, "no such period"),
    "an unknown zone": ({"zone": "Mars/Olympus"}, "no such time zone"),
    "a path for a zone": ({"zone": "../../etc/passwd"}, "no such time zone"),
    "a folder for a zone": ({"zone": "Europe"}, "no such time zone"),
    "an endless zone": ({"zone": "a" * 1000}, "no such time zone"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_makes_no_sense_is_said_in_a_sentence(case: str) -> None:
    asked, words = WRONG[case]
    with pytest.raises(BadPeriod, match=words):
        period.read(asked, NOW)


@given(st.dictionaries(st.sampled_from(["period", "from", "to", "zone"]), st.text(max_size=30)))
def test_no_address_whatever_breaks_it(asked: dict[str, str]) -> None:
    try:
        found = period.read(asked, NOW)
    except BadPeriod:
        return
    assert found.begin < found.end


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_with_a_clock_change_has_the_hours_that_it_has(day: str, hours: int) -> None:
    """Each hour once and in its order; the one that comes twice on the clock is there twice."""
    after = f"{day[:-2]}{int(day[-2:]) + 1}"
    found = period.read({"from": f"{day}T00:00", "to": f"{after}T00:00", "zone": "Europe/Oslo"}, NOW)
    starts = list(found.starts())
    assert len(starts) == hours
    assert len({start.timestamp() for start in starts}) == hours
    names = [showing.step_name(start, found) for start in starts]
    assert names[0].endswith("00:00")
    assert names.count(names[2]) == (2 if hours == 25 else 1)


@pytest.mark.parametrize("asked", [{}, {"period": "7d"}, {"period": "30d"}, {"zone": "America/St_Johns"}])
def test_an_axis_has_a_few_round_moments(asked: dict[str, str]) -> None:
    found = period.read(asked, NOW)
    ticks = showing.ticks(found)
    assert 2 <= len(ticks) <= 8
    assert [at for at, _ in ticks] == sorted(at for at, _ in ticks)
