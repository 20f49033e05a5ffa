"""E18, E6: the reader killed and stopped under load, Postgres away and read-only, Valkey emptied: exact in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.db import connection
from django.db.models import Count, Sum
from django.utils import timezone

from metering import invariants
from metering.events import FIELD, GROUP, STREAM, encode
from metering.models import UsageEvent, UsageHour
from tests.faults.postgres import database_url, socket_path
from tests.faults.proxy import Fault, fault_proxy
from tests.metering.ledger.conftest import Place

pytestmark = pytest.mark.django_db(transaction=True)
PROJECT = Path(__file__).parents[3]


class Reader:
    """`manage.py record_usage` as a process."""

    def __init__(self, database_url: str, log: Path) -> None:
        environment = {**os.environ, "DATABASE_URL": database_url, "PYTHONPATH": str(PROJECT)}
        code = (
            # One that is told to stop while it still starts has nothing to bring to an end.
            "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
            "import django; django.setup(); from metering.ledger.reading import Ledger; "
            "from django.conf import settings; ledger = Ledger(settings.REDIS_URL, abandoned_ms=300); "
            "signal.signal(signal.SIGTERM, lambda *_: ledger.stop()); "
            "import metering.ledger.reading as r; r.CLAIM_EVERY = 0.2; ledger.run()"
        )
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=PROJECT, env=environment, stdout=self._log, stderr=self._log
        )

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(20)
        self._log.close()
        return code


@pytest.fixture
def readers(tmp_path: Path) -> Iterator[Callable[..., Reader]]:
    made: list[Reader] = []

    def make(url: str | None = None) -> Reader:
        reader = Reader(url or database_url(), tmp_path / "log")
        made.append(reader)
        return reader

    yield make
    for reader in made:
        if reader.process.poll() is None:
            reader.end()
    assert "Traceback" not in (tmp_path / "log").read_text()


class Truth:
    """What was sent, with one in ten sent twice."""

    def __init__(self, valkey: redis.Redis, place: Place) -> None:
        self._valkey, self._place = valkey, place
        self.requests = self.tokens = 0

    def send(self, count: int) -> None:
        now = timezone.now()
        with self._valkey.pipeline() as pipeline:
            for number in range(count):
                tokens = 1 + number % 97
                event = self._place.event(now - timedelta(seconds=number % 7000), output_tokens=tokens)
                for _ in range(2 if number % 10 == 0 else 1):
                    pipeline.xadd(STREAM, {FIELD: encode(event)})
                self.requests += 1
                self.tokens += tokens
            pipeline.execute()

    def is_reached(self) -> bool:
        return UsageEvent.objects.count() >= self.requests and not self._valkey.xlen(STREAM)

    def wait(self, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not self.is_reached():
            assert time.monotonic() < deadline, (UsageEvent.objects.count(), self._valkey.xlen(STREAM))
            time.sleep(0.05)

    def check(self) -> None:
        events = UsageEvent.objects.aggregate(
            n=Count("id"), tokens=Sum("output_tokens"), amount=Sum("amount")
        )
        hours = UsageHour.objects.aggregate(
            n=Sum("requests"), tokens=Sum("output_tokens"), amount=Sum("amount")
        )
        assert (events["n"], events["tokens"]) == (self.requests, self.tokens)
        assert hours == events


@pytest.fixture
def truth(valkey: redis.Redis, place: Place) -> Truth:
    place.price(timezone.now() - timedelta(days=2), "0.15", "0.6")
    return Truth(valkey, place)


def test_readers_that_are_killed_again_and_again_lose_and_double_nothing(
    truth: Truth, readers: Callable[..., Reader], valkey: redis.Redis
) -> None:
    """E18: SIGKILL three times and SIGTERM once, with another reader beside."""
    steady = readers()
    for _ in range(3):
        doomed = readers()
        for _ in range(4):
            truth.send(400)
            time.sleep(0.15)
        doomed.end(signal.SIGKILL)
    truth.send(400)
    assert steady.end() == 0
    readers()
    truth.wait()
    truth.check()
    assert valkey.xpending(STREAM, GROUP)["pending"] == 0


def test_an_emptied_valkey_begins_anew(
    truth: Truth, readers: Callable[..., Reader], valkey: redis.Redis
) -> None:
    """E5: the group is gone with everything else; what comes afterwards is taken in."""
    readers()
    truth.send(50)
    truth.wait()
    valkey.flushall()
    truth.send(50)
    truth.wait()
    truth.check()


def test_events_wait_while_postgres_is_away(
    truth: Truth, readers: Callable[..., Reader], valkey: redis.Redis
) -> None:
    """E6: Postgres refuses, swallows, and is back."""
    with fault_proxy(socket_path()) as proxy:
        readers(database_url(proxy.port))
        truth.send(300)
        truth.wait()
        proxy.set(Fault.REFUSE)
        truth.send(300)
        time.sleep(1.0)
        assert UsageEvent.objects.count() == 300
        proxy.set(Fault.PASS)
        truth.wait()
        truth.check()


def test_events_wait_while_postgres_is_read_only(
    truth: Truth, readers: Callable[..., Reader], valkey: redis.Redis
) -> None:
    """E6: fail-over to a node that takes no writes."""
    name = connection.settings_dict["NAME"]
    reader = readers()
    truth.send(100)
    truth.wait()
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    try:
        truth.send(100)
        time.sleep(1.2)
        assert UsageEvent.objects.count() == 100
        assert reader.process.poll() is None
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    truth.wait()
    truth.check()


def test_connections_that_are_cut_in_the_middle_of_a_batch_cost_nothing(
    truth: Truth, readers: Callable[..., Reader]
) -> None:
    """E6: Postgres ends every other connection, again and again, whatever it is doing."""
    for _ in range(2):
        readers()
    for _ in range(25):
        truth.send(100)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        time.sleep(0.02)
    truth.wait()
    truth.check()


def test_a_check_under_load_accuses_nobody(truth: Truth, readers: Callable[..., Reader]) -> None:
    """All of it is seen at one moment: what comes in meanwhile is no difference."""
    for _ in range(2):
        readers()
    for _ in range(30):
        truth.send(100)
        assert [finding for finding in invariants.check(timezone.now()) if finding.is_broken] == []
    truth.wait()
    assert 0 < UsageEvent.objects.count() == truth.requests
