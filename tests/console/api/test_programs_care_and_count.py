"""Looking after deployments, targets, budgets and GPU costs: what pages do, programs do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from console.models import AuditEntry
from deployments.models import Cluster, Deployment
from tests.console.api.conftest import Caller, problem
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
GPU = "NVIDIA-H100-80GB-HBM3"


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("number").values_list("action", flat=True))


def test_another_look_forgets_a_refusal(admin: Caller) -> None:
    world.deployment("chat")
    Deployment.objects.update(refusal={"sentence": "No."}, attempts=7)
    assert admin("POST", "/deployments/chat/look-again").status_code == 202
    found = Deployment.objects.get()
    assert (found.refusal, found.attempts) == (None, 0)


def test_changes_by_hand_are_left_or_taken_back(admin: Caller) -> None:
    world.deployment("chat")
    assert admin("GET", "/deployments/chat/drift").json() == {
        "policy": "repair",
        "changes": 0,
        "repaired": False,
    }
    problem(admin("PUT", "/deployments/chat/drift", {"policy": "shrug"}), 422)
    assert admin("PUT", "/deployments/chat/drift", {"policy": "leave"}).json()["policy"] == "leave"
    assert "deployment.drift_policy_changed" in actions()
    problem(admin("POST", "/deployments/chat/repair"), 409)
    Deployment.objects.update(drift={"changes": [{"path": "x"}], "repaired": False})
    assert admin("POST", "/deployments/chat/repair").json()["changes"] == 1
    assert actions()[-1] == "deployment.repaired"


def test_only_what_has_no_cluster_any_more_is_given_up(admin: Caller) -> None:
    world.deployment("chat")
    Cluster.objects.update(checked_at=timezone.now())
    assert "answers" in problem(admin("POST", "/deployments/chat/abandon"), 409)["detail"]
    Cluster.objects.update(
        check_error="gone",
        unreachable_since=timezone.now() - timedelta(days=30),
        checked_at=timezone.now() - timedelta(days=30),
    )
    assert admin("POST", "/deployments/chat/abandon").status_code == 204
    assert not Deployment.objects.exists()
    assert actions()[-1] == "deployment.abandoned"


def test_targets_of_latency(admin: Caller) -> None:
    world.deployment("chat")
    path = "/deployments/chat/latency-targets"
    assert admin("GET", path).json() == {"ttft_ms": None, "itl_ms": None}
    assert admin("PUT", path, {"ttft_ms": 800}).json() == {"ttft_ms": 800, "itl_ms": None}
    assert problem(admin("PUT", path, {"itl_ms": 0}), 422)["errors"][0]["path"] == "itl_ms"
    assert admin("GET", path).json()["ttft_ms"] == 800


def test_limits_only_report_or_hold(admin: Caller) -> None:
    world.deployment("chat")
    assert admin("PUT", "/deployments/chat/limits", {"reports_only": True}).json()["reports_only"] is True
    assert admin("GET", "/deployments/chat/limits").json()["reports_only"] is True
    assert admin("PUT", "/deployments/chat/limits", {"reports_only": False}).json()["reports_only"] is False
    assert actions()[-2:] == ["limits.shadowed", "limits.enforced"]


def test_a_budget_comes_and_goes(admin: Caller) -> None:
    world.organization("acme")
    told = admin("PUT", "/organizations/acme/budgets/EUR", {"amount": "2500.50"}).json()
    assert told == {"items": [{"currency": "EUR", "amount": "2500.5"}]}
    problem(admin("PUT", "/organizations/acme/budgets/BTC", {"amount": "1"}), 422)
    problem(admin("PUT", "/organizations/acme/budgets/EUR", {"amount": "-1"}), 422)
    assert admin("GET", "/organizations/acme/budgets").json() == told
    assert admin("PUT", "/organizations/acme/budgets/EUR", {"amount": None}).json() == {"items": []}


def test_a_cost_of_gpus_stays_on_record(admin: Caller) -> None:
    world.endpoint()
    node = {"name": "a-1", "product": GPU, "memory_bytes": None, "total": 8, "free": 8}
    Cluster.objects.update(facts={"version": "v1.34.0", "gpu_nodes": [node]})
    given = {"product": GPU, "per_hour": "2.49", "currency": "EUR", "effective_from": "2026-11-01T00:00"}
    made = admin("POST", "/clusters/fra-1/gpu-costs", given, idempotency_key="one")
    assert (made.status_code, made.json()["per_hour"]) == (201, "2.49")
    assert admin("POST", "/clusters/fra-1/gpu-costs", given, idempotency_key="one").json() == made.json()
    problem(admin("POST", "/clusters/fra-1/gpu-costs", {**given, "effective_from": "2026-11-01T00:30"}), 422)
    problem(admin("POST", "/clusters/fra-1/gpu-costs", {**given, "product": "none"}), 422)
    assert [each["id"] for each in admin("GET", "/clusters/fra-1/gpu-costs").json()["items"]] == [
        made.json()["id"]
    ]
    assert actions()[-1] == "cluster.gpu_cost_entered"
