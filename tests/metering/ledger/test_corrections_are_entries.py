"""Corrections: signed, dated when they are made, at the request's own price, and never below nothing."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from django.utils import timezone

from console.audit.entry import AuditEntry
from metering import invariants
from metering.corrections import CannotCorrect, Change, correct
from metering.ledger import intake
from metering.models import UsageEvent, UsageHour
from metering.vocabulary import EntryKind
from tests.metering.ledger.conftest import Place, entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_id(place: Place) -> uuid.UUID:
    now = timezone.now()
    place.price(now - timedelta(days=2), "1", "2")
    place.price(now - timedelta(hours=1), "50", "50")
    event = place.event(now - timedelta(hours=3))
    intake.take(entries(event), now)
    return uuid.UUID(event.id)


def test_a_correction_is_one_entry_of_the_audit_however_often_it_is_asked_for(
    place: Place, request_id: uuid.UUID
) -> None:
    for _ in range(2):
        correct(request_id, Change(output=-5), reason="Asked twice", by=None, now=timezone.now())
    entry = AuditEntry.objects.get(action="usage.corrected")
    assert (entry.object_kind, entry.object_name) == ("request", str(request_id))
    assert entry.organization == place.key.organization.slug
    assert entry.changes["output"] == [None, -5]


def test_a_correction_stands_beside_what_it_corrects(request_id: uuid.UUID) -> None:
    now = timezone.now()
    past = list(UsageHour.objects.values_list("hour", "amount", "requests"))
    entry = correct(request_id, Change(input=-30, output=-5), reason="Asked twice", by=None, now=now)
    assert (entry.kind, entry.corrects, entry.started_at) == (EntryKind.CORRECTION, request_id, now)
    assert entry.amount == Decimal("-0.00004")  # 30 x 1 + 5 x 2 per million: the price of then
    assert list(UsageHour.objects.values_list("hour", "amount", "requests"))[:1] == past
    hour = UsageHour.objects.order_by("hour").last()
    assert hour is not None
    assert (hour.requests, hour.corrections, hour.input_tokens, hour.amount) == (0, 1, -30, entry.amount)
    assert not any(finding.is_broken for finding in invariants.check(now))


def test_together_they_never_go_below_nothing(request_id: uuid.UUID) -> None:
    now = timezone.now()
    correct(request_id, Change(input=-60), reason="a", by=None, now=now)
    with pytest.raises(CannotCorrect, match="-20 input"):
        correct(request_id, Change(input=-60), reason="b", by=None, now=now)
    correct(request_id, Change(input=-40), reason="c", by=None, now=now)
    assert UsageEvent.objects.filter(kind=EntryKind.CORRECTION).count() == 2


def test_the_same_correction_is_one_however_often_it_is_asked_for(request_id: uuid.UUID) -> None:
    now = timezone.now()
    first = correct(request_id, Change(input=-60), reason="Asked twice", by=None, now=now)
    again = correct(
        request_id, Change(input=-60), reason=" Asked twice ", by=None, now=now + timedelta(minutes=1)
    )
    assert again.id == first.id
    other = correct(request_id, Change(input=-40), reason="Asked twice", by=None, now=now)
    assert other.id != first.id
    assert UsageEvent.objects.filter(kind=EntryKind.CORRECTION).count() == 2
    assert UsageHour.objects.aggregate(sum=Sum("input_tokens"))["sum"] == 0
    assert not any(finding.is_broken for finding in invariants.check(now))


def test_an_id_that_says_no_time_is_looked_for_everywhere(place: Place) -> None:
    event = place.event(id=uuid.UUID(int=2**128 - 1).hex)
    intake.take(entries(event), timezone.now())
    assert correct(uuid.UUID(event.id), Change(output=-1), reason="x", by=None, now=timezone.now())


@pytest.mark.parametrize(("change", "reason"), [(Change(), "x"), (Change(input=1), " ")])
def test_nothing_and_no_reason_are_no_correction(request_id: uuid.UUID, change: Change, reason: str) -> None:
    with pytest.raises(CannotCorrect):
        correct(request_id, change, reason=reason, by=None, now=timezone.now())


def test_the_command_says_what_it_did(request_id: uuid.UUID, place: Place) -> None:
    out = StringIO()
    call_command(
        "correct_usage",
        f"req_{request_id.hex}",
        "--output=-1",
        "--reason=test",
        "--by=bob@acme.example",
        stdout=out,
    )
    assert "-0.000002" in out.getvalue()
    assert "bob@acme.example" in UsageEvent.objects.get(kind=EntryKind.CORRECTION).note
    with pytest.raises(CommandError, match="no request"):
        call_command("correct_usage", str(uuid.uuid4()), "--output=-1", "--reason=test")
