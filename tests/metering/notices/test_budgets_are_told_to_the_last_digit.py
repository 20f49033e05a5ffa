"""Budgets: 80 % and 100 % of a month in UTC, exact, once each, and again when the budget is raised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.models import Notice, Organization
from metering.models import Budget, UsageHour
from metering.notices import budgets
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SMALLEST = Decimal("0.000000000000000001")


@pytest.fixture
def acme() -> Organization:
    return world.organization("acme")


def use(
    organization: Organization,
    amount: str | Decimal,
    currency: str = "EUR",
    at: datetime = NOW,
    price: int = 1,
) -> None:
    UsageHour.objects.create(
        deployment_id=1,
        deployment="chat",
        model="llama-8b",
        organization_id=organization.pk,
        user_id=1,
        api_key_id=price,
        status="completed",
        input_tokens=1,
        cached_tokens=0,
        output_tokens=1,
        currency=currency,
        hour=at.replace(minute=0),
        price_id=UsageHour.objects.count() + 1,
        requests=1,
        estimated_requests=0,
        amount=Decimal(amount),
    )


def budget(organization: Organization, amount: str = "100", currency: str = "EUR") -> Budget:
    return Budget.objects.update_or_create(
        organization=organization, currency=currency, defaults={"amount": Decimal(amount)}
    )[0]


def told() -> list[str]:
    return sorted(Notice.objects.values_list("kind", flat=True))


@pytest.mark.parametrize(
    ("used", "kinds"),
    [
        (Decimal(80) - SMALLEST, []),
        (Decimal(80), ["organization.budget_80"]),
        (Decimal(100) - SMALLEST, ["organization.budget_80"]),
        (Decimal(100), ["organization.budget_100"]),
        (Decimal("99999999999999999999"), ["organization.budget_100"]),
        (Decimal(-5), []),
    ],
)
def test_a_step_is_reached_at_its_last_digit(acme: Organization, used: Decimal, kinds: list[str]) -> None:
    budget(acme)
    use(acme, used)
    budgets.tell(NOW)
    assert told() == kinds


def test_many_small_amounts_are_added_exactly(acme: Organization) -> None:
    budget(acme, "1")
    for _ in range(7):
        use(acme, "0.1")
    use(acme, Decimal("0.1") - SMALLEST)
    assert budgets.tell(NOW) == 0
    use(acme, SMALLEST)
    assert budgets.tell(NOW) == 1


def test_each_step_is_told_once_a_month(acme: Organization) -> None:
    budget(acme)
    use(acme, "85")
    assert [budgets.tell(NOW + timedelta(minutes=3 * number)) for number in range(3)] == [1, 0, 0]
    use(acme, "20")
    assert [budgets.tell(NOW) for _ in range(3)] == [1, 0, 0]
    december = datetime(2026, 12, 1, tzinfo=UTC)
    assert budgets.tell(december) == 0
    use(acme, "85", at=december)
    assert budgets.tell(december + timedelta(hours=1)) == 1


def test_a_raised_budget_may_be_told_of_again(acme: Organization) -> None:
    budget(acme)
    use(acme, "100")
    assert budgets.tell(NOW) == 1
    budget(acme, "200")
    assert budgets.tell(NOW) == 0
    use(acme, "60")
    assert budgets.tell(NOW) == 1
    budget(acme, "200.000000")
    assert budgets.tell(NOW) == 0


def test_the_month_is_that_of_utc(acme: Organization) -> None:
    budget(acme)
    use(acme, "90", at=datetime(2026, 10, 31, 23, tzinfo=UTC))
    assert budgets.tell(datetime(2026, 11, 1, 0, 30, tzinfo=UTC)) == 0
    use(acme, "90", at=datetime(2026, 11, 1, 0, tzinfo=UTC))
    assert budgets.tell(datetime(2026, 11, 1, 0, 30, tzinfo=UTC)) == 1


def test_currencies_and_organisations_are_not_mixed(acme: Organization) -> None:
    other = world.organization("globex")
    budget(acme)
    budget(acme, currency="USD")
    use(acme, "79", "EUR")
    use(acme, "79", "USD")
    use(other, "1000", "EUR")
    use(acme, "1000", "")
    assert budgets.tell(NOW) == 0


def test_it_says_how_much_and_that_nothing_is_stopped(acme: Organization) -> None:
    budget(acme)
    use(acme, "81.235")
    budgets.tell(NOW)
    notice = Notice.objects.get()
    assert notice.sentence == "Acme has used €81.24 of €100.00 in 2026-11 (UTC), 80 % or more of its budget."
    assert "Nothing is stopped" in notice.remedy
    assert Decimal(notice.facts["used"]) == Decimal("81.235")


def test_many_budgets_cost_as_many_queries_as_one(acme: Organization) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            budgets.tell(NOW)
        return len(captured)

    budget(acme)
    use(acme, "100")
    few = queries()
    for number in range(30):
        each = world.organization(f"org-{number}")
        budget(each)
        use(each, "100")
    assert queries() == few
    assert Notice.objects.count() == 31
