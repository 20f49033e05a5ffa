"""The page of a deployment's metrics: the same figures as chart, table and file, in few queries however many rows."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access import Role
from deployments.models import Scaled, Transition
from deployments.vocabulary import Phase
from metering.latency import closing
from metering.latency.histogram import Histogram
from metering.ledger import intake
from metering.models import EngineMinute, LatencyBucket, LatencySpan, LatencyTarget, UsageHour
from metering.vocabulary import RequestStatus
from tests.deployments.pages import world
from tests.metering.ledger.conftest import Place, entries

pytestmark = pytest.mark.django_db

PAGE = "/deployments/chat/metrics/"


def hours_ago(count: int) -> datetime:
    """A moment in the hour that began so many hours before the present one did."""
    return timezone.now().astimezone(UTC).replace(minute=10, second=0, microsecond=0) - timedelta(hours=count)


def take(place: Place, ago: int, ttft_ms: int, **facts: Any) -> None:
    event = place.event(hours_ago(ago))
    first = event.started + ttft_ms * 1000
    given = {"id": event.id, "first": first, "ended": first + 500_000, "itl_us": 20_000, **facts}
    assert intake.take(entries(place.event(hours_ago(ago), **given)), timezone.now()).recorded == 1


@pytest.fixture
def web(db: None) -> Client:
    return world.signed_in(world.person())


def chart_of(answer: HttpResponse) -> dict[str, Any]:
    found = re.search(
        r'<script id="chart-data" type="application/json">(.*?)</script>', answer.content.decode()
    )
    assert found
    return dict(json.loads(found[1]))


def moments(chart: dict[str, Any], begin: str = "") -> list[str]:
    """Where the script draws the steps of a chart."""
    first = datetime.fromisoformat(begin or chart["begin"])
    return [
        f"{first + timedelta(seconds=index * chart['step']):%Y-%m-%dT%H:%M}"
        for index in range(len(chart["names"]))
    ]


def drawn_at(answer: HttpResponse) -> list[str]:
    chart = chart_of(answer)
    return moments(chart, chart["range"][0])


def cells(answer: HttpResponse, table: str = "numbers") -> list[list[str]]:
    """A table of the page, in the order of time."""
    body = re.search(rf'id="{table}">.*?<tbody>(.*?)</tbody>', answer.content.decode(), re.DOTALL)
    assert body
    rows = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL)
    return [re.findall(r'<td class="num">(?:<span class="none">)?([^<]*)', row) for row in rows][::-1]


def test_chart_table_and_file_say_the_same(place: Place, web: Client) -> None:
    for ago, ttft in ((1, 300), (1, 410), (2, 37), (5, 5)):
        take(place, ago, ttft)
    take(place, 1, 900, status=RequestStatus.ENGINE_FAILED)
    answer = web.get(PAGE)
    series = chart_of(answer)["series"]
    drawn = [["–" if value is None else value for value in row] for row in zip(*series.values(), strict=True)]
    told = [[each if each == "–" else float(each.replace(",", "")) for each in row] for row in cells(answer)]
    assert told == drawn
    file = list(csv.DictReader(io.StringIO(web.get(PAGE + "?format=csv").content.decode())))
    assert [["–" if v == "" else float(v) for v in list(row.values())[1:]] for row in file] == drawn
    assert [row["start_utc"] for row in file] == [f"{at}:00Z" for at in drawn_at(answer)]
    assert series["requests"][-2] == 3
    assert series["failed"][-2] == 1


def test_hours_without_requests_are_gaps_and_not_zeros(place: Place, web: Client) -> None:
    take(place, 1, 300)
    take(place, 3, 300)
    series = chart_of(web.get(PAGE))["series"]
    for name, values in series.items():
        assert values[-3] is None, name
        assert values[-2] is not None, name
    assert series["ttft_p95"][-2] == pytest.approx(300, rel=0.012)


@pytest.mark.parametrize(
    ("query", "unit"), [("", "hour"), ("?from={0:%Y-%m-%dT%H}:00&to={1:%Y-%m-%dT%H}:00", "minute")]
)
def test_what_engines_say_is_drawn_and_told(place: Place, web: Client, query: str, unit: str) -> None:
    take(place, 1, 300)
    at = hours_ago(1).replace(minute=20)
    for number, (running, waiting) in enumerate(((3, 1), (4, None))):
        EngineMinute.objects.create(
            deployment_id=place.deployment.pk,
            upstream=f"http://127.0.0.1:{9000 + number}",
            minute=at,
            read_at=at,
            over_seconds=60,
            running=running,
            waiting=waiting,
            kv_use=0.25 + number / 2,
        )
    answer = web.get(PAGE + query.format(hours_ago(2), hours_ago(0)))
    engine = chart_of(answer)["engine"]
    place_of = moments(engine).index(f"{at:%Y-%m-%dT%H}:{'20' if unit == 'minute' else '00'}")
    figures = {name: values[place_of] for name, values in engine["series"].items()}
    assert figures == {
        "replicas": 2,
        "running": 7,
        "waiting": 1,
        "kv_use": 50,
        "kv_use_max": 75,
        "prefix_hit_rate": None,
        "preemptions": None,
    }
    told = [[each if each == "–" else float(each) for each in row] for row in cells(answer, "engine-numbers")]
    drawn = [["–" if v is None else v for v in row] for row in zip(*engine["series"].values(), strict=True)]
    assert told == drawn
    assert f"Engine figures by the {unit}" in answer.content.decode()


def test_where_no_engine_was_read_nothing_is_said_of_engines(place: Place, web: Client) -> None:
    take(place, 1, 300)
    answer = web.get(PAGE)
    assert chart_of(answer)["engine"]["names"] == []
    assert "engine-numbers" not in answer.content.decode()


@pytest.mark.parametrize("is_closed", [False, True])
def test_figures_are_those_of_the_raw_durations(place: Place, web: Client, is_closed: bool) -> None:
    durations = [10 * number for number in range(1, 31)]
    for duration in durations:
        take(place, 2, duration)
    if is_closed:
        closing.close(timezone.now())
        assert not LatencyBucket.objects.exists()
    series = chart_of(web.get(PAGE))["series"]
    for name, exact in (("p50", 150), ("p95", 290), ("p99", 300)):
        assert series[f"ttft_{name}"][-3] == pytest.approx(exact, rel=0.012)
    assert series["ttft_mean"][-3] == 155


def test_what_came_late_is_merged_into_its_hour(place: Place, web: Client) -> None:
    take(place, 4, 100)
    closing.close(timezone.now())
    take(place, 4, 900)
    series = chart_of(web.get(PAGE))["series"]
    assert series["ttft_mean"][-5] == 500
    assert series["ttft_p99"][-5] == pytest.approx(900, rel=0.012)


def test_a_period_is_compared_with_the_one_before(place: Place, web: Client) -> None:
    for _ in range(3):
        take(place, 2, 400)
    take(place, 26, 200)
    page = web.get(PAGE).content.decode()
    assert "200 % more than in the period before" in page  # requests
    assert re.search(r"(9[6-9]|10[0-4]) % more than in the period before", page)  # TTFT


def test_targets_are_set_by_who_may_deploy_and_mark_the_hours_above(place: Place, web: Client) -> None:
    take(place, 1, 600)
    take(place, 2, 100)
    done = web.post(PAGE + "?period=7d", {"ttft_ms": "500", "itl_ms": ""})
    assert (done.status_code, done["Location"]) == (302, PAGE + "?period=7d")
    page = web.get(PAGE).content.decode()
    assert "Target 500 ms, met in 1 of 2" in page
    assert "1 hour over target" in page
    assert chart_of(web.get(PAGE))["targets"] == {"ttft": 500, "itl": None}
    viewer = world.signed_in(world.person("vera@example.com", Role.VIEWER))
    assert viewer.post(PAGE, {"ttft_ms": "1"}).status_code == 403
    assert "500 ms" in viewer.get(PAGE).content.decode()


@pytest.mark.parametrize("wrong", ["0", "-1", "3600001", "1.5", "much", "9" * 40])
def test_a_target_that_makes_no_sense_is_refused(place: Place, web: Client, wrong: str) -> None:
    assert web.post(PAGE, {"ttft_ms": wrong}).status_code == 422
    assert not LatencyTarget.objects.exists()


def test_revisions_scaling_and_failures_are_marked(place: Place, web: Client) -> None:
    take(place, 1, 600)
    Transition.objects.create(deployment=place.deployment, revision=1, before="serving", after=Phase.FAILED)
    Scaled.objects.create(deployment=place.deployment, at=timezone.now(), before=2, after=3)
    marks = chart_of(web.get(PAGE))["marks"]
    assert [(label, tone) for _, label, tone in marks] == [("rev 1", ""), ("failed", "bad"), ("2 → 3", "")]


def test_without_requests_the_page_says_what_will_appear_and_when(place: Place, web: Client) -> None:
    page = web.get(PAGE).content.decode()
    assert "No requests in this period" in page
    assert "seconds after the first request" in page
    assert "plotly" not in page


def test_the_chart_library_is_loaded_on_this_page_only(place: Place, web: Client) -> None:
    take(place, 1, 600)
    assert "vendor/plotly/plotly-basic" in web.get(PAGE).content.decode()
    assert "plotly" not in web.get("/deployments/chat/").content.decode()


def test_a_bad_period_is_said_and_the_last_day_shown(place: Place, web: Client) -> None:
    take(place, 1, 600)
    answer = web.get(PAGE + "?from=2026-01-02T00:00&to=2026-01-01T00:00")
    assert answer.status_code == 422
    assert "ends before it begins" in answer.content.decode()
    assert len(drawn_at(answer)) == 24


def test_a_period_is_said_in_its_zone_and_can_be_asked_for_again(place: Place, web: Client) -> None:
    take(place, 1, 600)
    asked = hours_ago(3).replace(minute=0)
    local = [f"{(asked + timedelta(hours=each, minutes=330)):%Y-%m-%dT%H:%M}" for each in (0, 3)]
    answer = web.get(PAGE, {"from": local[0], "to": local[1], "zone": "Asia/Kolkata"})
    page = answer.content.decode()
    assert f'name="from" type="datetime-local" step="3600" required value="{local[0]}"' in page
    assert f'name="to" type="datetime-local" step="3600" required value="{local[1]}"' in page
    assert f"{local[0][-5:]} to" in page
    assert drawn_at(answer)[0] == f"{asked:%Y-%m-%dT%H:%M}"


def test_a_zone_with_script_in_it_is_text(place: Place, web: Client) -> None:
    page = web.get(PAGE, {"zone": "<script>alert(1)</script>", "period": '"><script>'}).content.decode()
    assert "<script>alert" not in page


def fill(place: Place, hours: int, keys: int) -> None:
    """Closed hours as the ledger would have left them."""
    packed = Histogram.of([200_000 + 1000 * number for number in range(200)])
    p50, p95, p99 = packed.percentiles(50, 95, 99)
    first = timezone.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    starts = [first - timedelta(hours=number) for number in range(1, hours + 1)]
    LatencySpan.objects.bulk_create(
        LatencySpan(
            deployment_id=place.deployment.pk,
            start=start,
            length="hour",
            measure=measure,
            count=packed.count,
            total_us=packed.total_us,
            p50_us=p50,
            p95_us=p95,
            p99_us=p99,
            packed=packed.pack(),
        )
        for start in starts
        for measure in ("ttft", "itl", "e2e")
    )
    UsageHour.objects.bulk_create(
        UsageHour(
            hour=start,
            deployment_id=place.deployment.pk,
            deployment="chat",
            model="llama-8b",
            organization_id=1,
            user_id=1,
            api_key_id=key,
            status="completed",
            input_tokens=1,
            cached_tokens=0,
            output_tokens=1,
            requests=200,
            estimated_requests=0,
            amount=Decimal(0),
        )
        for start in starts
        for key in range(keys)
    )


def test_a_month_costs_as_many_queries_as_an_hour(place: Place, web: Client) -> None:
    counts = []
    for hours, keys in ((1, 1), (1500, 3)):
        LatencySpan.objects.all().delete()
        UsageHour.objects.all().delete()
        fill(place, hours, keys)
        with CaptureQueriesContext(connection) as captured:
            answer = web.get(PAGE + "?period=30d")
        counts.append([each["sql"] for each in captured if "django_session" not in each["sql"]])
    assert len(counts[0]) == len(counts[1])
    assert sum("metering_" in sql or "deployments_" in sql for sql in counts[1]) <= 8
    assert len(drawn_at(answer)) == 720
    series = chart_of(answer)["series"]
    assert sum(value is not None for value in series["ttft_p95"]) == 719  # the hour that runs has none yet
    assert series["requests"][0] == 600
