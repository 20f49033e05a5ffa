"""Cost, margin and break-even, exactly; and silence where nothing can be said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.gpu_time import reading
from metering.gpu_time.economics import GpuTime, judge
from metering.models import GpuHour, GpuRate
from metering.period import HOUR
from tests.deployments.pages import world

D = Decimal
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_margin_and_break_even_of_a_day() -> None:
    """Ten GPU hours at 2.40, held for five hours; 30 earned with 60 million tokens."""
    time = GpuTime(gpu_seconds=36_000, seconds=18_000, weighed={"USD": D("2.40") * 36_000})
    found = judge(time, {"USD": D(30)}, 60_000_000)
    assert found.costs == {"USD": D("24.000000")}
    assert found.margin == ("USD", D(6))
    assert found.margin_share == D("20.0")
    assert found.covered == D("125.0")
    # 24 / 5 = 4.80 an hour, at 0.50 for a million.
    assert found.break_even == 9_600_000
    assert found.tokens_per_hour == 12_000_000


def test_at_break_even_the_margin_is_nothing() -> None:
    time = GpuTime(gpu_seconds=7200, seconds=7200, weighed={"EUR": D(3) * 7200})
    found = judge(time, {"EUR": D(2)}, 1_000_000)
    assert found.break_even is not None
    scaled = found.break_even * 2 * D(2) / 1_000_000
    assert abs(scaled - found.costs["EUR"]) <= D("0.00001")


@given(
    cost=st.integers(1, 10**12),
    revenue=st.decimals(min_value="0.000001", max_value=10**9, places=6),
    tokens=st.integers(1, 10**13),
    seconds=st.integers(1, 10**8),
)
def test_break_even_pays_the_cost_and_one_token_less_does_not(
    cost: int, revenue: Decimal, tokens: int, seconds: int
) -> None:
    found = judge(GpuTime(seconds, 0, seconds, weighed={"USD": D(cost) * 3600}), {"USD": revenue}, tokens)
    assert found.break_even is not None
    an_hour, a_token = D(cost) * 3600 / seconds, revenue / tokens
    slack = an_hour * D("1e-20")
    assert found.break_even * a_token >= an_hour - slack
    assert (found.break_even - 1) * a_token < an_hour + slack


@pytest.mark.parametrize(
    ("weighed", "revenues"),
    [
        ({}, {"USD": D(5)}),
        ({"EUR": D(3600)}, {"USD": D(5)}),
        ({"USD": D(3600), "EUR": D(3600)}, {"USD": D(5)}),
        ({"USD": D(3600)}, {"USD": D(5), "EUR": D(1)}),
    ],
    ids=["no cost", "another currency", "cost in two", "revenue in two"],
)
def test_currencies_are_never_held_against_each_other(
    weighed: dict[str, Decimal], revenues: dict[str, Decimal]
) -> None:
    found = judge(GpuTime(3600, 0, 3600, weighed=weighed), revenues, 1000)
    assert found.margin is found.margin_share is found.break_even is None


def test_without_revenue_all_of_the_cost_is_lost() -> None:
    found = judge(GpuTime(3600, 0, 3600, weighed={"USD": D(3600)}), {"USD": D(0)}, 0)
    assert found.margin == ("USD", D(-1))
    assert (found.margin_share, found.break_even, found.covered) == (None, None, D("0.0"))


def hold(
    product: str, hour: datetime, gpu_seconds: int = 3600, deployment: int = 1, cluster: int = 0
) -> None:
    GpuHour.objects.create(
        deployment_id=deployment,
        cluster_id=cluster or world.endpoint().cluster_id,
        product=product,
        hour=hour,
        gpu_seconds=gpu_seconds,
        seconds=3600,
    )


def rate(product: str, per_hour: str, at: datetime, currency: str = "USD") -> None:
    GpuRate.objects.create(
        cluster=world.endpoint().cluster,
        product=product,
        per_hour=D(per_hour),
        currency=currency,
        effective_from=at,
    )


@pytest.mark.django_db
def test_each_hour_costs_what_held_then() -> None:
    rate("H100", "2", NOON - 10 * HOUR)
    rate("H100", "3", NOON)
    rate("H100", "9", NOON, "EUR")  # entered afterwards: the last word of this hour
    rate("H100", "1", NOON + 5 * HOUR)
    for hour in (NOON - HOUR, NOON, NOON + HOUR):
        hold("H100", hour)
    found = reading.read(NOON - HOUR, NOON + 2 * HOUR, [1])[1]
    assert found.costs == {"USD": D("2.000000"), "EUR": D("18.000000")}
    assert (found.gpu_seconds, found.unrated, found.seconds) == (3 * 3600, 0, 3 * 3600)


@pytest.mark.django_db
def test_what_has_no_rate_is_told_apart() -> None:
    rate("H100", "2", NOON)
    hold("H100", NOON - HOUR)
    hold("H100", NOON)
    hold("L40S", NOON)
    hold("H100", NOON, deployment=2, cluster=world.endpoint("other", "ams-1").cluster_id)
    found = reading.read(NOON - HOUR, NOON + HOUR, [1, 2])
    assert (found[1].unrated, found[1].costs) == (7200, {"USD": D("2.000000")})
    assert (found[2].unrated, found[2].costs) == (3600, {})


@pytest.mark.django_db
def test_a_third_of_an_hour_is_not_rounded_on_the_way() -> None:
    rate("H100", "0.000001", NOON)
    for number in range(3):
        hold("H100", NOON + number * HOUR, gpu_seconds=1200)
    assert reading.read(NOON, NOON + timedelta(hours=3), [1])[1].costs == {"USD": D("0.000001")}
