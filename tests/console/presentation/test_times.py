"""Moments, durations and ages read the same everywhere, in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.presentation import times

NOW = datetime(2026, 11, 23, 14, 12, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 11, 23, 14, 2, tzinfo=UTC), "14:02"),
        (datetime(2026, 11, 23, 0, 0, tzinfo=UTC), "00:00"),
        (datetime(2026, 11, 22, 14, 0, tzinfo=UTC), "22 Nov 14:00"),
        (datetime(2025, 11, 23, 14, 2, tzinfo=UTC), "23 Nov 2025 14:02"),
        # Half past midnight in Oslo is still the day before in UTC.
        (datetime(2026, 11, 23, 0, 30, tzinfo=timezone(timedelta(hours=1))), "22 Nov 23:30"),
    ],
)
def test_a_moment_names_its_day_only_when_it_is_not_today(at, text):
    assert times.moment(at, NOW) == text


def test_a_moment_can_show_its_seconds():
    assert times.moment(NOW, NOW, seconds=True) == "14:12:08"


def test_the_tooltip_says_everything():
    assert times.full_moment(NOW) == "23 November 2026, 14:12:08 UTC"


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        times.moment(datetime(2026, 11, 23), NOW)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, "0 s"),
        (timedelta(milliseconds=412), "412 ms"),
        (timedelta(microseconds=3), "1 ms"),
        (38, "38 s"),
        (59, "59 s"),
        (60, "1 min 00 s"),
        (554, "9 min 14 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (3 * 3600 + 5 * 60 + 59, "3 h 05 min"),
        (timedelta(days=2, hours=4), "2 d 4 h"),
        (timedelta(seconds=-5), "0 s"),
        (None, "–"),
    ],
)
def test_durations_have_at_most_two_units(span, text):
    assert times.duration(span) == text


@pytest.mark.parametrize(
    ("span", "text"),
    [(4, "4 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (86400 * 18, "18 d")],
)
def test_ages_have_one_unit(span, text):
    assert times.age(span) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-30, "just now"), (0, "just now"), (4, "4 s ago"), (600, "10 min ago")]
)
def test_what_is_fresh_is_told_relative_to_now(seconds, text):
    assert times.ago(NOW - timedelta(seconds=seconds), NOW) == text


@given(st.integers(min_value=0, max_value=10**9), st.integers(min_value=0, max_value=10**9))
def test_a_longer_age_never_reads_shorter(one, other):
    def seconds(text):
        count, unit = text.split()
        return int(count) * {"s": 1, "min": 60, "h": 3600, "d": 86400}[unit]

    assert (seconds(times.age(one)) <= seconds(times.age(other))) or one > other
