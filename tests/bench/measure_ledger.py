"""The ledger: how much faster a batch is than a commit for each row, and that it is exact after duplicates and kills.

The control does by hand, in plain SQL, what has to be done for one event: look up its price, insert it, add it to its
hour, and commit. It knows of no duplicate order, no reject and no key's last use, so it has less to do.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import redis
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from metering import issuing
from metering.events import FIELD, STREAM, Event, encode
from metering.ledger import partitions
from metering.ledger.reading import Ledger
from metering.models import UsageEvent, UsageHour
from metering.pricing import Rates, amount, totals
from tests.deployments.pages import world
from tests.faults.postgres import database_url
from tests.metering.ledger.conftest import Place

_ROUNDS, _BATCH, _ROWS = 5, 10_000, 400
_KILLED, _KILLS = 20_000, 5
_MILLION, _AT_ONCE = 1_000_000, 20_000
_RATES = Rates("USD", Decimal("0.15"), Decimal("0.60"), Decimal("0.05"))


def measure() -> Iterator[tuple[str, object]]:
    """Rates of interleaved rounds, and their ratio; whether the sums are those of what was sent."""
    place = _place()
    valkey = redis.Redis.from_url(settings.REDIS_URL)
    ledger = Ledger(settings.REDIS_URL)
    ledger.step()
    sent: list[Event] = []
    batches, rows = [], []
    for _ in range(_ROUNDS):
        events = _events(place, _BATCH)
        sent += events
        _send(valkey, events)
        gc.freeze()  # as `record_usage` does; the events of this process are none of the ledger's objects
        batches.append(_BATCH / _seconds(lambda: _drain(ledger, valkey)))
        events = _events(place, _ROWS)
        sent += events
        rows.append(_ROWS / _seconds(lambda events=events: _one_by_one(events)))
    yield "batches_of_rows", f"{statistics.median(batches) / statistics.median(rows):.1f}"
    yield "rows_per_second.batches", round(statistics.median(batches))
    yield "rows_per_second.a_commit_each", round(statistics.median(rows))
    yield "exact_after_batches", _is_exact(sent)
    ledger.stop()
    ledger.run()
    rate, million = _a_million(place, valkey)
    sent += million
    yield "a_million.batches_of_rows", f"{rate / statistics.median(rows):.1f}"
    yield "a_million.rows_per_second", round(rate)
    yield "a_million.exact_after_duplicates", _is_exact(sent)
    sent += _under_kills(place, valkey)
    yield "exact_after_duplicates_and_kills", _is_exact(sent)
    yield "events_left_in_valkey", valkey.xlen(STREAM)
    valkey.close()


def _place() -> Place:
    partitions.forget()
    users = world.tenant("bob@acme.example", "acme"), world.tenant("charlie@globex.example", "globex")
    keys = [
        issuing.issue(user=user, organization=user.organizations.get(), name="bench", by=user)[0]
        for user in users
    ]
    place = Place(world.deployment("chat"), *keys)
    place.price(timezone.now() - timedelta(days=2), *map(str, (_RATES.input, _RATES.output, _RATES.cached)))
    return place


def _events(place: Place, count: int, oldest: int = 36_000, newest: int = 0) -> list[Event]:
    """Of a time between so many seconds ago, in no order."""
    pick, now = random.Random(count + oldest), timezone.now()
    return [
        place.event(
            now - timedelta(seconds=pick.randrange(newest, oldest)),
            input_tokens=pick.randrange(1, 4000),
            output_tokens=pick.randrange(900),
            key=pick.choice([place.key, place.other_key]),
            gateway="bench",
        )
        for _ in range(count)
    ]


def _send(valkey: redis.Redis, events: Sequence[Event]) -> None:
    with valkey.pipeline(transaction=False) as pipeline:
        for event in events:
            pipeline.xadd(STREAM, {FIELD: encode(event)})
        pipeline.execute()


def _drain(ledger: Ledger, valkey: redis.Redis) -> None:
    while valkey.xlen(STREAM):
        ledger.step()


def _seconds(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


def _one_by_one(events: Sequence[Event]) -> None:
    for event in events:
        with transaction.atomic(), connection.cursor() as cursor:
            started = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.started)
            cursor.execute(_PRICE, [event.deployment_id, started])
            price, currency, input_, cached, output = cursor.fetchone()
            cost = amount(
                Rates(currency, input_, output, cached),
                event.status,
                event.input_tokens,
                event.cached_tokens,
                event.output_tokens,
            )
            tokens = (event.input_tokens, event.cached_tokens, event.output_tokens)
            who = (event.deployment, event.model, event.organization_id, event.user_id, event.api_key_id)
            what = (event.deployment_id, *who, event.status.value, *tokens, currency, price, cost)
            cursor.execute(_INSERT, [event.id, started, started, *what])
            hour = started.replace(minute=0, second=0, microsecond=0)
            cursor.execute(_ADD, [hour, *what])


def _a_million(place: Place, valkey: redis.Redis) -> tuple[float, list[Event]]:
    """Rows a second of one reader, as `record_usage` runs it, and what was sent: one in a hundred of it twice.

    Ten hours of traffic in the order of time but for a few minutes, as gateways report it.
    """
    sent: list[Event] = []
    rounds = _MILLION // _AT_ONCE
    for number in range(rounds, 0, -1):
        events = _events(place, _AT_ONCE, number * 36_000 // rounds, (number - 1) * 36_000 // rounds)
        _send(valkey, [*events, *events[::100]])
        sent += events
    count = valkey.xlen(STREAM)
    reader = _reader()
    while (begun := valkey.xlen(STREAM)) == count and reader.poll() is None:
        time.sleep(0.001)
    began = time.perf_counter()
    while valkey.xlen(STREAM) and reader.poll() is None:
        time.sleep(0.01)
    rate = begun / (time.perf_counter() - began)
    reader.terminate()
    reader.wait()
    return rate, sent


def _under_kills(place: Place, valkey: redis.Redis) -> list[Event]:
    """One in ten twice, out of order, while readers are killed; another one ends the work."""
    events = _events(place, _KILLED)
    twice = [*events, *random.Random(1).sample(events, _KILLED // 10)]
    random.Random(2).shuffle(twice)
    share = len(twice) // _KILLS + 1
    for number in range(_KILLS):
        reader = _reader()
        _send(valkey, twice[number * share : (number + 1) * share])
        before = UsageEvent.objects.count()
        while UsageEvent.objects.count() == before and reader.poll() is None:
            time.sleep(0.005)
        reader.send_signal(signal.SIGKILL)
        reader.wait()
    reader = _reader()
    while valkey.xlen(STREAM) and reader.poll() is None:
        time.sleep(0.05)
    reader.terminate()
    reader.wait()
    return events


def _reader() -> subprocess.Popen[bytes]:
    code = (
        "import django, gc, signal; django.setup(); from django.conf import settings; "
        "import metering.ledger.reading as reading; reading.CLAIM_EVERY = 0.1; "
        "ledger = reading.Ledger(settings.REDIS_URL, abandoned_ms=200); "
        "signal.signal(signal.SIGTERM, lambda *_: ledger.stop()); gc.freeze(); ledger.run()"
    )
    environment = {**os.environ, "DATABASE_URL": database_url()}
    return subprocess.Popen([sys.executable, "-c", code], env=environment)


def _is_exact(sent: Sequence[Event]) -> bool:
    cost = totals(
        ("USD", amount(_RATES, event.status, event.input_tokens, event.cached_tokens, event.output_tokens))
        for event in sent
    )["USD"]
    wanted = (
        len(sent),
        sum(event.input_tokens for event in sent),
        sum(event.output_tokens for event in sent),
        cost,
    )
    sums = Sum("input_tokens"), Sum("output_tokens"), Sum("amount")
    events = (UsageEvent.objects.count(), *UsageEvent.objects.aggregate(*sums).values())
    hours = tuple(UsageHour.objects.aggregate(Sum("requests"), *sums).values())
    return events == hours == wanted


_PRICE = """
SELECT id, currency, input_per_million, cached_input_per_million, output_per_million FROM deployments_price
WHERE deployment_id = %s AND effective_from <= %s ORDER BY effective_from DESC, id DESC LIMIT 1
"""
_INSERT = """
INSERT INTO metering_usageevent (
    id, kind, note, revision, is_estimated, started_at, ended_at, deployment_id, deployment, model, organization_id,
    user_id, api_key_id, status, input_tokens, cached_tokens, output_tokens, currency, price_id, amount
) VALUES (%s, 'request', '', 1, false, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
_ADD = """
INSERT INTO metering_usagehour AS old (
    hour, deployment_id, deployment, model, organization_id, user_id, api_key_id, status, input_tokens,
    cached_tokens, output_tokens, currency, price_id, amount, requests, estimated_requests, corrections
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1, 0, 0)
ON CONFLICT (hour, deployment_id, organization_id, user_id, api_key_id, price_id, status) DO UPDATE SET
    requests = old.requests + 1, input_tokens = old.input_tokens + excluded.input_tokens,
    cached_tokens = old.cached_tokens + excluded.cached_tokens,
    output_tokens = old.output_tokens + excluded.output_tokens, amount = old.amount + excluded.amount
"""
