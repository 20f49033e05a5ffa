"""The page on which the cost of GPUs is entered: what is on record stays, and bad figures are refused in a sentence."""

from __future__ import annotations

from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.access import Role
from deployments.models import Cluster
from metering.models import GpuRate
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
PAGE = "/clusters/fra-1/gpu-costs/"
H100 = "NVIDIA-H100-80GB-HBM3"
NODE = {"name": "a-1", "product": H100, "memory_bytes": None, "total": 8, "free": 8}


@pytest.fixture
def web() -> Client:
    world.endpoint()
    Cluster.objects.update(facts={"version": "v1.34.0", "gpu_nodes": [NODE]})
    return world.signed_in(world.person("bill@example.com", Role.BILLING))


def given(**changes: str) -> dict[str, str]:
    hour = timezone.now().astimezone(UTC)
    plain = {
        "product": H100,
        "per_hour": "2.49",
        "currency": "EUR",
        "effective_from": f"{hour:%Y-%m-%dT%H}:00",
    }
    return plain | changes


def test_a_cost_is_entered_and_shown(web: Client) -> None:
    assert "No cost entered" in web.get(PAGE).content.decode()
    answer = web.post(PAGE, given(), follow=True).content.decode()
    assert "H100 on fra-1 cost €2.49 an hour from then on." in answer
    rate = GpuRate.objects.get()
    assert (rate.product, rate.per_hour, rate.currency, str(rate.created_by)) == (
        H100,
        Decimal("2.49"),
        "EUR",
        "Ada Berg",
    )
    assert "€478.08" in answer  # 8 GPUs x 24 h


def test_a_new_cost_leaves_the_old_one_on_record(web: Client) -> None:
    yesterday = timezone.now().astimezone(UTC) - timedelta(days=1)
    web.post(PAGE, given(per_hour="3", effective_from=f"{yesterday:%Y-%m-%dT%H}:00"))
    web.post(PAGE, given(per_hour="2"))
    assert list(GpuRate.objects.values_list("per_hour", flat=True)) == [Decimal(2), Decimal(3)]
    assert web.get(PAGE).content.decode().count(">€3.00<") == 1


def test_a_cost_of_the_future_is_marked_and_not_in_force(web: Client) -> None:
    tomorrow = timezone.now().astimezone(UTC) + timedelta(days=1)
    web.post(PAGE, given(effective_from=f"{tomorrow:%Y-%m-%dT%H}:00"))
    shown = web.get(PAGE).content.decode()
    assert "Not yet" in shown
    assert "No cost entered" in shown


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"per_hour": "-1"}, "greater than or equal to 0"),
        ({"per_hour": "NaN"}, "Enter a number"),
        ({"per_hour": "1e30"}, "less than or equal to"),
        ({"per_hour": "0.1234567"}, "6 decimal places"),
        ({"per_hour": ""}, "required"),
        ({"currency": "BTC"}, "BTC is not one of the available choices"),
        ({"product": "A-GPU-OF-ANOTHER-CLUSTER"}, "not one of the available choices"),
        ({"effective_from": "2026-11-20T10:30"}, "10:30 is within an hour"),
        ({"effective_from": "0001-01-01T00:00"}, "too long ago"),
        ({"effective_from": "soon"}, "valid date/time"),
    ],
)
def test_what_makes_no_sense_is_refused(web: Client, change: dict[str, str], said: str) -> None:
    answer = web.post(PAGE, given(**change))
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not GpuRate.objects.exists()


@pytest.mark.parametrize(("role", "reads", "writes"), [(Role.OPERATOR, 200, 403), (Role.VIEWER, 403, 403)])
def test_others_read_or_stay_outside(web: Client, role: Role, reads: int, writes: int) -> None:
    other: Any = world.signed_in(world.person("op@example.com", role))
    assert (other.get(PAGE).status_code, other.post(PAGE, given()).status_code) == (reads, writes)
    assert not GpuRate.objects.exists()


def test_a_cluster_without_gpus_says_what_is_missing(web: Client) -> None:
    Cluster.objects.update(facts=None)
    assert "No GPUs are known here" in web.get(PAGE).content.decode()
    assert web.get("/clusters/nowhere/gpu-costs/").status_code == 404
