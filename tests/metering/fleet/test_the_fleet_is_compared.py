"""The fleet: true figures of each deployment, computed in the background, worst first, at a constant cost."""

from __future__ import annotations

import csv
import io
import random
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access import Role
from deployments.models import Deployment
from deployments.vocabulary import Phase
from metering.fleet import refreshing
from metering.fleet.strain import strain
from metering.latency import closing
from metering.ledger import intake
from metering.models import FleetFigure, FleetRound, GpuHour, GpuRate, LatencyTarget
from metering.period import HOUR
from metering.vocabulary import RequestStatus
from tests.deployments.pages import world
from tests.metering.ledger.conftest import Place, entries

pytestmark = pytest.mark.django_db


def hour_ago(count: int) -> datetime:
    now = timezone.now().astimezone(UTC)
    return now.replace(minute=0, second=0, microsecond=0) - count * HOUR


def request(place: Place, at: datetime, deployment: Deployment | None = None, **facts: Any) -> None:
    about = {} if deployment is None else {"deployment_id": deployment.pk, "deployment": deployment.name}
    event = place.event(at, **about)
    first = event.started + facts.pop("ttft_us", 200_000)
    again = {"id": event.id, "first": first, "ended": first + 700_000, "itl_us": 20_000}
    given = place.event(at, **about | again | facts)
    assert intake.take(entries(given), timezone.now()).recorded == 1


def figure(deployment: Deployment, period: str = "24h") -> FleetFigure:
    return FleetFigure.objects.get(deployment=deployment, period=period)


def names(answer: Any) -> list[str]:
    return re.findall(r'class="name"><a href="/deployments/([^/]+)/', answer.content.decode())


