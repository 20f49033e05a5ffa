"""E17: a price that is saved while the ledger works: whatever begins after it is priced by it, to the last event."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.utils import timezone

from deployments import desired
from deployments.desired import revising
from deployments.models import Deployment, Price
from deployments.spec import Pricing
from metering.ledger import intake
from metering.models import UsageEvent
from tests.metering.ledger.conftest import Place, entries

pytestmark = pytest.mark.django_db(transaction=True)


def in_a_thread(work: object) -> threading.Thread:
    def run() -> None:
        try:
            work()  # type: ignore[operator]
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_batch_waits_for_a_price_that_is_not_committed_yet(place: Place) -> None:
    """Its request began after the price, so the price of before would be wrong for ever."""
    place.price(timezone.now() - timedelta(days=1), "1", "1")
    deployment = Deployment.objects.get(pk=place.deployment.pk)
    with transaction.atomic():
        revising.save_terms(
            deployment, replace(deployment.spec, pricing=Pricing("USD", Decimal(9), Decimal(9)))
        )
        event = place.event(timezone.now() + timedelta(milliseconds=1))
        batch = in_a_thread(lambda: intake.take(entries(event), timezone.now()))
        time.sleep(0.3)
        assert batch.is_alive()
    batch.join(10)
    assert UsageEvent.objects.get().amount == Decimal("0.00108")


def test_a_price_begins_when_the_batches_before_it_are_recorded(place: Place) -> None:
    place.price(timezone.now() - timedelta(days=1), "1", "1")
    spec = replace(place.deployment.spec, pricing=Pricing("USD", Decimal(9), Decimal(9)))
    with transaction.atomic():
        intake.take(entries(place.event()), timezone.now())
        change = in_a_thread(lambda: desired.revise(place.deployment, spec, author=None, expected=1))
        time.sleep(0.3)
        assert change.is_alive()
        committed = timezone.now()
    change.join(10)
    newest = Price.objects.latest("effective_from")
    assert newest.input_per_million == 9
    assert newest.effective_from >= committed
