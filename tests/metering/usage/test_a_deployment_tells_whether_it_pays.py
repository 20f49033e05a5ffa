"""A deployment's own page of usage: only its requests, with cost, margin and what it would take to break even."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access import Role
from metering.gpu_time import working
from metering.ledger import intake
from metering.models import GpuHour, GpuRate
from metering.period import HOUR
from tests.deployments.pages import world
from tests.metering.ledger.conftest import Place, entries

pytestmark = pytest.mark.django_db
PAGE = "/deployments/chat/usage/"


def last_hour() -> datetime:
    return timezone.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0) - HOUR


def used(place: Place, count: int = 1, **facts: Any) -> None:
    events = [place.event(last_hour() + timedelta(seconds=each), **facts) for each in range(count)]
    assert intake.take(entries(*events), timezone.now()).recorded == count


def held(place: Place, rate: str | None = "2.50") -> None:
    cluster = place.deployment.endpoint.cluster
    GpuHour.objects.create(
        deployment_id=place.deployment.pk,
        cluster_id=cluster.pk,
        hour=last_hour(),
        gpu_seconds=7200,
        seconds=3600,
    )
    if rate:
        GpuRate.objects.create(
            cluster=cluster, currency="USD", per_hour=Decimal(rate), effective_from=last_hour()
        )


@pytest.fixture
def web(db: None) -> Client:
    return world.signed_in(world.person())


def test_it_pays(place: Place, web: Client) -> None:
    place.price(timezone.now() - timedelta(days=2), "10", "10")
    held(place)
    used(place, 2, input_tokens=400_000, output_tokens=100_000)  # 10 dollars
    working.close(timezone.now())
    shown = web.get(PAGE).content.decode()
    for text in (
        "$10.00",
        "$5.00",
        "50.0 % of the revenue",
        "500,000 per hour",
        "1,000,000 per hour",
        "2.0 h",
    ):
        assert text in shown


def test_it_does_not_pay(place: Place, web: Client) -> None:
    place.price(timezone.now() - timedelta(days=2), "1", "1")
    held(place)
    used(place, input_tokens=900_000, output_tokens=100_000)
    shown = web.get(PAGE).content.decode()
    assert "-$4.00" in shown
    assert "Revenue covers 20.0 % of the cost" in shown


def test_without_a_cost_it_says_where_to_enter_one(place: Place, web: Client) -> None:
    held(place, rate=None)
    used(place)
    shown = web.get(PAGE).content.decode()
    assert "Needs the cost of its GPUs" in shown
    assert "/clusters/fra-1/gpu-costs/" in shown


def test_only_its_own_requests_are_added_up(place: Place, web: Client) -> None:
    other = world.deployment("other")
    used(place, 3)
    used(place, 2, deployment_id=other.pk, deployment="other", key=place.other_key)
    shown = web.get(PAGE).content.decode()
    assert "Acme" in shown
    assert "Globex" not in shown
    assert "Globex" in web.get("/deployments/other/usage/").content.decode()


@pytest.mark.parametrize("by", ["organization", "user", "api-key", "time", "nonsense"])
def test_it_is_added_up_in_any_way(place: Place, web: Client, by: str) -> None:
    used(place, 3)
    answer = web.get(f"{PAGE}?by={by}&period=7d")
    assert answer.status_code == 200
    assert 'data-label="Requests">3<' in answer.content.decode()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?from=2026-11-02T00:00&to=2026-11-01T00:00", 422),
        ("?period=century", 422),
        ("?zone=Nowhere", 422),
        ("?from=2026-10-24T00:00&to=2026-10-26T00:00&zone=Europe/Oslo", 200),
    ],
)
def test_periods_are_those_of_every_page(place: Place, web: Client, query: str, status: int) -> None:
    assert web.get(PAGE + query).status_code == status


def test_it_is_for_those_who_may_see_usage(place: Place) -> None:
    viewer = world.signed_in(world.person("vic@example.com", Role.VIEWER))
    assert viewer.get(PAGE).status_code == 403
    assert PAGE not in viewer.get("/deployments/chat/").content.decode()
    operator = world.signed_in(world.person("op@example.com", Role.OPERATOR))
    assert PAGE in operator.get("/deployments/chat/").content.decode()
    assert operator.get("/deployments/none/usage/").status_code == 404


def test_it_costs_the_same_with_any_number_of_rows(place: Place, web: Client) -> None:
    used(place)
    held(place)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert web.get(PAGE).status_code == 200
        return len(captured)

    few = queries()
    used(place, 40)
    used(place, 20, key=place.other_key)
    assert queries() == few <= 9