def test_percentiles_are_those_of_all_requests_of_the_period(place: Place) -> None:
    chance = random.Random(3)
    samples = []
    for ago in (1, 1, 2, 5, 23):
        for _ in range(12):
            samples.append(int(chance.lognormvariate(12.5, 0.6)))
            request(place, hour_ago(ago) + timedelta(seconds=chance.randrange(3000)), ttft_us=samples[-1])
    closing.close(timezone.now())
    request(place, hour_ago(0), ttft_us=9_000_000)  # the running hour counts, too
    samples.append(9_000_000)
    refreshing.refresh(timezone.now())
    exact = sorted(samples)[-(-len(samples) * 95 // 100) - 1]
    found = figure(place.deployment)
    assert found.ttft_p95_us == pytest.approx(exact, rel=0.01)
    assert found.ttft_line[-1] == pytest.approx(9_000_000, rel=0.01)
    assert [each is not None for each in found.ttft_line].count(True) == 5
    assert found.requests == 61


def test_longer_periods_have_longer_steps(place: Place) -> None:
    for days in (0.5, 3, 20):
        request(place, hour_ago(1) - timedelta(days=days))
    refreshing.refresh(timezone.now())
    lines = {word: figure(place.deployment, word).ttft_line for word in ("24h", "7d", "30d")}
    assert {word: len(line) for word, line in lines.items()} == {"24h": 24, "7d": 28, "30d": 30}
    assert [figure(place.deployment, word).requests for word in lines] == [1, 2, 3]
    assert [sum(each is not None for each in line) for line in lines.values()] == [1, 2, 3]


def test_money_and_failures_stand_beside(place: Place) -> None:
    place.price(timezone.now() - timedelta(days=2), "1000", "2000")
    GpuRate.objects.create(
        cluster=place.deployment.endpoint.cluster,
        currency="USD",
        per_hour=Decimal("2.5"),
        effective_from=hour_ago(9),
    )
    GpuHour.objects.create(
        deployment_id=place.deployment.pk,
        cluster_id=place.deployment.endpoint.cluster_id,
        hour=hour_ago(1),
        gpu_seconds=7200,
        seconds=3600,
    )
    request(place, hour_ago(1), input_tokens=1000, output_tokens=500)
    request(place, hour_ago(1), status=RequestStatus.ENGINE_FAILED, output_tokens=0, first=None)
    refreshing.refresh(timezone.now())
    found = figure(place.deployment)
    assert (found.requests, found.failed, found.gpu_seconds) == (2, 1, 7200)
    assert (found.costs, found.revenues) == ({"USD": "5"}, {"USD": "2"})
    shown = world.signed_in(world.person()).get("/fleet/").content.decode()
    for text in ("$5.00", "$2.00", "50.00 %", "2.0<small>"):
        assert text in shown


def test_worst_comes_first(place: Place) -> None:
    slow, failing, fine, _, idle = (
        world.deployment(name, Phase.FAILED if name == "broken" else Phase.SERVING)
        for name in ("slow", "failing", "fine", "broken", "idle")
    )
    for deployment in (slow, fine):
        LatencyTarget.objects.create(deployment=deployment, ttft_ms=300)
    request(place, hour_ago(1), slow, ttft_us=900_000)  # 3 times its target
    request(place, hour_ago(1), fine, ttft_us=150_000)
    for status in (RequestStatus.ENGINE_FAILED, *[RequestStatus.COMPLETED] * 4):
        request(place, hour_ago(1), failing, status=status)  # 20 times what is allowed
    refreshing.refresh(timezone.now())
    web = world.signed_in(world.person())
    worst = names(web.get("/fleet/"))
    assert worst[:4] == ["broken", "failing", "slow", "fine"]
    assert set(worst[4:]) == {"chat", "idle"}
    assert names(web.get("/fleet/?sort=-ttft"))[:3] == ["slow", "failing", "fine"]
    assert names(web.get("/fleet/?sort=name")) == ["broken", "chat", "failing", "fine", "idle", "slow"]
    assert names(web.get("/fleet/?q=fai")) == ["failing"]
    assert "Above its target" in web.get("/fleet/?q=slow").content.decode()
    assert idle.name in worst


def test_strain_is_the_worst_of_what_is_allowed() -> None:
    assert strain((None, None), (None, None), 0, 0) is None
    assert strain((500_000, 10_000), (1000, 40), 100, 0) == 0.5
    assert strain((500_000, 60_000), (1000, 40), 100, 1) == 1.5
    assert strain((500_000, 60_000), (1000, 40), 100, 3) == 3
    assert strain((500_000, 60_000), (None, None), 100, 0) == 0


def test_rounds_are_made_as_often_as_figures_move_and_rest_when_they_are_slow(place: Place) -> None:
    now = timezone.now()
    assert refreshing.refresh(now) == ["24h", "7d", "30d"]
    assert refreshing.refresh(now + timedelta(seconds=20)) == []
    assert refreshing.refresh(now + timedelta(minutes=1)) == ["24h"]
    assert refreshing.refresh(now + timedelta(minutes=11)) == ["24h", "7d"]
    FleetRound.objects.filter(period="24h").update(milliseconds=60_000)
    assert refreshing.refresh(now + timedelta(minutes=25)) == ["7d"]
    assert refreshing.refresh(now + timedelta(minutes=31)) == ["24h"]


def test_a_deployment_that_is_gone_leaves_no_figures(place: Place) -> None:
    now = timezone.now()
    refreshing.refresh(now)
    FleetFigure.objects.create(deployment_id=10**9, period="24h", computed_at=now)
    refreshing.refresh(now + timedelta(minutes=2))
    assert not FleetFigure.objects.filter(deployment_id=10**9).exists()


def test_money_is_for_those_who_may_see_usage(place: Place) -> None:
    refreshing.refresh(timezone.now())
    viewer = world.signed_in(world.person("vic@example.com", Role.VIEWER))
    shown = viewer.get("/fleet/?sort=-revenue").content.decode()
    assert "Revenue" not in shown
    assert 'aria-sort="descending"' in shown  # the order is the usual one
    head = viewer.get("/fleet/?format=csv").content.decode().splitlines()[0]
    assert head == "deployment,model,state,ttft_p95_ms,itl_p95_ms,requests,failed_percent,tokens,gpu_hours"


def test_the_file_has_the_same_rows(place: Place) -> None:
    request(place, hour_ago(1), ttft_us=400_000)
    refreshing.refresh(timezone.now())
    answer = world.signed_in(world.person()).get("/fleet/?format=csv")
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert (row["deployment"], row["requests"], row["cost"]) == ("chat", "1", "")
    assert float(row["ttft_p95_ms"]) == pytest.approx(400, rel=0.01)


def test_the_page_costs_the_same_at_any_size(place: Place, django_assert_max_num_queries: Any) -> None:
    web = world.signed_in(world.person())
    refreshing.refresh(timezone.now())

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert web.get("/fleet/").status_code == 200
        return len(captured)

    few = queries()
    for number in range(60):
        world.deployment(f"more-{number}")
    refreshing.refresh(timezone.now() + timedelta(minutes=2))
    assert queries() == few <= 8


@pytest.mark.parametrize("query", ["?period=9d&sort=--x&page=-1", "?page=9999999", "?sort=strain"])
def test_odd_questions_get_the_usual_page(place: Place, query: str) -> None:
    assert world.signed_in(world.person()).get(f"/fleet/{query}").status_code == 200
