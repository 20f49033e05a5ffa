"""GPUs that pods hold are counted once for each second, whatever becomes of the task that counts them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from deployments.models import Cluster, Deployment, Observation
from deployments.vocabulary import Phase
from metering.gpu_time import counting
from metering.models import GpuHour
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NODES = [{"name": "a-1", "product": "NVIDIA-H100-80GB-HBM3"}, {"name": "b-1", "product": "NVIDIA-L40S"}]


def pods(*held: tuple[str, int]) -> dict[str, Any]:
    return {
        "replicas": [{"name": f"p-{n}", "node": node, "gpus": gpus} for n, (node, gpus) in enumerate(held)]
    }


def running(*held: tuple[str, int], name: str = "chat") -> Deployment:
    made = world.deployment(name, Phase.SERVING, details=pods(*held))
    Cluster.objects.update(facts={"gpu_nodes": NODES})
    return made


def hours() -> dict[tuple[int, str], tuple[int, int]]:
    """GPU seconds and seconds, by hour of the day and product."""
    return {(row.hour.hour, row.product): (row.gpu_seconds, row.seconds) for row in GpuHour.objects.all()}


def test_time_is_split_where_an_hour_ends() -> None:
    running(("a-1", 2), ("a-1", 2))
    counting.count(NOON - timedelta(seconds=90))
    counting.count(NOON + timedelta(seconds=30))
    h100 = "NVIDIA-H100-80GB-HBM3"
    assert hours() == {(11, h100): (4 * 90, 90), (12, h100): (4 * 30, 30)}


def test_the_first_run_only_starts_the_clock() -> None:
    running(("a-1", 1))
    assert counting.count(NOON) == 0
    assert hours() == {}


def test_each_product_is_counted_for_itself_and_an_unknown_node_has_none() -> None:
    running(("a-1", 1), ("b-1", 3), ("gone", 1), ("", 8))
    counting.count(NOON)
    counting.count(NOON + timedelta(seconds=10))
    assert hours() == {
        (12, "NVIDIA-H100-80GB-HBM3"): (10, 10),
        (12, "NVIDIA-L40S"): (30, 10),
        (12, ""): (10, 10),
    }


def test_a_second_run_at_once_adds_nothing() -> None:
    running(("b-1", 1))
    counting.count(NOON)
    for _ in range(3):
        counting.count(NOON + timedelta(seconds=60))
    counting.count(NOON + timedelta(seconds=30))
    assert hours() == {(12, "NVIDIA-L40S"): (60, 60)}


def test_what_nobody_counted_for_long_is_left_out() -> None:
    running(("b-1", 1))
    counting.count(NOON)
    counting.count(NOON + timedelta(minutes=50))
    assert hours() == {(12, "NVIDIA-L40S"): (15 * 60, 15 * 60)}


def test_what_was_seen_last_goes_on_while_a_cluster_is_silent_and_ends_with_the_pods() -> None:
    made = running(("b-1", 1))
    counting.count(NOON)
    Cluster.objects.update(unreachable_since=NOON)
    counting.count(NOON + timedelta(minutes=5))
    Observation.objects.filter(deployment=made).update(details=pods())
    counting.count(NOON + timedelta(minutes=10))
    assert hours() == {(12, "NVIDIA-L40S"): (300, 300)}


def test_odd_details_are_no_gpus() -> None:
    made = running()
    counting.count(NOON)
    for details in ({}, {"replicas": None}, {"replicas": "x"}, {"replicas": [{"node": "a-1"}]}):
        Observation.objects.filter(deployment=made).update(details=details)
        counting.count(NOON + timedelta(minutes=1))
    Cluster.objects.update(facts={"gpu_nodes": None})
    counting.count(NOON + timedelta(minutes=2))
    assert hours() == {}


@pytest.mark.django_db(transaction=True)
def test_two_at_once_count_each_second_once() -> None:
    running(("b-1", 1))
    counting.count(NOON)
    begin = threading.Barrier(4)

    def work() -> None:
        begin.wait()
        counting.count(NOON + timedelta(seconds=60))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hours() == {(12, "NVIDIA-L40S"): (60, 60)}
