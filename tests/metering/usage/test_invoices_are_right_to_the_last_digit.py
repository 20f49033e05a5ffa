"""A month's invoice is what a calculation by hand gives, whatever came late, twice, aborted or corrected."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access import Role
from metering.corrections import Change, correct
from metering.events import Event
from metering.ledger import intake
from metering.ledger.judging import moment
from metering.models import UsageEvent
from metering.usage import invoice
from metering.vocabulary import RequestStatus
from tests.deployments.pages import world
from tests.metering.ledger.conftest import Place, entries

pytestmark = pytest.mark.django_db

#: The month before the present one; it may be closed or not. Everything is dated relative to it.
NOW = timezone.now().astimezone(UTC)
THIS = invoice.month_of(NOW)
LAST = THIS.before
CENT = Decimal("0.01")


@pytest.fixture
def web(place: Place) -> Client:
    return world.signed_in(world.person())


def day(number: int) -> datetime:
    """Noon of a day of the last month."""
    return LAST.begin + timedelta(days=number - 1, hours=12)


def take(*events: Event) -> None:
    """As soon as the newest of them was over: the ledger takes nothing that is very old."""
    now = moment(max(event.ended for event in events))
    assert intake.take(entries(*events), now).rejected == 0


def recorded(event: Event, at: datetime) -> None:
    """As if the ledger had taken it in then. The database lets nobody change a row, and no test can wait."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        assert UsageEvent.objects.filter(id=event.id).update(recorded_at=at) == 1
        cursor.execute("SET LOCAL session_replication_role = origin")


def cents(exact: str) -> Decimal:
    return Decimal(exact).quantize(CENT, ROUND_HALF_UP)


def test_a_month_with_all_that_can_happen(place: Place, web: Client) -> None:
    old = day(1) - timedelta(days=20)
    place.price(old, "0.6", "1.8")
    place.price(day(10), "0.55", "1.7", cached="0.11")
    place.price(day(20), "0.5", "1.5", currency="EUR")
    first = place.event(day(5), input_tokens=123_457, output_tokens=76_543)
    aborted = place.event(day(6), input_tokens=1_000_003, output_tokens=11, status=RequestStatus.CLIENT_GONE)
    failed = place.event(day(7), input_tokens=999_999, output_tokens=0, status=RequestStatus.ENGINE_FAILED)
    cached = place.event(day(12), input_tokens=90_909, cached_tokens=80_808, output_tokens=70_707)
    euros = place.event(day(25), input_tokens=333_333, output_tokens=222_222)
    foreign = place.event(day(25), key=place.other_key, input_tokens=10**6, output_tokens=10**6)
    in_time = [first, aborted, failed, cached, euros, foreign]
    take(*in_time)
    take(*in_time, first, first)  # doubled, in another batch and in one
    late = place.event(day(11), input_tokens=700_001, output_tokens=13)
    take(late)
    for event in in_time:
        recorded(event, day(26))
    recorded(late, LAST.closes + timedelta(hours=1))

    found = invoice.lines(LAST, place.key.organization_id)
    by_hand = {
        # 0.6 in, 1.8 out per 1M; the one that failed before its first token is free
        ("USD", False, 3): cents(
            str((Decimal(123_457 + 1_000_003) * 6 / 10 + Decimal(76_543 + 11) * 18 / 10) / 10**6)
        ),
        # 0.55 in, 0.11 cached, 1.7 out per 1M
        ("USD", False, 1): cents(
            str((Decimal(90_909 - 80_808) * 55 + Decimal(80_808) * 11 + Decimal(70_707) * 170) / 10**8)
        ),
        ("EUR", False, 1): cents(str((Decimal(333_333) * 5 + Decimal(222_222) * 15) / 10**7)),
    }
    assert {(each.currency, each.is_adjustment, each.requests): each.amount for each in found} == by_hand
    assert invoice.sums(found) == {
        "USD": by_hand["USD", False, 3] + by_hand["USD", False, 1],
        "EUR": by_hand["EUR", False, 1],
    }

    # What came after the month was closed is an adjustment of the next one, at the price that held when it began.
    [adjusted] = invoice.lines(THIS, place.key.organization_id)
    assert (adjusted.is_adjustment, adjusted.month, adjusted.requests) == (True, LAST.begin, 1)
    assert adjusted.amount == cents(str((Decimal(700_001) * 55 + Decimal(13) * 170) / 10**8))

    page = web.get(f"/usage/invoices/{LAST.word}/acme/").content.decode()
    for amount in by_hand.values():
        assert f"{amount:,}" in page
    assert "Adjustments" in web.get(f"/usage/invoices/{THIS.word}/acme/").content.decode()
    overview = web.get(f"/usage/invoices/{LAST.word}/").content.decode()
    assert "Acme" in overview
    assert "Globex" in overview


