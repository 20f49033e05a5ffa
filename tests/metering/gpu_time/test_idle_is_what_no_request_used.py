"""How long there was work in an hour: requests that overlap count once, and those that cross hours in each of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from metering.gpu_time import reading, working
from metering.ledger import intake
from metering.models import GpuHour
from metering.period import HOUR
from tests.metering.ledger.conftest import Place, entries, micro

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC).replace(minute=8, second=0, microsecond=0)
LAST = NOW.replace(minute=0) - HOUR


def hold(place: Place, hour: datetime, gpus: int = 1, seconds: int = 3600, product: str = "") -> None:
    GpuHour.objects.create(
        deployment_id=place.deployment.pk,
        cluster_id=place.deployment.endpoint.cluster_id,
        product=product,
        hour=hour,
        gpu_seconds=gpus * seconds,
        seconds=seconds,
    )


def request(place: Place, begin: datetime, seconds: float) -> None:
    event = place.event(begin, ended=micro(begin + timedelta(seconds=seconds)))
    assert intake.take(entries(event), datetime.now(UTC)).recorded == 1


def busy() -> list[int | None]:
    return list(GpuHour.objects.order_by("hour", "product").values_list("busy_seconds", flat=True))


def idle(place: Place) -> Decimal:
    return reading.read(LAST - HOUR, NOW, [place.deployment.pk])[place.deployment.pk].idle


def test_requests_that_overlap_count_once(place: Place) -> None:
    hold(place, LAST)
    for begin, seconds in ((0, 100), (50, 100), (60, 10), (1000, 30)):
        request(place, LAST + timedelta(seconds=begin), seconds)
    working.close(NOW)
    assert busy() == [150 + 30]
    assert idle(place) == 3600 - 180


def test_a_request_counts_in_each_hour_that_it_crosses(place: Place) -> None:
    hold(place, LAST - HOUR)
    hold(place, LAST)
    request(place, LAST - timedelta(seconds=40), 100)
    working.close(NOW)
    assert busy() == [40, 60]


def test_an_hour_without_requests_is_idle_as_a_whole(place: Place) -> None:
    hold(place, LAST, gpus=2)
    working.close(NOW)
    assert busy() == [0]
    assert idle(place) == 7200


def test_requests_of_others_and_later_hours_do_not_count(place: Place) -> None:
    hold(place, LAST)
    request(place, LAST + HOUR, 60)
    working.close(NOW)
    assert busy() == [0]


def test_what_is_recorded_late_counts_at_the_next_run_and_twice_is_as_once(place: Place) -> None:
    hold(place, LAST)
    working.close(NOW)
    request(place, LAST, 600)
    assert working.close(NOW) == 1
    assert working.close(NOW) == 0
    assert busy() == [600]


def test_the_running_hour_is_not_judged(place: Place) -> None:
    hold(place, LAST + HOUR, seconds=480)
    working.close(NOW)
    assert busy() == [None]
    found = reading.read(LAST, NOW, [place.deployment.pk])[place.deployment.pk]
    assert (found.gpu_seconds, found.judged, found.idle) == (480, 0, 0)


def test_work_beyond_the_time_in_which_gpus_were_held_leaves_nothing_idle(place: Place) -> None:
    hold(place, LAST, gpus=4, seconds=60)
    request(place, LAST, 300)
    working.close(NOW)
    assert idle(place) == 0


def test_products_side_by_side_are_held_for_one_time(place: Place) -> None:
    hold(place, LAST, gpus=1, product="NVIDIA-L40S")
    hold(place, LAST, gpus=2, seconds=1800, product="NVIDIA-H100-80GB-HBM3")
    working.close(NOW)
    found = reading.read(LAST, NOW, [place.deployment.pk])[place.deployment.pk]
    assert (found.gpu_seconds, found.seconds) == (7200, 3600)
