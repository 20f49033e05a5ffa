"""Hours are closed twice, late, never or by two at once, and events come late and doubled: each counts once."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from django.db import connection, connections
from django.utils import timezone

from metering.events import Event
from metering.latency import closing
from metering.latency.histogram import Histogram
from metering.ledger import intake
from metering.models import LatencyBucket, LatencySpan
from metering.period import HOURS_KEPT
from metering.vocabulary import RequestStatus
from tests.metering.ledger.conftest import Place, entries

pytestmark = pytest.mark.django_db(transaction=True)


class Row(NamedTuple):
    """One histogram of the database, open or closed."""

    count: int
    total_us: int


def hour(ago: int) -> datetime:
    now = timezone.now().astimezone(UTC)
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=ago)


def requests(place: Place, at: datetime, count: int, seed: int = 1) -> list[Event]:
    """Streams with random latencies that began in the hour of `at`."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        event = place.event(at + timedelta(seconds=chance.randrange(3000)))
        first = event.started + chance.randrange(1_000, 900_000)
        facts = {
            "first": first,
            "ended": first + chance.randrange(900_000),
            "itl_us": chance.randrange(9_000),
        }
        made.append(place.event(at, **{**_facts(event), **facts}))
    return made


def _facts(event: Event) -> dict[str, int | str]:
    return {"id": event.id, "started": event.started}


def take(events: list[Event]) -> None:
    intake.take(entries(*events), timezone.now())


def whole(measure: str) -> Histogram:
    """All there is of a measure, open or closed, added up."""
    found = Histogram()
    for span in LatencySpan.objects.filter(measure=measure):
        found += Histogram.unpack(bytes(span.packed), span.count, span.total_us)
    for each in LatencyBucket.objects.filter(measure=measure):
        found += Histogram.of_counts({each.bucket: each.count}, each.total_us)
    return found


def expected(events: list[Event], measure: str) -> Histogram:
    if measure == "ttft":
        return Histogram.of(e.first - e.started for e in events if e.first is not None)
    if measure == "itl":
        return Histogram.of(e.itl_us for e in events if e.itl_us is not None)
    return Histogram.of(e.ended - e.started for e in events if e.status is RequestStatus.COMPLETED)


def is_right(events: list[Event]) -> bool:
    return all(whole(measure) == expected(events, measure) for measure in ("ttft", "itl", "e2e"))


def test_requests_are_in_the_histograms_as_soon_as_they_are_recorded(place: Place) -> None:
    gone = place.event(status=RequestStatus.CLIENT_GONE)
    events = [place.event(), place.event(first=None, itl_us=None), gone]
    take(events)
    assert is_right(events)
    assert whole("e2e").count == 2  # how long an answer took that its client did not wait for says nothing
    assert not LatencySpan.objects.exists()


def test_doubled_events_count_once(place: Place) -> None:
    events = requests(place, hour(3), 20)
    take(events)
    take(events[:10] + events[:5])
    assert is_right(events)


def test_closing_twice_is_closing_once(place: Place) -> None:
    events = requests(place, hour(3), 50) + requests(place, hour(2), 30, seed=2)
    take(events)
    assert closing.close(timezone.now()) == 6
    assert not LatencyBucket.objects.exists()
    before = list(LatencySpan.objects.order_by("id").values())
    assert closing.close(timezone.now()) == 0
    assert list(LatencySpan.objects.order_by("id").values()) == before
    assert is_right(events)


def test_the_hour_that_runs_stays_open(place: Place) -> None:
    take([place.event()])
    soon = timezone.now().replace(minute=0, second=0, microsecond=0)
    LatencyBucket.objects.update(hour=soon)
    assert closing.close(soon + timedelta(minutes=59)) == 0
    assert closing.close(soon + timedelta(hours=1)) == 2


def test_late_events_are_packed_with_the_others(place: Place) -> None:
    events = requests(place, hour(5), 40)
    take(events[:25])
    closing.close(timezone.now())
    take(events[25:])
    assert is_right(events)
    closing.close(timezone.now())
    assert is_right(events)
    assert LatencySpan.objects.count() == 3
    span = LatencySpan.objects.get(measure="ttft")
    assert [span.p50_us, span.p95_us, span.p99_us] == expected(events, "ttft").percentiles(50, 95, 99)


def test_two_that_close_at_once_and_a_ledger_that_records_meanwhile_lose_nothing(place: Place) -> None:
    events = requests(place, hour(4), 60) + requests(place, hour(2), 60, seed=2)
    take(events[:40])
    errors: list[BaseException] = []

    def work(of: list[Event] | None) -> None:
        try:
            if of is None:
                for _ in range(10):
                    closing.close(timezone.now())
            else:
                for at in range(0, len(of), 4):
                    take(of[at : at + 4])
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(of,)) for of in (None, None, events[40:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    closing.close(timezone.now())
    assert is_right(events)
    assert not LatencyBucket.objects.exists()


def test_a_close_that_is_killed_half_way_changes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = requests(place, hour(3), 20)
    take(events)

    def killed(*_: object) -> list[tuple[object, ...]]:
        raise SystemExit

    monkeypatch.setattr(closing, "_rows", killed)
    with pytest.raises(SystemExit):
        closing.close(timezone.now())
    assert is_right(events)
    assert not LatencySpan.objects.exists()


def test_hours_that_are_old_become_days_and_nothing_of_them_is_lost(place: Place) -> None:
    events = requests(place, hour(3), 30) + requests(place, hour(30), 30, seed=2)
    take(events)
    closing.close(timezone.now())
    later = timezone.now() + HOURS_KEPT + timedelta(days=3)
    closing.close(later)
    assert is_right(events)
    lengths = set(LatencySpan.objects.values_list("length", flat=True))
    assert lengths == {"day"}
    assert closing.close(later) == 0
    late = requests(place, hour(3), 5, seed=3)
    take(late)
    closing.close(later)
    assert is_right(events + late)
    assert set(LatencySpan.objects.values_list("length", flat=True)) == {"day"}


def test_many_hours_are_closed_in_a_few_statements(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "_AT_ONCE", 4)
    events = [each for ago in range(2, 9) for each in requests(place, hour(ago), 3, seed=ago)]
    take(events)
    assert closing.close(timezone.now()) == 21
    assert is_right(events)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM metering_latencybucket")
        assert cursor.fetchone() == (0,)
