"""What is in the stream is taken in or put aside, whatever it is: nothing stops a reader, and nothing stays."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import OperationalError, connection

from metering.events import FIELD, GROUP, STREAM, encode
from metering.ledger import intake
from metering.ledger.intake import Taken
from metering.ledger.judging import Good
from metering.ledger.reading import Ledger
from metering.models import UsageEvent, UsageReject
from tests.faults.postgres import database_url
from tests.metering.ledger.conftest import Place

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger(valkey: redis.Redis) -> Iterator[Ledger]:
    found = Ledger(settings.REDIS_URL, abandoned_ms=0)
    found.step()  # makes the group
    yield found
    found.stop()
    found.run()


def is_empty(valkey: redis.Redis) -> bool:
    return valkey.xlen(STREAM) == 0 and valkey.xpending(STREAM, GROUP)["pending"] == 0


@pytest.mark.parametrize(
    "facts",
    [
        {"model": "a\0b"},
        {"deployment": "\0"},
        {"gateway": "g\0"},
        {"gateway": "g" * 65},
        {"id": "\0" * 32},
        {"revision": 2**31},
        {"itl_us": 2**63 - 1},
        {"started": 2**63 - 1, "ended": 2**63 - 1},
        {"started": -(2**63)},
        {"first": -1},
        {"first": 0},
        {"ended": 2**63 - 1},
    ],
)
def test_a_strange_event_is_put_aside_and_the_others_are_taken_in(
    facts: dict[str, object], place: Place, ledger: Ledger, valkey: redis.Redis
) -> None:
    for event in (place.event(), place.event(**facts), place.event()):
        valkey.xadd(STREAM, {FIELD: encode(event)})
    assert ledger.step() == Taken(2, 0, 1)
    assert is_empty(valkey)


def test_an_entry_that_no_gateway_wrote_is_put_aside(
    place: Place, ledger: Ledger, valkey: redis.Redis
) -> None:
    id = valkey.xadd(STREAM, {"other": "x"})
    assert ledger.step() == Taken(0, 0, 1)
    assert UsageReject.objects.get().entry == id.decode()
    assert is_empty(valkey)


def test_what_another_reader_has_left_is_claimed_and_what_is_deleted_is_forgotten(
    place: Place, ledger: Ledger, valkey: redis.Redis
) -> None:
    ids = [valkey.xadd(STREAM, {FIELD: encode(place.event())}) for _ in range(3)]
    valkey.xreadgroup(GROUP, "dead", {STREAM: ">"})
    valkey.xdel(STREAM, ids[1])
    heir = Ledger(settings.REDIS_URL, abandoned_ms=0)
    assert heir.step() == Taken(2, 0, 0)
    assert UsageEvent.objects.count() == 2
    assert is_empty(valkey)


def test_what_a_reader_could_not_confirm_it_takes_again(
    place: Place, ledger: Ledger, valkey: redis.Redis
) -> None:
    for _ in range(2):
        valkey.xadd(STREAM, {FIELD: encode(place.event())})
    ledger._group_read(">", block=None)  # read, and then the connection was lost
    ledger._has_pending = True
    assert ledger.step() == Taken(2, 0, 0)
    assert is_empty(valkey)


def test_a_batch_of_nothing_but_rejects_needs_no_more_statements(
    place: Place, ledger: Ledger, valkey: redis.Redis
) -> None:
    from django.test.utils import CaptureQueriesContext

    counts = []
    for size in (1, 100):
        for number in range(size):
            valkey.xadd(STREAM, {FIELD: b"nonsense %d" % number})
        with CaptureQueriesContext(connection) as captured:
            assert ledger.step().rejected == size
        counts.append(len(captured))
    assert counts[0] == counts[1]


class Fatal(list[Good]):
    """Judged events; the connection to Postgres ends while they are copied."""

    def __init__(self, judged: list[Good], victim: int) -> None:
        super().__init__(judged)
        self._victim, self._turns = victim, 0

    def __iter__(self) -> Iterator[Good]:
        self._turns += 1
        for number, each in enumerate(super().__iter__()):
            if self._turns == 2 and number == len(self) // 2:
                with psycopg.connect(database_url(), autocommit=True) as other:
                    other.execute("SELECT pg_terminate_backend(%s, 1000)", [self._victim])
            yield each


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_ends_in_the_middle_of_copy_is_an_error_that_a_reader_waits_for(
    place: Place,
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (victim,) = cursor.fetchone()
    event = place.event()
    judged = [Good(event.id, event, b"x" * 500)] * 2000
    try:
        with pytest.raises(OperationalError):
            intake._take(Fatal(judged, victim))
    finally:
        connection.close()
    assert UsageEvent.objects.count() == 0
