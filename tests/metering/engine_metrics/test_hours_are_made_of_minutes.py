"""Hours are closed twice, late, never or by two at once: each is there once and whole, and what is old goes."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from metering.engine_metrics import closing
from metering.engine_metrics.closing import HOURS_KEPT
from metering.engine_metrics.minutes import MINUTES_KEPT
from metering.models import EngineHour, EngineMinute
from tests.metering.engine_metrics.conftest import HOUR, Replicas, at, steady, upstream


def an_hour(replicas: Replicas, count: int = 1, *, first: int = 0, last: int = 60) -> None:
    for minute in range(first, last):
        replicas.all_say(at(minute), steady(count, minute))


def rows() -> list[dict[str, Any]]:
    return list(EngineHour.objects.order_by("deployment_id", "upstream", "hour").values())


def test_an_hour_has_the_means_the_highest_and_the_sums_of_its_minutes(replicas: Replicas) -> None:
    replicas.say(at(-1), prompt_tokens=0, prefix_hits=0)
    replicas.say(at(0), running=1, waiting=0, kv_use=0.25, prompt_tokens=100, prefix_hits=5)
    replicas.say(at(1), running=4, waiting=9, kv_use=0.75, prompt_tokens=40, prefix_hits=8)
    replicas.say(at(2), running=None, prompt_tokens=50, prefix_hits=9)
    closing.close(at(hours=1))
    hour = EngineHour.objects.get(hour=HOUR)
    assert (hour.deployment_id, hour.upstream, hour.minutes, hour.looks) == (7, upstream(), 3, 3)
    assert (hour.running_mean, hour.running_max) == (2.5, 4)
    assert (hour.waiting_mean, hour.waiting_max) == (4.5, 9)
    assert (hour.kv_use_mean, hour.kv_use_max) == (0.5, 0.75)
    assert (hour.prompt_tokens, hour.prefix_hits, hour.seconds) == (100 + 40 + 10, 9, 180.0)
    assert (hour.preemptions, hour.generation_tokens) == (None, None), "nobody said them"


def test_the_hour_that_runs_stays_open(replicas: Replicas) -> None:
    an_hour(replicas)
    assert closing.close(at(59)) == 0
    assert closing.close(at(hours=1)) == 1


def test_closing_twice_is_closing_once(replicas: Replicas) -> None:
    an_hour(replicas, 2)
    closing.close(at(3, hours=1))
    before = rows()
    assert len(before) == 2
    closing.close(at(4, hours=1))
    closing.close(at(3, hours=9))
    assert rows() == before
    assert closing.close(at(3, hours=9)) == 0, "what has not changed is not written"


def test_closing_late_is_closing_in_time(replicas: Replicas) -> None:
    for hour in range(3):
        an_hour(replicas, first=60 * hour, last=60 * hour + 60)
        closing.close(at(hours=hour + 1))
    in_time = [{**row, "id": None} for row in rows()]
    EngineHour.objects.all().delete()
    week = at(hours=7 * 24)
    closing.close(week)
    assert [{**row, "id": None} for row in rows()] == in_time
    assert not EngineMinute.objects.exists(), "they were old, but not forgotten before they were in an hour"


def test_never_closing_loses_no_minute(replicas: Replicas) -> None:
    an_hour(replicas, last=3)
    replicas.say(at(hours=24 * 30), running=1)
    assert EngineMinute.objects.count() == 4


def test_an_hour_that_was_closed_too_early_is_made_anew(replicas: Replicas) -> None:
    an_hour(replicas, last=30)
    closing.close(at(hours=1))
    an_hour(replicas, 2, first=30)
    closing.close(at(hours=1))
    first, second = EngineHour.objects.order_by("upstream")
    assert (first.minutes, first.looks, first.generation_tokens) == (60, 60, 59 * 1200)
    assert (second.minutes, second.looks, second.generation_tokens) == (30, 60, 29 * 1200)


def test_an_hour_that_grew_by_another_replica_says_so_in_all_its_rows(replicas: Replicas) -> None:
    an_hour(replicas, last=30)
    closing.close(at(hours=1))
    for minute in range(30, 60):
        replicas.say(at(minute), number=2, running=1)
    closing.close(at(hours=9))
    assert list(EngineHour.objects.values_list("minutes", "looks")) == [(30, 60), (30, 60)]


def test_growth_that_is_added_to_a_minute_after_its_hour_was_closed_is_not_lost(replicas: Replicas) -> None:
    an_hour(replicas)
    closing.close(at(hours=1))
    replicas.say(at(59.5), generation_tokens=1200 * 59 + 600)
    closing.close(at(hours=2))
    assert EngineHour.objects.get().generation_tokens == 59 * 1200 + 600


def test_minutes_go_hour_by_hour_after_two_days(replicas: Replicas) -> None:
    an_hour(replicas, last=120)
    closing.close(at(59) + MINUTES_KEPT)
    assert EngineMinute.objects.count() == 120
    closing.close(at(30, hours=1) + MINUTES_KEPT)
    assert EngineMinute.objects.count() == 60, "an hour goes whole, or it would be made anew of a part"
    assert EngineHour.objects.get(hour=HOUR).minutes == 60
    closing.close(at(hours=2) + MINUTES_KEPT)
    assert not EngineMinute.objects.exists()
    assert EngineHour.objects.count() == 2


def test_a_minute_that_comes_when_its_hour_has_lost_its_minutes_does_not_replace_it(
    replicas: Replicas,
) -> None:
    an_hour(replicas)
    closing.close(at(hours=1) + MINUTES_KEPT)
    assert not EngineMinute.objects.exists()
    replicas.say(at(30), running=99)
    closing.close(at(hours=2) + MINUTES_KEPT)
    assert (EngineHour.objects.get().minutes, EngineHour.objects.get().running_max) == (60, 3)


def test_hours_go_after_thirteen_months(replicas: Replicas) -> None:
    an_hour(replicas, last=5)
    closing.close(at(hours=1))
    closing.close(HOUR + HOURS_KEPT)
    assert EngineHour.objects.count() == 1
    closing.close(at(hours=1) + HOURS_KEPT)
    assert not EngineHour.objects.exists()


@pytest.mark.parametrize("count", [2, 50])
def test_closing_takes_the_same_statements_for_two_and_for_fifty_replicas(
    replicas: Replicas, count: int
) -> None:
    for minute in range(3):
        replicas.all_say(at(minute), steady(count, minute))
    with CaptureQueriesContext(connection) as captured:
        assert closing.close(at(hours=1)) == count
    statements = [query["sql"].split()[0] for query in captured]
    assert statements == ["SAVEPOINT", "INSERT", "DELETE", "DELETE", "RELEASE"]


@pytest.mark.django_db(transaction=True)
def test_several_that_close_at_once_leave_each_hour_once() -> None:
    replicas = Replicas()
    an_hour(replicas, 3, last=150)
    errors: list[BaseException] = []
    start = threading.Barrier(4)

    def work() -> None:
        try:
            start.wait(10)
            for _ in range(5):
                closing.close(at(hours=2) + MINUTES_KEPT)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    closed = EngineHour.objects.values_list("minutes", "looks", "generation_tokens")
    assert sorted(closed) == [(30, 30, 36_000)] * 3 + [(60, 60, 70_800)] * 3 + [(60, 60, 72_000)] * 3
    assert EngineMinute.objects.count() == 90
