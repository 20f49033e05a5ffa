"""What a page is told of a period: all replicas together, minute by minute or hour by hour, with gaps as gaps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from metering.engine_metrics import closing
from metering.engine_metrics.reading import Point, Series, read
from tests.metering.engine_metrics.conftest import HOUR, Replicas, at, steady


def by_minute(replicas: Replicas, first: float, last: float) -> Series:
    series = read(replicas.deployment_id, at(first), at(last), at(last))
    assert series.step == timedelta(minutes=1)
    return series


def by_hour(replicas: Replicas, first: int, last: int, now: float | None = None) -> Series:
    """From hour to hour; `now` in minutes."""
    series = read(
        replicas.deployment_id,
        at(hours=first),
        at(hours=last),
        at(now) if now is not None else at(hours=last),
    )
    assert series.step == timedelta(hours=1)
    return series


def test_a_minute_is_that_of_all_replicas_together(replicas: Replicas) -> None:
    replicas.all_say(at(0), {1: {"generation_tokens": 0}, 2: {"generation_tokens": 0}})
    replicas.all_say(
        at(1),
        {
            1: {
                "running": 3,
                "waiting": 0,
                "kv_use": 0.25,
                "preemptions": 0,
                "generation_tokens": 600,
            },
            2: {
                "running": 1,
                "waiting": 9,
                "kv_use": 0.75,
                "preemptions": 5,
                "generation_tokens": 1200,
            },
        },
    )
    replicas.all_say(at(2), {1: {"preemptions": 2}, 2: {"preemptions": 6}})
    points = by_minute(replicas, 0, 3).points
    assert points[1] == Point(
        at=at(1),
        replicas=2,
        running=4,
        waiting=9,
        kv_use=0.5,
        kv_use_max=0.75,
        generation_tokens_per_second=30.0,
    )
    assert points[2].preemptions == 3
    assert points[2].generation_tokens_per_second is None


def test_other_deployments_are_others(replicas: Replicas) -> None:
    Replicas(deployment_id=8).say(at(0), running=5)
    assert by_minute(replicas, 0, 1).is_empty
    assert by_hour(replicas, -9, 1).is_empty


def test_minutes_without_a_reading_are_gaps(replicas: Replicas) -> None:
    for minute in (0, 1, 4):
        replicas.say(at(minute), running=0, generation_tokens=600 * minute)
    points = by_minute(replicas, 0, 5).points
    assert [point.at for point in points] == [at(minute) for minute in range(5)]
    assert [point.running for point in points] == [0, 0, None, None, 0]
    assert [point.replicas for point in points] == [1, 1, 0, 0, 1]
    speed = [point.generation_tokens_per_second for point in points]
    assert speed == [None, 10.0, None, None, 10.0], "growth over a gap is no peak after it"


def test_the_hit_rate_is_of_replicas_that_count_both(replicas: Replicas) -> None:
    replicas.all_say(at(0), {1: {"prefix_hits": 0, "prefix_queries": 0}, 2: {"prefix_queries": 0}})
    replicas.all_say(at(1), {1: {"prefix_hits": 30, "prefix_queries": 40}, 2: {"prefix_queries": 1000}})
    replicas.all_say(at(2), {1: {"prefix_hits": 30, "prefix_queries": 40}, 2: {"prefix_queries": 1000}})
    closing.close(at(hours=1))
    assert [point.prefix_hit_rate for point in by_minute(replicas, 0, 3).points] == [None, 0.75, None]
    assert by_hour(replicas, -8, 1).points[-1].prefix_hit_rate == 0.75


def test_an_hour_is_the_mean_of_what_ran_and_the_highest_use(replicas: Replicas) -> None:
    for minute in range(60):
        replicas.all_say(at(minute), steady(2, minute))
    closing.close(at(hours=1))
    point = by_hour(replicas, -8, 1).points[-1]
    assert point.generation_tokens_per_second == pytest.approx(2 * 1200 / 60)
    assert point.prompt_tokens_per_second == pytest.approx(2 * 600 / 60)
    assert (point.running, point.waiting, point.kv_use, point.kv_use_max) == (6, 4, 0.5, 0.5)
    assert (point.preemptions, point.prefix_hit_rate, point.replicas) == (2 * 59, 0.25, 2)


def test_replicas_that_follow_each_other_are_one_at_any_time(replicas: Replicas) -> None:
    for minute in range(60):
        replicas.say(
            at(minute), number=1 if minute < 30 else 2, running=4, kv_use=0.2 if minute < 30 else 0.6
        )
    closing.close(at(hours=1))
    point = by_hour(replicas, -8, 1).points[-1]
    assert (point.running, point.replicas) == (4, 2)
    assert (point.kv_use, point.kv_use_max) == (pytest.approx(0.4), 0.6)


def test_a_replica_that_comes_back_makes_the_others_not_slower(replicas: Replicas) -> None:
    for minute in range(-30, 60):
        there = {1: {"generation_tokens": 600 * (minute + 30)}}
        if minute in (-30, 59):
            there[2] = {"generation_tokens": 600 * (minute + 30)}
        replicas.all_say(at(minute), there)
    closing.close(at(hours=1))
    speed = by_hour(replicas, -8, 1).points[-1].generation_tokens_per_second
    assert speed == pytest.approx((3600 * 10 + 89 * 600) / 3600)


def test_hours_that_are_not_closed_are_there_as_if_they_were(replicas: Replicas) -> None:
    for minute in range(150):
        replicas.all_say(at(minute), steady(2, minute))
    still_open = by_hour(replicas, -8, 3, now=150)
    closing.close(at(30, hours=1))
    one_closed = by_hour(replicas, -8, 3, now=150)
    closing.close(at(hours=3))
    all_closed = by_hour(replicas, -8, 3, now=150)
    assert still_open == one_closed == all_closed
    assert [point.preemptions for point in all_closed.points[-3:]] == [2 * 59, 2 * 60, 2 * 30]
    assert all_closed.points[-1].generation_tokens_per_second == pytest.approx(40.0), (
        "of the half that has passed"
    )


def test_up_to_six_hours_are_minutes_while_there_are_minutes(replicas: Replicas) -> None:
    replicas.say(HOUR, running=1)
    now = at(hours=6)
    six = read(7, HOUR, now, now)
    assert (six.step, len(six.points)) == (timedelta(minutes=1), 360)
    more = read(7, HOUR - timedelta(seconds=1), now, now)
    assert (more.step, len(more.points)) == (timedelta(hours=1), 7)
    later = at(hours=49)
    closing.close(later)
    old = read(7, HOUR, at(hours=1), later)
    assert (old.step, [point.running for point in old.points]) == (timedelta(hours=1), [1])


def test_periods_are_bounded_by_now_and_by_what_is_kept(replicas: Replicas) -> None:
    now = at(30)
    assert len(read(7, at(0), at(hours=5), now).points) == 30
    assert read(7, at(hours=5), at(hours=4), now).points == ()
    assert len(read(7, HOUR - timedelta(days=3650), now, now).points) == 396 * 24 + 1


def test_a_period_is_read_with_one_query_whatever_the_number_of_replicas(replicas: Replicas) -> None:
    counts = []
    for number in (2, 50):
        for minute in range(3):
            replicas.all_say(at(minute, hours=number), steady(number, minute))
        with CaptureQueriesContext(connection) as captured:
            by_minute(replicas, 60 * number, 60 * number + 3)
            by_hour(replicas, -9, number + 1)
        counts.append(len(captured))
    assert counts == [2, 2]
