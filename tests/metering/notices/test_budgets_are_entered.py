"""The page on which the budget of an organisation is entered, and the list of all of them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.access import Role
from console.models import AuditEntry
from metering.models import Budget
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
PAGE = "/organizations/acme/budget/"
LIST = "/notifications/budgets/"


@pytest.fixture
def web() -> Client:
    world.organization("acme")
    return world.signed_in(world.person("bill@example.com", Role.BILLING))


def test_a_budget_is_entered_changed_and_removed(web: Client) -> None:
    answer = web.post(PAGE, {"amount": "2500.50", "currency": "EUR"}, follow=True).content.decode()
    assert "Acme has a budget of €2,500.50 a month." in answer
    assert "Within budget" in answer
    web.post(PAGE, {"amount": "100", "currency": "USD"})
    web.post(PAGE, {"amount": "3000", "currency": "EUR"})
    assert dict(Budget.objects.values_list("currency", "amount")) == {
        "EUR": Decimal(3000),
        "USD": Decimal(100),
    }
    assert "€3,000.00" in web.get(LIST).content.decode()
    assert "no such budget" in web.post(PAGE, {"amount": "", "currency": "EUR"}, follow=True).content.decode()
    assert Budget.objects.get().currency == "USD"
    changes = [
        entry.changes.get("amount")
        for entry in AuditEntry.objects.filter(action__startswith="organization.").order_by("number")
    ]
    assert changes == [[None, "2500.5"], [None, "100"], ["2500.5", "3000"], ["3000", None]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount": "0"}, "greater than or equal to"),
        ({"amount": "-5"}, "greater than or equal to"),
        ({"amount": "NaN"}, "Enter a number"),
        ({"amount": "1e30"}, "less than or equal to"),
        ({"amount": "0.1234567"}, "6 decimal places"),
        ({"currency": "BTC"}, "BTC is not one of the available choices"),
    ],
)
def test_what_makes_no_sense_is_refused(web: Client, change: dict[str, str], said: str) -> None:
    answer = web.post(PAGE, {"amount": "100", "currency": "EUR", **change})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.ADMINISTRATOR, 200), (Role.BILLING, 200), (Role.OPERATOR, 403), (Role.VIEWER, 403)],
)
def test_who_answers_for_prices_or_organisations_may(web: Client, role: Role, status: int) -> None:
    person = world.signed_in(world.person("other@example.com", role))
    assert person.get(PAGE).status_code == person.get(LIST).status_code == status


def test_an_organisation_that_is_not_there_is_not_found(web: Client) -> None:
    assert web.get("/organizations/nobody/budget/").status_code == 404


def test_a_search_finds_an_organisation(web: Client) -> None:
    world.organization("globex")
    assert "Acme" not in web.get(LIST, {"q": "glob"}).content.decode()
    assert "No organisation matches" in web.get(LIST, {"q": "nothing"}).content.decode()


def test_the_list_costs_the_same_for_many(web: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert web.get(LIST).status_code == 200
        return len(captured)

    Budget.objects.create(organization=world.organization("acme"), currency="EUR", amount=10)
    few = queries()
    for number in range(40):
        for currency in ("EUR", "USD"):
            organization = world.organization(f"org-{number}")
            Budget.objects.create(organization=organization, currency=currency, amount=10)
    assert queries() == few
