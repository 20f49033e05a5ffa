"""E16: events that come twice, late, out of order, or that cannot be: the ledger is that of the set of good events."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metering.events import Event, mint
from metering.ledger import intake, partitions
from metering.ledger.intake import Taken
from metering.models import ApiKey, UsageEvent, UsageHour, UsageReject
from metering.pricing import Rates, amount
from metering.vocabulary import RequestStatus
from tests.metering.ledger.conftest import Place, entries, micro, price_from

pytestmark = pytest.mark.django_db


def take(*events: Event | bytes) -> Taken:
    return intake.take(entries(*events), timezone.now())


def sums() -> tuple[int, int, int, int, Decimal]:
    """Requests, input, cached and output tokens and amount: of the events, which must be those of the hours."""
    columns = [Sum("input_tokens"), Sum("cached_tokens"), Sum("output_tokens"), Sum("amount")]
    of_events = UsageEvent.objects.aggregate(*columns)
    of_hours = UsageHour.objects.aggregate(*columns, Sum("requests"))
    assert of_hours.pop("requests__sum") in (None, UsageEvent.objects.count())
    found = {name: value or 0 for name, value in of_events.items()}
    assert {name: value or 0 for name, value in of_hours.items()} == found
    return UsageEvent.objects.count(), *found.values()  # type: ignore[return-value]


def test_an_event_is_kept_as_it_was_reported(place: Place) -> None:
    price = place.price(timezone.now() - timedelta(days=1), "0.15", "0.60", "0.05")
    event = place.event(cached_tokens=40, itl_us=12_345, revision=3)
    assert take(event) == Taken(1, 0, 0)
    row = UsageEvent.objects.get()
    assert row.id.hex == event.id
    assert (row.deployment, row.model, row.revision, row.status) == ("chat", "llama-8b", 3, "completed")
    assert (row.input_tokens, row.cached_tokens, row.output_tokens) == (100, 40, 20)
    assert (row.ttft_us, row.itl_us, row.is_estimated) == (200_000, 12_345, False)
    assert (row.ended_at - row.started_at) == timedelta(microseconds=900_000)
    assert (row.price_id, row.currency) == (price.pk, "USD")
    # 60 x 0.15 + 40 x 0.05 + 20 x 0.60 per million
    assert row.amount == Decimal("0.000023")
    assert ApiKey.objects.get(pk=place.key.pk).last_used_at == row.started_at


def test_the_same_event_changes_nothing_the_second_time(place: Place) -> None:
    place.price(timezone.now() - timedelta(days=1), "1", "2")
    event = place.event()
    take(event, event)
    before = sums()
    assert take(event) == Taken(0, 1, 0)
    assert sums() == before
    assert before[0] == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_any_order_with_any_duplicates_gives_the_same_ledger(place: Place, seed: int) -> None:
    """10 % duplicates, reordered, in batches of any size."""
    pick = random.Random(seed)
    now = timezone.now()
    place.price(now - timedelta(days=40), "0.15", "0.6", None)
    place.price(now - timedelta(hours=3), "0.25", "0.7", "0.1")
    events = [
        place.event(
            now - timedelta(seconds=pick.randrange(0, 10 * 3600)),
            input_tokens=pick.randrange(1, 5000),
            output_tokens=pick.randrange(0, 900),
            is_estimated=pick.random() < 0.1,
            status=pick.choice(list(RequestStatus)),
            key=pick.choice([place.key, place.other_key]),
        )
        for _ in range(40)
    ]
    with transaction.atomic():
        take(*events)
        expected = sums()
        hours = sorted(UsageHour.objects.values_list("hour", "status", "price_id", "amount", "requests"))
        transaction.set_rollback(True)
    partitions.forget()
    sent = events + pick.sample(events, 4)
    pick.shuffle(sent)
    with transaction.atomic():
        while sent:
            size = pick.randrange(1, 12)
            take(*sent[:size])
            del sent[:size]
        assert sums() == expected
        assert (
            sorted(UsageHour.objects.values_list("hour", "status", "price_id", "amount", "requests")) == hours
        )
        transaction.set_rollback(True)
    partitions.forget()


def test_a_partition_that_is_gone_is_made_again(place: Place) -> None:
    take(place.event())
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE metering_usageevent_{timezone.now() - timedelta(seconds=5):%Y%m}")
    assert take(place.event()) == Taken(1, 0, 0)


def test_an_hour_ends_where_the_next_one_begins(place: Place) -> None:
    edge = timezone.now().replace(minute=0, second=0, microsecond=0)
    take(place.event(edge - timedelta(microseconds=1)), place.event(edge))
    assert [hour.hour for hour in UsageHour.objects.order_by("hour")] == [edge - timedelta(hours=1), edge]


@pytest.mark.parametrize(
    "edge",
    [
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 3, 29, 1, tzinfo=UTC),  # a clock change in Europe
        datetime(2026, 10, 25, 1, tzinfo=UTC),
        datetime(2028, 3, 1, tzinfo=UTC),
    ],
)
def test_months_and_clock_changes_lose_no_event(place: Place, edge: datetime) -> None:
    moments = [edge - timedelta(microseconds=1), edge, edge + timedelta(hours=1)]
    found = intake.take(entries(*(place.event(at) for at in moments)), edge + timedelta(hours=2))
    assert found.recorded == 3
    assert sorted(UsageEvent.objects.values_list("started_at", flat=True)) == moments
    assert UsageHour.objects.count() == 3


def rejected() -> dict[str, str]:
    return dict(UsageReject.objects.values_list("entry", "reason"))


def test_what_cannot_be_taken_in_is_listed_with_the_reason(place: Place) -> None:
    """E16: 36 days late, an hour ahead, unknown key, unknown organisation, impossible figures, no event at all."""
    now = timezone.now()
    bad = {
        "more than 35 days ago": place.event(now - timedelta(days=36)),
        "in the future": place.event(now + timedelta(hours=1)),
        "is in the future": place.event(ended=micro(now + timedelta(hours=1))),
        "API key does not exist": place.event(api_key_id=10**6),
        "organisation does not exist": place.event(organization_id=10**6),
        "user does not exist": place.event(user_id=10**6),
        "number of tokens": place.event(output_tokens=-1),
        "number of token": place.event(input_tokens=10**18),
        "were cached": place.event(cached_tokens=101),
        "ends before": place.event(ended=1),
        "none of ours": place.event(id="chatcmpl-1"),
        "An id is impossible": place.event(deployment_id=-5),
        "name of the deployment": place.event(deployment=""),
    }
    good = place.event()
    assert take(*bad.values(), good) == Taken(1, 0, len(bad))
    reasons = rejected()
    for words, event in bad.items():
        assert words in reasons[event.id]
    assert take(*bad.values()).recorded == 0
    assert len(rejected()) == len(bad), "the same reject is one"
    assert sums()[0] == 1


def test_bytes_that_are_no_event_are_kept_as_they_came(place: Place) -> None:
    assert take(b"\x93nonsense", b"", place.event()) == Taken(1, 0, 2)
    assert bytes(UsageReject.objects.get(entry="1-0").payload) == b"\x93nonsense"


def test_events_up_to_35_days_late_count_with_the_price_of_their_time(place: Place) -> None:
    now = timezone.now()
    place.price(now - timedelta(days=60), "1", "1")
    place.price(now - timedelta(days=10), "9", "9")
    take(place.event(now - timedelta(days=34, hours=23)))
    assert UsageEvent.objects.get().amount == Decimal("0.00012")


def test_without_a_price_an_event_is_unpriced_and_not_free(place: Place) -> None:
    """E16: a price gap."""
    take(place.event())
    row = UsageEvent.objects.get()
    assert (row.price_id, row.currency, row.amount) == (None, "", None)
    hour = UsageHour.objects.get()
    assert (hour.price_id, hour.currency, hour.requests) == (0, "", 1)


def test_who_got_nothing_pays_nothing(place: Place) -> None:
    place.price(timezone.now() - timedelta(days=1), "1", "1")
    take(
        place.event(status=RequestStatus.REFUSED),
        place.event(status=RequestStatus.ENGINE_FAILED, output_tokens=0),
        place.event(status=RequestStatus.ENGINE_FAILED, output_tokens=1),
        place.event(status=RequestStatus.CLIENT_GONE, output_tokens=0),
        place.event(status=RequestStatus.LIMIT_REACHED),
    )
    amounts = UsageEvent.objects.order_by("id").values_list("amount", flat=True)
    assert sorted(amounts) == [0, 0, Decimal("0.0001"), Decimal("0.000101"), Decimal("0.00012")]


AMOUNTS = st.decimals(0, 10**11, places=12, allow_nan=False, allow_infinity=False)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prices=st.tuples(AMOUNTS, AMOUNTS, st.none() | AMOUNTS),
    requests=st.lists(
        st.tuples(
            st.sampled_from(RequestStatus),
            st.integers(0, 10**9),
            st.floats(0, 1),
            st.integers(0, 1) | st.integers(0, 10**9),
        ),
        min_size=1,
        max_size=12,
    ),
)
def test_the_database_and_the_rule_of_prices_agree_to_the_last_digit(
    place: Place,
    prices: tuple[Decimal, Decimal, Decimal | None],
    requests: list[tuple[RequestStatus, int, float, int]],
) -> None:
    rates = Rates("USD", *prices)
    with transaction.atomic():
        price_from(
            timezone.now() - timedelta(hours=1),
            deployment=place.deployment,
            currency="USD",
            input_per_million=rates.input,
            output_per_million=rates.output,
            cached_input_per_million=rates.cached,
        )
        events = [
            place.event(
                status=status,
                input_tokens=input_,
                cached_tokens=int(input_ * share),
                output_tokens=output,
            )
            for status, input_, share, output in requests
        ]
        assert take(*events).recorded == len(events)
        found = {row.id.hex: row.amount for row in UsageEvent.objects.all()}
        transaction.set_rollback(True)
    partitions.forget()
    for event in events:
        tokens = (event.input_tokens, event.cached_tokens, event.output_tokens)
        assert found[event.id] == amount(rates, event.status, *tokens)


def test_the_database_refuses_to_change_or_delete_an_event(place: Place) -> None:
    take(place.event())
    for change in (
        lambda: UsageEvent.objects.update(output_tokens=0),
        lambda: UsageEvent.objects.all().delete(),
    ):
        with pytest.raises(IntegrityError, match="never changed or deleted"), transaction.atomic():
            change()


def test_the_number_of_statements_does_not_grow_with_the_batch(place: Place) -> None:
    from django.test.utils import CaptureQueriesContext

    counts = []
    for size in (1, 200):
        events = [place.event() for _ in range(size)]
        take(place.event())
        with CaptureQueriesContext(connection) as captured:
            take(*events)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_an_id_says_when_it_was_minted() -> None:
    assert mint(1_800_000_000_000_000) < mint(1_800_000_000_001_000)
