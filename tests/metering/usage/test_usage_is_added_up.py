"""Sums of usage in any way that people ask for are those of the events, and cost as many queries at any size."""

from __future__ import annotations

import csv
import io
import random
import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access import Role
from metering.corrections import Change, correct
from metering.events import Event
from metering.ledger import intake
from metering.models import UsageEvent, UsageHour
from metering.usage import asking, sums
from metering.usage.asking import Group
from tests.deployments.pages import world
from tests.metering.ledger.conftest import Place, entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def web(place: Place) -> Client:
    return world.signed_in(world.person())


def month(place: Place, count: int = 60) -> list[Event]:
    """Requests of two organisations over two weeks, at prices in two currencies and at first without any."""
    now, chance = timezone.now(), random.Random(3)
    place.price(now - timedelta(days=9), "0.6", "1.8")
    place.price(now - timedelta(days=4), "0.55", "1.7", cached="0.1", currency="EUR")
    small = {"deployment_id": world.deployment("small").pk, "deployment": "small", "model": "opt-125m"}
    events = [
        place.event(
            now - timedelta(minutes=chance.randrange(1, 14 * 24 * 60)),
            key=chance.choice([place.key, place.other_key]),
            **chance.choice([{}, small]),
            input_tokens=chance.randrange(10, 5000),
            cached_tokens=chance.randrange(10),
            output_tokens=chance.randrange(2000),
        )
        for _ in range(count)
    ]
    assert intake.take(entries(*events), now).recorded == count
    return events


def ask(by: str, **query: str) -> sums.Answer:
    return sums.answer(asking.read({"period": "30d", "by": by, **query}, timezone.now()))


COLUMNS: dict[str, Any] = {
    "organization": lambda e: (e.organization_id,),
    "model": lambda e: (e.model,),
    "deployment": lambda e: (e.deployment_id,),
    "user": lambda e: (e.user_id,),
    "api-key": lambda e: (e.api_key_id,),
    "api-key-and-model": lambda e: (e.api_key_id, e.model),
    "total": lambda e: (),
}


@pytest.mark.parametrize("by", COLUMNS)
def test_each_group_is_the_sum_of_its_events(place: Place, by: str) -> None:
    month(place)
    counts: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    amounts: dict[tuple[Any, ...], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for event in UsageEvent.objects.all():
        key = COLUMNS[by](event)
        for index, value in enumerate((1, event.input_tokens, event.cached_tokens, event.output_tokens)):
            counts[key][index] += value
        if event.currency:
            amounts[key][event.currency] += event.amount
    answer = ask(by)
    assert {row.key for row in answer.rows} == set(counts)
    for row in answer.rows:
        assert [row.figures.requests, *row.figures[2:5]] == counts[row.key]
        assert row.figures.amounts == dict(amounts[row.key])
    assert set(answer.total.amounts) == {"USD", "EUR"}


@pytest.mark.parametrize("by", [group.word for group in Group])
def test_all_ways_of_adding_up_have_one_total(place: Place, by: str) -> None:
    month(place)
    answer = ask(by)
    assert answer.total == ask("total").total
    assert sum(row.figures.requests for row in answer.rows) == answer.total.requests == 60
    for currency, amount in answer.total.amounts.items():
        assert sum(row.figures.amounts.get(currency, Decimal(0)) for row in answer.rows) == amount


def test_filters_leave_out_the_others(place: Place) -> None:
    month(place)
    whole = ask("api-key-and-model")
    for row in whole.rows:
        key, model = row.key
        narrow = ask("total", **{"api-key": str(key), "model": model})
        assert narrow.total == row.figures
    assert ask("total", organization="999999").total.requests == 0


def test_a_correction_is_an_adjustment_and_no_request(place: Place) -> None:
    events = month(place, 3)
    before = ask("total").total
    correct(uuid.UUID(events[0].id), Change(input=-5), reason="Asked twice", by=None, now=timezone.now())
    after = ask("total").total
    assert (after.requests, after.corrections) == (before.requests, 1)
    assert after.input_tokens == before.input_tokens - 5


@pytest.mark.parametrize(("period", "steps"), [("24h", "hour"), ("30d", "day")])
def test_a_time_series_is_by_the_hour_or_by_the_day(place: Place, period: str, steps: str) -> None:
    month(place)
    rows = ask("time", period=period).rows
    starts = [row.key[0] for row in rows]
    assert starts == sorted(set(starts))
    assert any(at.hour for at in starts) is (steps == "hour")


def test_a_page_costs_as_many_queries_at_any_size(place: Place, web: Client) -> None:
    counts = []
    for keys in (5, 1500):
        UsageHour.objects.all().delete()
        UsageHour.objects.bulk_create(hour(place, key) for key in range(1, keys + 1))
        with CaptureQueriesContext(connection) as captured:
            answer = web.get("/usage/?by=api-key")
        assert answer.status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1]
    assert "The 1,000 rows with most tokens" in answer.content.decode()


