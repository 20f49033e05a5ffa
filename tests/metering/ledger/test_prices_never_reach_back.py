"""E17: price and owner are those of the moment at which a request began; the past stays, to the last digit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone

from deployments import desired
from deployments.models import Deployment, Price
from deployments.spec import Pricing
from metering.ledger import intake
from metering.models import UsageEvent, UsageHour
from tests.deployments.pages import world
from tests.metering.ledger.conftest import Place, entries, price_from

pytestmark = pytest.mark.django_db


def take(*events: object) -> None:
    intake.take(entries(*events), timezone.now())  # type: ignore[arg-type]


def total() -> Decimal:
    return UsageHour.objects.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)


def test_a_change_in_the_middle_of_an_hour_divides_it(place: Place) -> None:
    edge = timezone.now().replace(minute=30, second=0, microsecond=0) - timedelta(hours=1)
    first = place.price(edge - timedelta(days=1), "1", "1")
    second = place.price(edge, "3", "3")
    take(place.event(edge - timedelta(microseconds=1)), place.event(edge))
    by_price = dict(UsageHour.objects.values_list("price_id", "amount"))
    assert by_price == {first.pk: Decimal("0.00012"), second.pk: Decimal("0.00036")}


def test_a_stream_that_is_under_way_keeps_the_price_it_began_with(place: Place) -> None:
    now = timezone.now()
    place.price(now - timedelta(days=1), "1", "1")
    place.price(now - timedelta(seconds=30), "5", "5")
    event = place.event(now - timedelta(seconds=60))
    take(event)
    row = UsageEvent.objects.get()
    assert row.ended_at > now - timedelta(seconds=60)
    assert row.amount == Decimal("0.00012")


def test_a_new_price_changes_nothing_of_the_past(place: Place) -> None:
    place.price(timezone.now() - timedelta(days=1), "0.123456789012", "0.987654321098")
    take(
        *(
            place.event(input_tokens=number, output_tokens=7 * number, cached_tokens=0)
            for number in range(1, 50)
        )
    )
    before, rows = total(), sorted(UsageEvent.objects.values_list("id", "amount"))
    place.price(timezone.now(), "99", "99")
    take(place.event(timezone.now()))
    assert total() == before + Decimal("0.01188")
    assert [row for row in sorted(UsageEvent.objects.values_list("id", "amount")) if row in rows] == rows


def test_the_database_refuses_to_change_or_delete_a_price(place: Place) -> None:
    place.price(timezone.now(), "1", "1")
    for change in (
        lambda: Price.objects.update(input_per_million=0),
        lambda: Price.objects.all().delete(),
    ):
        with pytest.raises(IntegrityError, match="never changed or deleted"), transaction.atomic():
            change()


def test_the_database_refuses_a_price_that_begins_in_the_past(place: Place) -> None:
    """E17: back-dated. What is recorded would keep its price, what is still on its way would not."""
    take(place.event())
    with pytest.raises(IntegrityError, match="cannot begin in the past"), transaction.atomic():
        Price.objects.create(
            deployment=place.deployment,
            currency="USD",
            input_per_million=1,
            output_per_million=1,
            effective_from=timezone.now() - timedelta(hours=1),
        )
    assert not Price.objects.exists()


def test_what_an_administrator_saves_holds_from_then_on(place: Place) -> None:
    deployment = world.deployment("priced", pricing=Pricing("EUR", Decimal("0.5"), Decimal("1.5")))
    began = timezone.now()
    spec = deployment.spec
    dearer = replace(spec, pricing=Pricing("EUR", Decimal(1), Decimal(3), Decimal("0.1")))
    desired.revise(deployment, dearer, author=None, expected=1)
    prices = list(deployment.prices.order_by("effective_from"))
    assert [price.input_per_million for price in prices] == [Decimal("0.5"), Decimal(1)]
    assert prices[1].cached_input_per_million == Decimal("0.1")
    assert prices[1].effective_from >= began
    facts = {"deployment_id": deployment.pk, "deployment": "priced"}
    take(place.event(prices[1].effective_from - timedelta(microseconds=1), **facts))
    assert UsageEvent.objects.get().price_id == prices[0].pk


def test_the_end_of_a_price_leaves_usage_unpriced(place: Place) -> None:
    now = timezone.now()
    place.price(now - timedelta(days=1), "1", "1")
    price_from(now - timedelta(minutes=1), deployment=place.deployment, currency="USD")
    take(place.event(now - timedelta(seconds=90)), place.event(now))
    assert sorted(UsageEvent.objects.values_list("amount", flat=True), key=str) == [Decimal("0.00012"), None]


def test_usage_of_a_deployment_that_is_gone_is_priced_all_the_same(place: Place) -> None:
    place.price(timezone.now() - timedelta(days=1), "1", "1")
    event = place.event()
    Deployment.objects.filter(pk=place.deployment.pk).update(current=None)
    Deployment.objects.get(pk=place.deployment.pk).delete()
    take(event)
    assert UsageEvent.objects.get().amount == Decimal("0.00012")


def test_what_was_used_stays_with_who_used_it(place: Place) -> None:
    """A key that moves to another organisation takes nothing of its past along."""
    take(place.event())
    place.key.organization = place.other_key.organization
    place.key.save()
    take(place.event())
    by_organization = UsageHour.objects.values_list("organization_id", "requests")
    assert sorted(requests for _, requests in by_organization) == [1, 1]
