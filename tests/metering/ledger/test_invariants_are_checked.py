"""What must always be true: said when it is, and named when somebody has broken it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import redis
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from console.access import Role
from deployments.models import RateLimit
from deployments.vocabulary import Tone
from metering import engine_counters, invariants, invoices
from metering.engine_metrics.door import Place as Replica
from metering.events import FIELD, STREAM
from metering.ledger import intake
from metering.models import EngineCounter, LimitChange, LimitMode, LimitOverride, UsageHour
from tests.deployments.pages import world
from tests.metering.ledger.conftest import Place, entries

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def with_valkey(valkey: redis.Redis) -> redis.Redis:
    return valkey


def findings() -> dict[str, invariants.Finding]:
    return {finding.title: finding for finding in invariants.check(timezone.now())}


def fill(place: Place, count: int = 20, **facts: Any) -> None:
    now = timezone.now()
    events = [place.event(now - timedelta(seconds=100 + number), **facts) for number in range(count)]
    intake.take(entries(*events), now)


def test_a_ledger_as_it_should_be_has_nothing_broken(place: Place) -> None:
    place.price(timezone.now() - timedelta(days=1), "0.15", "0.6")
    fill(place)
    assert {finding.tone for finding in invariants.check(timezone.now())} == {Tone.GOOD}
    out = StringIO()
    call_command("check_ledger", stdout=out)
    assert "20 entries" in out.getvalue()


def test_hours_that_somebody_changed_are_found(place: Place) -> None:
    place.price(timezone.now() - timedelta(days=1), "0.15", "0.6")
    fill(place)
    UsageHour.objects.update(amount=UsageHour.objects.first().amount + Decimal("0.000000000000000001"))  # type: ignore[union-attr]
    assert findings()["Events and hours"].is_broken
    with pytest.raises(SystemExit) as ended:
        call_command("check_ledger", stdout=StringIO())
    assert ended.value.code == 1


def test_lines_of_invoices_add_up_to_their_hours(place: Place) -> None:
    now = timezone.now()
    place.price(now - timedelta(days=1), "0.15", "0.6")
    fill(place)
    fill(place, 5, key=place.other_key)
    lines = invoices.lines(now - timedelta(days=1), now + timedelta(hours=1))
    assert sorted(line.requests for line in lines) == [5, 20]
    assert sum(line.exact for line in lines) == Decimal("0.000027") * 25
    assert {line.amount for line in lines} == {Decimal("0.00")}


def test_admitted_requests_without_an_event_are_counted(place: Place, valkey: redis.Redis) -> None:
    now = timezone.now().timestamp()
    valkey.hset("slipway:gateway:a", mapping={"admitted": 10, "settled": 7, "in_flight": 2, "at": now})
    valkey.hset("slipway:gateway:b", mapping={"admitted": 10, "settled": 9, "in_flight": 5, "at": now})
    finding = findings()["Admitted and settled"]
    assert finding.is_broken
    assert "1 of 20" in finding.sentence, "what one has too many in flight makes up for nothing"
    valkey.hset("slipway:gateway:a", "in_flight", 3)
    assert not findings()["Admitted and settled"].is_broken


def test_of_a_gateway_that_is_gone_nothing_is_under_way(place: Place, valkey: redis.Redis) -> None:
    long_ago = timezone.now().timestamp() - 300
    figures = {"admitted": 10, "settled": 7, "in_flight": 3, "spooled": 0, "at": long_ago}
    valkey.hset("slipway:gateway:a", mapping=figures)
    finding = findings()["Admitted and settled"]
    assert finding.is_broken
    assert "3 of 10 admitted requests have no event, of a" in finding.sentence
    valkey.hset("slipway:gateway:a", mapping={"settled": 10, "in_flight": 0, "spooled": 4})
    assert findings()["Admitted and settled"].tone is Tone.WARN


def test_what_was_settled_and_reached_nobody_is_found(place: Place, valkey: redis.Redis) -> None:
    """Events that Valkey forgot before they were read; those that wait, on disk or in the stream, are not lost."""
    fill(place, 8, gateway="a")
    figures = {"admitted": 12, "settled": 12, "spooled": 1, "at": timezone.now().timestamp()}
    valkey.hset("slipway:gateway:a", mapping=figures)
    for _ in range(2):
        valkey.xadd(STREAM, {FIELD: b"not read yet"})
    finding = findings()["Settled and recorded"]
    assert finding.is_broken
    assert finding.sentence.startswith("1 settled requests have not reached the ledger")
    intake.take(entries(place.event(gateway="a", output_tokens=-1)), timezone.now())
    assert not findings()["Settled and recorded"].is_broken, "a rejected event has arrived, too"


def test_a_ledger_that_does_not_keep_up_is_told(place: Place, valkey: redis.Redis) -> None:
    assert findings()["The ledger keeps up"].sentence == "No event waits."
    valkey.xadd(STREAM, {FIELD: b"x"}, id=f"{int((timezone.now().timestamp() - 120) * 1000)}-0")
    finding = findings()["The ledger keeps up"]
    assert finding.tone is Tone.WARN
    assert "1 events wait, the oldest for 120 s" in finding.sentence


def test_a_reservation_that_is_too_old_is_told(place: Place, valkey: redis.Redis) -> None:
    valkey.hset("slipway:gateway:a", mapping={"oldest_hold_s": "7200.0", "at": timezone.now().timestamp()})
    assert "7,200 s" in findings()["Oldest reservation"].sentence
    assert findings()["Oldest reservation"].tone is Tone.WARN


def test_without_valkey_it_says_so(place: Place, settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nonexistent/valkey.sock?db=0"
    assert "Valkey does not answer" in findings()["Admitted and settled"].sentence


def let_limits_be_old() -> None:
    assert LimitChange.objects.update(at=timezone.now() - timedelta(days=2)) == 1


def test_a_limit_that_was_lowered_accuses_nobody_of_before(place: Place) -> None:
    limit = RateLimit.objects.create(deployment=place.deployment, scope="api_key", requests_per_minute=40)
    let_limits_be_old()
    fill(place, 30)
    assert "30 of 40" in findings()["Worst minute, requests"].sentence
    RateLimit.objects.update(requests_per_minute=40)
    assert "30 of 40" in findings()["Worst minute, requests"].sentence, "nothing has changed"
    limit.requests_per_minute = 15
    limit.save()
    assert "No request with such a limit" in findings()["Worst minute, requests"].sentence


def test_the_worst_minute_is_held_against_its_limit(place: Place) -> None:
    RateLimit.objects.create(
        deployment=place.deployment, scope="api_key", requests_per_minute=15, tokens_per_minute=1000
    )
    fill(place, 30)  # one a second: 60 or less in any minute
    assert "No request with such a limit" in findings()["Worst minute, requests"].sentence, "it is new"
    let_limits_be_old()
    requests, tokens = findings()["Worst minute, requests"], findings()["Worst minute, tokens"]
    assert requests.is_broken
    assert "30 of 15 requests a minute, by an API key on chat" in requests.sentence
    assert tokens.is_broken
    LimitOverride.objects.create(
        deployment=place.deployment,
        organization=place.key.organization,
        scope="api_key",
        requests_per_minute=40,
    )
    let_limits_be_old()
    assert "30 of 40" in findings()["Worst minute, requests"].sentence
    assert not findings()["Worst minute, tokens"].is_broken
    LimitOverride.objects.all().delete()
    let_limits_be_old()
    assert findings()["Worst minute, requests"].is_broken
    LimitMode.objects.create(deployment=place.deployment, shadow=True)
    let_limits_be_old()
    assert not findings()["Worst minute, requests"].is_broken


def test_estimates_unpriced_usage_and_rejects_are_told(place: Place) -> None:
    fill(place, is_estimated=True)
    intake.take(entries(b"nonsense"), timezone.now())
    found = findings()
    assert "20 of 20 requests" in found["Estimated tokens"].sentence
    assert "20 requests of the last 24 hours have no price" in found["Unpriced usage"].sentence
    assert found["Unpriced usage"].facts == (("chat", "20"),)
    assert "look at version and arguments of chat" in found["Estimated tokens"].remedy
    assert found["Rejected events"].facts[0][1] == "1"


def test_an_engine_that_starts_anew_goes_on_where_it_was() -> None:
    now = timezone.now()
    counter = None
    for reading in ((100, 10), (150, 20), (5, 1), (9, 2)):
        counter = engine_counters._next(counter, Replica(1, "http://127.0.0.1:1"), reading, now)
    assert counter is not None
    assert (counter.input_tokens, counter.output_tokens) == (50 + 5 + 4, 10 + 1 + 1)


def test_the_ledger_is_held_against_the_engines(place: Place) -> None:
    now = timezone.now()
    fill(place, 100)
    EngineCounter.objects.create(
        deployment_id=place.deployment.pk,
        upstream="http://127.0.0.1:1",
        since=now - timedelta(hours=1),
        seen_at=now + timedelta(hours=1),
        input_read=0,
        output_read=0,
        input_tokens=10_000,
        output_tokens=2_000,
    )
    assert "the engines counted 12,000 (+0.00 %)" in findings()["Ledger and engines"].sentence
    EngineCounter.objects.update(output_tokens=6_000)
    assert findings()["Ledger and engines"].tone is Tone.WARN


def test_the_page_shows_all_of_it_with_a_fixed_number_of_queries(place: Place) -> None:
    client = world.signed_in(world.person("bill@example.com", Role.BILLING))
    counts = []
    for more in (1, 150):
        fill(place, more)
        client.get("/usage/correctness/")
        with CaptureQueriesContext(connection) as captured:
            answer = client.get("/usage/correctness/")
        counts.append(len(captured))
    assert answer.status_code == 200
    assert "Events and hours" in answer.content.decode()
    assert counts[0] == counts[1]


def test_the_page_and_the_command_list_what_could_not_be_taken_in(place: Place) -> None:
    event = place.event(output_tokens=-1, model="strange")
    intake.take(entries(b"\xc1nonsense", event), timezone.now())
    text = (
        world.signed_in(world.person("bill@example.com", Role.BILLING))
        .get("/usage/correctness/")
        .content.decode()
    )
    assert event.id in text
    assert "A number of tokens is impossible." in text
    out = StringIO()
    call_command("check_ledger", "--rejects", stdout=out)
    assert '"strange"' in out.getvalue()
    assert b"\xc1nonsense".hex() in out.getvalue()