def hour(place: Place, key: int) -> UsageHour:
    return UsageHour(
        hour=timezone.now().replace(minute=0, second=0, microsecond=0),
        deployment_id=place.deployment.pk,
        deployment="chat",
        model="llama-8b",
        organization_id=place.key.organization_id,
        user_id=place.key.user_id,
        api_key_id=key,
        status="completed",
        input_tokens=key,
        cached_tokens=0,
        output_tokens=1,
        requests=1,
        estimated_requests=0,
        currency="USD",
        price_id=1,
        amount=Decimal("0.000001"),
    )


WRONG = {
    "by=colour": "cannot be added up",
    "from=2026-02-02T00:00&to=2026-01-01T00:00": "ends before it begins",
    "organization=acme": "no number of a row",
    "user=-1": "no number of a row",
    "api-key=99999999999999999999": "no number of a row",
    "deployment=%3Cscript%3E": "no number of a row",
    "model=" + "a" * 64: "no such model",
}


@pytest.mark.parametrize("query", WRONG)
def test_what_makes_no_sense_is_said_in_a_sentence(place: Place, web: Client, query: str) -> None:
    answer = web.get(f"/usage/?{query}")
    assert answer.status_code == 422
    assert WRONG[query] in answer.content.decode()
    assert "<script>" not in answer.content.decode().partition("<main")[2]
    if "by=" not in query:
        problem = web.get(f"/api/v1/usage/total/?{query}")
        assert (problem.status_code, problem["Content-Type"]) == (422, "application/problem+json")
        assert WRONG[query] in problem.json()["detail"]


def test_page_file_and_api_say_the_same(place: Place, web: Client) -> None:
    month(place)
    told = web.get("/api/v1/usage/by-deployment/?period=30d").json()
    assert web.get("/usage/?period=30d&by=deployment&format=json").json() == told
    file = web.get("/usage/?period=30d&by=deployment&format=csv").content.decode()
    page = web.get("/usage/?period=30d&by=deployment").content.decode()
    lines = list(csv.DictReader(io.StringIO(file)))
    assert {line["deployment"] for line in lines} == {"chat", "small"}
    for line, said in zip(lines, told["rows"], strict=True):
        assert line["deployment"] == said["name"]
        for name in ("requests", "input_tokens", "cached_tokens", "output_tokens"):
            assert int(line[name]) == said[name]
            assert f"{said[name]:,}" in page
        assert {name: line[f"amount_{name}"] for name in said["amounts"]} == said["amounts"]


@pytest.mark.parametrize(
    "word",
    [
        "total",
        "by-organization",
        "by-model",
        "by-deployment",
        "by-user",
        "by-api-key",
        "by-api-key-and-model",
        "time-series",
    ],
)
def test_programs_can_ask_for_all_of_it(place: Place, web: Client, word: str) -> None:
    month(place)
    told = web.get(f"/api/v1/usage/{word}/?period=30d").json()
    assert told["total"]["requests"] == sum(row["requests"] for row in told["rows"]) == 60


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_days_are_those_of_the_zone(place: Place, web: Client, zone: str) -> None:
    events = month(place)
    told = web.get("/api/v1/usage/time-series/", {"period": "30d", "zone": zone}).json()["rows"]
    days: dict[str, int] = defaultdict(int)
    for event in events:
        at = datetime.fromtimestamp(event.started / 10**6, ZoneInfo(zone))
        days[f"{at.replace(hour=0, minute=0).astimezone(UTC):%Y-%m-%dT%H:%M}:00Z"] += 1
    assert {row["start"]: row["requests"] for row in told} == days
    shown = web.get("/usage/", {"by": "time", "period": "30d", "zone": zone}).content.decode()
    first = datetime.fromtimestamp(min(event.started for event in events) / 10**6, ZoneInfo(zone))
    assert f"{first:%-d %b %Y}</th>" in shown


def test_another_way_is_not_there_and_nothing_is_changed_by_asking(place: Place, web: Client) -> None:
    missing = web.get("/api/v1/usage/by-colour/")
    assert (missing.status_code, missing["Content-Type"]) == (404, "application/problem+json")
    assert web.post("/api/v1/usage/total/").status_code == 405


def test_tenants_and_viewers_do_not_see_what_everybody_used(place: Place) -> None:
    for user in (world.person("vera@example.com", Role.VIEWER), place.key.user):
        client = world.signed_in(user)
        assert client.get("/usage/").status_code in (403, 404)
        assert client.get("/api/v1/usage/total/").status_code in (403, 404)


def test_an_empty_period_says_what_will_appear(place: Place, web: Client) -> None:
    page = web.get("/usage/").content.decode()
    assert "No usage in this period" in page


def test_a_row_leads_to_its_parts(place: Place, web: Client) -> None:
    month(place)
    page = web.get("/usage/?period=30d").content.decode()
    organization = place.key.organization_id
    assert f"?period=30d&amp;by=deployment&amp;organization={organization}" in page


def test_midnight_of_a_day_belongs_to_that_day(place: Place) -> None:
    now = timezone.now()
    midnight = (now - timedelta(days=3)).replace(hour=0, minute=0, second=0, microsecond=0)
    intake.take(entries(place.event(midnight), place.event(midnight - timedelta(microseconds=1))), now)
    starts: list[datetime] = [row.key[0] for row in ask("time").rows]
    assert starts == [midnight - timedelta(days=1), midnight]