def test_a_closed_month_never_changes(place: Place) -> None:
    place.price(day(1) - timedelta(days=1), "0.6", "1.8")
    event = place.event(day(5))
    take(event)
    recorded(event, day(5))
    before = invoice.lines(LAST)
    late = place.event(day(5), output_tokens=10**6)
    take(late)
    recorded(late, LAST.closes)  # the first moment that is too late
    correct(uuid.UUID(event.id), Change(output=-5), reason="Asked twice", by=None, now=NOW)
    assert invoice.lines(LAST) == before


def test_every_entry_is_on_exactly_one_invoice(place: Place) -> None:
    """At any moment of recording, from at once to as late as the ledger takes anything."""
    place.price(day(1) - timedelta(days=60), "0.6", "1.8")
    edges = [LAST.closes - timedelta(microseconds=1), LAST.closes, THIS.closes - timedelta(microseconds=1)]
    starts = [day(1), LAST.end - timedelta(microseconds=1), LAST.begin]
    events = [place.event(start) for start in starts for _ in edges]
    take(*events)
    for event, at in zip(events, edges * len(starts), strict=True):
        recorded(event, at)
    months = [LAST.before, LAST, THIS, invoice.Month(THIS.end)]
    counts = [sum(each.requests for each in invoice.lines(month)) for month in months]
    assert counts == [0, 3, 6, 0]


def test_a_correction_stands_as_an_adjustment_of_the_month_in_which_it_was_made(place: Place) -> None:
    place.price(NOW - timedelta(days=1), "0.6", "1.8")
    event = place.event(NOW - timedelta(minutes=5), input_tokens=10**6, output_tokens=10**6)
    take(event)
    correct(uuid.UUID(event.id), Change(output=-(10**6)), reason="Asked twice", by=None, now=NOW)
    usage, adjustment = sorted(invoice.lines(invoice.month_of(NOW)), key=lambda each: each.is_adjustment)
    assert (usage.amount, adjustment.amount) == (Decimal("2.40"), Decimal("-1.80"))
    assert (adjustment.requests, adjustment.corrections) == (0, 1)


def test_what_has_no_price_is_shown_and_costs_nothing(place: Place, web: Client) -> None:
    take(place.event(NOW - timedelta(minutes=5)))
    page = web.get(f"/usage/invoices/{THIS.word}/acme/").content.decode()
    assert "No price" in page
    assert "Nothing of it has a price" in page


def test_files_say_what_the_page_says(place: Place, web: Client) -> None:
    place.price(NOW - timedelta(days=1), "0.6", "1.8")
    take(place.event(NOW - timedelta(minutes=5), input_tokens=10**6, output_tokens=10**6))
    address = f"/usage/invoices/{THIS.word}/acme/"
    told = web.get(f"{address}?format=json").json()
    assert told["totals"] == {"USD": "2.40"}
    [row] = csv.DictReader(io.StringIO(web.get(f"{address}?format=csv").content.decode()))
    assert (row["amount"], row["deployment"], row["adjustment"]) == ("2.4", "chat", "no")


@pytest.mark.parametrize("word", ["2026-13", "2026-00", "1999-12", "9999-01", "now", "2026-1", "٢٠٢٦-11"])
def test_what_is_no_month_is_not_there(place: Place, web: Client, word: str) -> None:
    assert web.get(f"/usage/invoices/{word}/").status_code == 404
    assert web.get(f"/usage/invoices/{word}/acme/").status_code == 404


def test_an_organisation_that_is_not_there_has_no_invoice(place: Place, web: Client) -> None:
    assert web.get(f"/usage/invoices/{THIS.word}/nobody/").status_code == 404


def test_only_those_who_may_see_usage_see_invoices(place: Place) -> None:
    viewer = world.signed_in(world.person("vera@example.com", Role.VIEWER))
    assert viewer.get(f"/usage/invoices/{THIS.word}/acme/").status_code == 403


def test_an_invoice_costs_as_many_queries_at_any_size(place: Place, web: Client) -> None:
    counts = []
    for number in (1, 40):
        take(
            *(
                place.event(NOW - timedelta(minutes=5), deployment_id=1000 + each, deployment=f"d-{each}")
                for each in range(number)
            )
        )
        with CaptureQueriesContext(connection) as captured:
            web.get(f"/usage/invoices/{THIS.word}/acme/")
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_months_follow_each_other() -> None:
    december = invoice.Month(datetime(2025, 12, 1, tzinfo=UTC))
    assert invoice.Month(december.end).word == "2026-01"
    assert invoice.Month(december.end).before == december
    assert december.closes == datetime(2026, 1, 4, tzinfo=UTC)
