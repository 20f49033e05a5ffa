"""An hour whose p95 is above its target is told of once, and the first one that is not any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.models import Notice
from deployments.models import Deployment
from metering.latency import closing
from metering.ledger import intake
from metering.models import LatencySpan, LatencyTarget
from metering.notices import latency
from tests.metering.ledger.conftest import Place, entries, micro

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def hour(
    deployment: Deployment, at: datetime, ttft_ms: float = 0, itl_ms: float = 0, requests: int = 100
) -> None:
    for measure, value in (("ttft", ttft_ms), ("itl", itl_ms)):
        if value:
            LatencySpan.objects.update_or_create(
                deployment_id=deployment.pk,
                start=at,
                length="hour",
                measure=measure,
                defaults={
                    "count": requests,
                    "total_us": 1,
                    "p50_us": 1.0,
                    "p95_us": value * 1000,
                    "p99_us": 1e9,
                    "packed": b"",
                },
            )


def target(deployment: Deployment, ttft_ms: int | None = 500, itl_ms: int | None = None) -> None:
    LatencyTarget.objects.update_or_create(
        deployment=deployment, defaults={"ttft_ms": ttft_ms, "itl_ms": itl_ms}
    )


def told() -> list[tuple[str, str]]:
    rows = Notice.objects.order_by("facts__hour", "facts__measure")
    return [(each.kind, str(each.facts["measure"])) for each in rows]


def later(hours: int) -> datetime:
    return NOON + timedelta(hours=hours, minutes=5)


def test_a_slow_hour_is_told_with_its_figures(place: Place) -> None:
    target(place.deployment)
    hour(place.deployment, NOON, ttft_ms=812.4)
    assert latency.tell(later(1)) == 1
    assert latency.tell(later(1)) == latency.tell(later(2)) == 0
    notice = Notice.objects.get()
    assert notice.sentence == (
        "p95 of TTFT was 812 ms, above the target of 500 ms, in the hour from 12:00 UTC, over 100 requests."
    )
    assert notice.facts["p95_ms"] == 812.4
    assert notice.path == "/deployments/chat/metrics/"


@pytest.mark.parametrize(
    ("p95", "requests", "wanted", "number"),
    [(500.0, 100, 500, 0), (500.1, 100, 500, 1), (900, 19, 500, 0), (900, 20, 500, 1), (900, 100, None, 0)],
)
def test_what_is_above_is_exact(
    place: Place, p95: float, requests: int, wanted: int | None, number: int
) -> None:
    target(place.deployment, ttft_ms=wanted)
    hour(place.deployment, NOON, ttft_ms=p95, requests=requests)
    assert latency.tell(later(1)) == number


def test_an_hour_that_is_not_over_is_not_judged(place: Place) -> None:
    target(place.deployment)
    hour(place.deployment, NOON, ttft_ms=900)
    assert latency.tell(NOON + timedelta(minutes=59)) == 0


def test_back_on_target_is_told_once_and_each_measure_by_itself(place: Place) -> None:
    target(place.deployment, 500, 50)
    for number, (ttft, itl) in enumerate([(400, 40), (900, 40), (900, 60), (400, 60), (400, 40), (400, 40)]):
        hour(place.deployment, NOON + timedelta(hours=number), ttft, itl)
        latency.tell(later(number + 1))
    above, back = "latency.above_target", "latency.back_on_target"
    assert told() == [
        (above, "ttft"),
        (above, "itl"),
        (above, "ttft"),
        (above, "itl"),
        (back, "ttft"),
        (back, "itl"),
    ]


def test_hours_without_requests_in_between_forget_nothing(place: Place) -> None:
    target(place.deployment)
    hour(place.deployment, NOON, ttft_ms=900)
    latency.tell(later(1))
    hour(place.deployment, NOON + timedelta(hours=9), ttft_ms=100)
    latency.tell(later(10))
    assert [kind for kind, _ in told()] == ["latency.above_target", "latency.back_on_target"]


def test_a_worker_that_was_away_tells_of_the_newest_hours_in_their_order(place: Place) -> None:
    target(place.deployment)
    for number, ttft in enumerate([900, 900, 900, 400, 400]):
        hour(place.deployment, NOON + timedelta(hours=number), ttft_ms=ttft)
    latency.tell(later(5))
    assert [(each.kind, each.facts["hour"][11:13]) for each in Notice.objects.order_by("facts__hour")] == [
        ("latency.above_target", "14"),
        ("latency.back_on_target", "15"),
    ]


def test_real_requests_of_an_hour_are_told_when_it_is_closed(place: Place) -> None:
    target(place.deployment, ttft_ms=100)
    started = micro(NOON + timedelta(minutes=10))
    events = [place.event(NOON + timedelta(minutes=10), first=started + 700_000) for _ in range(25)]
    intake.take(entries(*events), later(1))
    closing.close(later(1))
    assert latency.tell(later(1)) == 1
    assert 650 < Notice.objects.get().facts["p95_ms"] < 750


def test_many_deployments_cost_as_many_queries_as_one(place: Place) -> None:
    def queries(at: datetime) -> int:
        with CaptureQueriesContext(connection) as captured:
            latency.tell(at)
        return len(captured)

    target(place.deployment)
    hour(place.deployment, NOON, ttft_ms=900)
    few = queries(later(1))
    like = place.deployment
    for number in range(30):
        other = Deployment.objects.create(name=f"d-{number}", model=like.model, endpoint=like.endpoint)
        target(other)
        hour(other, NOON + timedelta(hours=1), ttft_ms=900)
    assert queries(later(2)) == few
    assert Notice.objects.count() == 31
