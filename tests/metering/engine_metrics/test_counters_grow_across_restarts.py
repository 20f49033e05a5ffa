"""The growth of counters from reading to reading, whatever happens to engines, replicas and looks in between."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from metering.engine_counters import grown
from metering.engine_metrics.minutes import CLOSEST, MINUTES_KEPT
from metering.models import EngineMinute
from tests.metering.engine_metrics.conftest import Replicas, at, steady, upstream


def test_the_first_reading_of_a_replica_knows_no_growth(replicas: Replicas) -> None:
    replicas.say(at(0), running=1, prompt_tokens=5000)
    row = EngineMinute.objects.get()
    assert (row.running, row.prompt_tokens_read, row.prompt_tokens, row.over_seconds) == (1, 5000, None, None)


def test_a_counter_grows_by_what_was_added_since_the_minute_before(replicas: Replicas) -> None:
    for minute, value in enumerate((100, 150, 150, 400)):
        replicas.say(at(minute), prompt_tokens=value)
    assert replicas.growth("prompt_tokens") == [None, 50, 0, 250]
    assert replicas.growth("over_seconds") == [None, 60.0, 60.0, 60.0]


def test_a_smaller_value_is_a_new_beginning(replicas: Replicas) -> None:
    for minute, value in enumerate((100, 150, 5, 9)):
        replicas.say(at(minute), prompt_tokens=value)
    assert replicas.growth("prompt_tokens") == [None, 50, 5, 4]


@given(st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=5), min_size=1, max_size=5))
def test_nothing_that_was_read_is_counted_twice_or_left_out(lives: list[list[int]]) -> None:
    """Each life of an engine begins at nothing; what a life added after its last reading nobody can know."""
    readings = [sum(life[: index + 1]) for life in lives for index in range(len(life))]
    total, begun = 0, readings[0]
    for before, after in itertools.pairwise(readings):
        total += grown(before, after)
    true = sum(sum(life) for life in lives) - begun
    assert total <= true, (
        "a restart that shows more than before looks like growth, which is less than there was"
    )
    if all(sum(life) > after[0] for life, after in itertools.pairwise(lives)):
        assert total == true


def test_growth_over_a_gap_is_counted_at_the_reading_after_it_and_spread_nowhere(replicas: Replicas) -> None:
    for minute, value in ((0, 100), (1, 160), (31, 1960)):
        replicas.say(at(minute), prompt_tokens=value)
    assert replicas.growth("prompt_tokens") == [None, 60, 1800]
    assert replicas.growth("over_seconds") == [None, 60.0, 1800.0]


def test_after_a_gap_that_is_longer_than_minutes_are_kept_it_begins_anew(replicas: Replicas) -> None:
    replicas.say(at(0), prompt_tokens=100)
    replicas.say(at(1) + MINUTES_KEPT, prompt_tokens=900)
    assert replicas.growth("prompt_tokens") == [None, None]


def test_a_figure_that_is_not_said_is_unknown_and_not_zero(replicas: Replicas) -> None:
    replicas.say(at(0), running=2, prompt_tokens=100, preemptions=3)
    replicas.say(at(1), running=None, prompt_tokens=None, preemptions=4)
    replicas.say(at(2), running=0, prompt_tokens=170, preemptions=4)
    assert replicas.growth("running") == [2, None, 0]
    assert replicas.growth("prompt_tokens") == [None, None, 70], "compared with what was said last"
    assert replicas.growth("preemptions") == [None, 1, 0]
    assert replicas.growth("prefix_hits") == [None, None, None]


def test_a_figure_that_appears_later_has_its_first_growth_after_that(replicas: Replicas) -> None:
    replicas.say(at(0), running=0)
    replicas.say(at(1), running=1, generation_tokens=5000)
    replicas.say(at(2), running=1, generation_tokens=5600)
    assert replicas.growth("generation_tokens") == [None, None, 600]


def test_replicas_come_and_go_without_touching_each_other(replicas: Replicas) -> None:
    replicas.all_say(at(0), {1: {"prompt_tokens": 100}})
    replicas.all_say(at(1), {1: {"prompt_tokens": 110}, 2: {"prompt_tokens": 7000}})
    replicas.all_say(at(2), {2: {"prompt_tokens": 7020}})
    replicas.all_say(at(3), {1: {"prompt_tokens": 40}, 2: {"prompt_tokens": 7030}})
    assert replicas.growth("prompt_tokens", 1) == [None, 10, 40]
    assert replicas.growth("prompt_tokens", 2) == [None, 20, 10]


def test_an_address_that_another_deployment_had_begins_anew(replicas: Replicas) -> None:
    replicas.say(at(0), prompt_tokens=100)
    other = Replicas(deployment_id=8)
    other.say(at(1), prompt_tokens=900)
    replicas.say(at(2), prompt_tokens=130)
    assert other.growth("prompt_tokens") == [None]
    assert replicas.growth("prompt_tokens") == [None, 30]
    assert set(EngineMinute.objects.values_list("upstream", flat=True)) == {upstream()}


def test_a_look_that_is_done_twice_counts_once(replicas: Replicas) -> None:
    replicas.say(at(0), prompt_tokens=100)
    assert replicas.say(at(1), prompt_tokens=150) == 1
    assert replicas.say(at(1), prompt_tokens=150) == 0
    assert replicas.say(at(1) + CLOSEST / 2, prompt_tokens=155) == 0
    assert replicas.say(at(2), prompt_tokens=170) == 1
    assert replicas.growth("prompt_tokens") == [None, 50, 20]


def test_a_look_that_is_overtaken_says_nothing_new(replicas: Replicas) -> None:
    """Its older, smaller counters must not be taken for those of an engine that began anew."""
    replicas.say(at(0), prompt_tokens=1000)
    replicas.say(at(1), prompt_tokens=1100)
    assert replicas.say(at(1) - timedelta(seconds=20), prompt_tokens=1080) == 0
    assert replicas.growth("prompt_tokens") == [None, 100]


def test_two_readings_in_one_minute_are_one_row_with_the_growth_of_both(replicas: Replicas) -> None:
    replicas.say(at(0), running=1, prompt_tokens=100)
    replicas.say(at(1), running=2, prompt_tokens=150)
    replicas.say(at(1.5), running=5, prompt_tokens=160)
    replicas.say(at(2.5), running=0, prompt_tokens=160)
    assert replicas.growth("running") == [1, 5, 0]
    assert replicas.growth("prompt_tokens") == [None, 60, 0]
    assert replicas.growth("over_seconds") == [None, 90.0, 60.0]


def test_nothing_is_asked_of_the_database_when_nobody_answered(replicas: Replicas) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert replicas.all_say(at(0), {}) == 0
    assert len(captured) == 0


@pytest.mark.parametrize("count", [2, 50])
def test_a_look_takes_the_same_statements_for_two_and_for_fifty_replicas(
    replicas: Replicas, count: int
) -> None:
    replicas.all_say(at(0), steady(count, 0))
    with CaptureQueriesContext(connection) as captured:
        assert replicas.all_say(at(1), steady(count, 1)) == count
    statements = [query["sql"].split()[0] for query in captured]
    assert statements == ["SAVEPOINT", "SELECT", "SELECT", "INSERT", "RELEASE"]
    assert replicas.growth("generation_tokens", count) == [None, 1200]
