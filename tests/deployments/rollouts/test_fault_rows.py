"""The rows E7 to E11 of the list of faults that are about one API server: each ends as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deployments import desired, patience, reconciler
from deployments.clusters.connections import connect_to
from deployments.models import Deployment
from deployments.reconciler import due
from tests.deployments.rollouts.driving import observe
from tests.deployments.rollouts.world import WORKLOAD, World


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were waited between two tries; nobody really waits."""
    found: list[float] = []
    monkeypatch.setattr(patience, "sleep", found.append)
    return found


def sent(world: World, work: Callable[[], object]) -> int:
    """Requests that our client sent during the work, answered or not."""
    connection = connect_to(world.cluster)
    before = connection.requests
    work()
    return connection.requests - before


def start(world: World, prefix: str, count: int) -> None:
    for number in range(count):
        world.rest(world.create(world.spec(f"{prefix}-{number}")))


def test_e7_conflicts_then_a_busy_server_then_its_fault_cost_at_most_a_tenth_more(
    world: World, fault: Callable[..., None], waits: list[float]
) -> None:
    calm = sent(world, lambda: start(world, "calm", 6))
    match = {"method": "PATCH", "path": "statefulsets"}
    fault(match=match, times=5, status=409)
    fault(match=match, times=1, status=429, retryAfter=3)
    fault(match=match, times=1, status=500)
    stormy = sent(world, lambda: start(world, "stormy", 6))
    assert stormy - calm == 7
    assert stormy <= 1.1 * calm
    assert len(waits) == 7
    assert max(waits) == waits[5] == 3
    assert sum(waits) <= patience.PATIENCE
    assert all(
        (row.refusal, row.attempts, row.applied_revision) == (None, 0, 1) for row in Deployment.objects.all()
    )
    titles = {title.replace("stormy", "calm") for title in world.objects()}
    assert len(world.objects()) == 2 * len(titles)


def test_e7_a_server_that_stays_busy_is_left_alone_for_as_long_as_it_wants(
    world: World, fault: Callable[..., None], waits: list[float]
) -> None:
    fault(match={"method": "PATCH"}, status=429, retryAfter=30)
    deployment = world.create()
    assert (world.look(deployment) or 0) >= 30
    assert waits == []
    assert due(timezone.now() + timedelta(seconds=29), 10) == []


def test_e7_a_conflict_that_never_ends_is_given_up_after_a_few_tries(
    world: World, fault: Callable[..., None], waits: list[float]
) -> None:
    fault(match={"method": "PATCH", "path": "services"}, status=409)
    deployment = world.create()
    assert (world.look(deployment) or 0) > 0
    assert len(waits) == patience.MOST_CONFLICTS
    deployment.refresh_from_db()
    assert deployment.attempts == 1


def test_e8_a_write_that_is_applied_without_an_answer_is_found_by_the_next_look(
    world: World, fault: Callable[..., None]
) -> None:
    fault(match={"method": "PATCH", "path": "statefulsets"}, times=1, drop="after")
    deployment = world.create()
    world.look(deployment)
    made = world.objects("StatefulSet")[WORKLOAD]["metadata"]
    assert world.written(lambda: world.rest(deployment)) == 1, "only the route, which had not been reached"
    after = world.objects("StatefulSet")[WORKLOAD]["metadata"]
    assert (after["uid"], after["resourceVersion"]) == (made["uid"], made["resourceVersion"])
    deployment.refresh_from_db()
    assert (deployment.refusal, deployment.applied_revision) == (None, 1)


@pytest.mark.parametrize("kind", ["Service", "StatefulSet", "Ingress"])
def test_e8_an_object_of_somebody_else_is_refused_and_never_adopted(world: World, kind: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "Service": {"spec": {"ports": [{"port": 1}]}},
        "Ingress": {"spec": {"defaultBackend": {"service": {"name": "theirs", "port": {"number": 1}}}}},
        "StatefulSet": {
            "spec": {
                "serviceName": "theirs",
                "selector": {"matchLabels": {"app": "theirs"}},
                "template": {
                    "metadata": {"labels": {"app": "theirs"}},
                    "spec": {"containers": [{"name": "a", "image": "nginx"}]},
                },
            }
        },
    }
    world.make(f"{kind}/md-chat", bodies[kind])
    before = world.objects()
    deployment = world.create()
    assert world.written(lambda: [world.look(deployment) for _ in range(3)]) == 0
    assert world.objects() == before
    deployment.refresh_from_db()
    assert deployment.refusal is not None
    assert deployment.refusal["code"] == "foreign-object"
    desired.delete(deployment, author=None)
    world.rest(deployment)
    assert world.objects() == before


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (
            {"status": 403, "message": 'admission webhook "policy.example" denied the request: no'},
            "admission",
        ),
        ({"status": 403, "message": "exceeded quota: gpus, requested: 1, used: 8, limited: 8"}, "quota"),
        ({"status": 422, "message": "spec: Forbidden: field is immutable"}, "invalid"),
    ],
)
def test_e9_what_a_person_has_to_change_is_said_at_once_and_keeps_what_serves(
    world: World, fault: Callable[..., None], failure: dict[str, Any], code: str
) -> None:
    deployment = world.create()
    world.rest(deployment)
    before = world.state()
    fault(match={"method": "PATCH", "path": "statefulsets"}, **failure)
    world.revise(deployment, world.spec(arguments=("--seed", "1")))
    assert sent(world, lambda: world.look(deployment)) <= 8
    assert world.state() == before
    deployment.refresh_from_db()
    assert deployment.refusal is not None
    assert (deployment.refusal["code"], deployment.refusal["terminal"]) == (code, True)
    assert deployment.refusal["remedy"]
    assert due(timezone.now() + timedelta(minutes=3), 10) == [], "no storm of retries"
    world.sandbox.ask("DELETE", "/sandbox/faults")
    world.revise(deployment, world.spec())
    world.rest(deployment)
    deployment.refresh_from_db()
    assert (deployment.refusal, deployment.applied_revision) == (None, 3)


def test_e9_an_object_that_does_not_go_is_waited_for_less_and_less_often_and_then_forgotten(
    world: World,
) -> None:
    deployment = world.create()
    world.rest(deployment)
    world.change("Service/md-chat", {"metadata": {"finalizers": ["example.com/hold"]}})
    desired.delete(deployment, author=None)
    for _ in range(6):
        assert world.look(deployment) == reconciler.SOON.total_seconds()
    assert [*world.objects()] == ["Service/md-chat"]
    assert world.written(lambda: world.look(deployment)) == 0
    Deployment.objects.update(changed_at=timezone.now() - timedelta(minutes=5))
    assert world.look(deployment) == reconciler.STILL_WAITING.total_seconds()
    world.change("Service/md-chat", {"metadata": {"finalizers": None}})
    world.rest(deployment)
    assert world.objects() == {}
    assert not Deployment.objects.exists()


def test_e9_an_object_that_is_on_its_way_out_is_made_anew_only_when_it_is_gone(world: World) -> None:
    deployment = world.create()
    world.rest(deployment)
    world.change("Service/md-chat", {"metadata": {"finalizers": ["example.com/hold"]}})
    world.remove("Service/md-chat")
    uid = world.objects("Service")["Service/md-chat"]["metadata"]["uid"]
    assert world.look(deployment) == reconciler.SOON.total_seconds()
    assert world.objects("Service")["Service/md-chat"]["metadata"]["uid"] == uid
    world.change("Service/md-chat", {"metadata": {"finalizers": None}})
    world.rest(deployment)
    assert world.objects("Service")["Service/md-chat"]["metadata"]["uid"] != uid


@pytest.mark.parametrize("failure", [{"status": 410}, {"status": 500}, {"drop": "before"}, {"drop": "after"}])
def test_e10_a_list_that_fails_prunes_and_writes_nothing(
    world: World, fault: Callable[..., None], waits: list[float], failure: dict[str, Any]
) -> None:
    """A list that expired, broke off or failed is no empty list."""
    deployment = world.create()
    world.rest(deployment)
    observe(world)
    before = world.objects()
    fault(match={"method": "GET", "path": "/services"}, **failure)
    assert world.written(lambda: world.look(deployment)) == 0
    observe(world)
    world.cluster.refresh_from_db()
    assert world.cluster.unreachable_since is not None
    world.sandbox.ask("DELETE", "/sandbox/faults")
    assert world.objects() == before
    world.rest(deployment)
    observe(world)
    world.cluster.refresh_from_db()
    assert (world.objects(), world.cluster.unreachable_since) == (before, None)


def test_e3_looks_out_of_order_and_an_hour_late_end_with_the_newest_wish(world: World) -> None:
    deployment = world.create()
    world.rest(deployment)
    world.revise(deployment, world.spec(arguments=("--seed", "1")))
    world.revise(deployment, world.spec(arguments=("--seed", "2")))
    assert world.written(lambda: [reconciler.reconcile(deployment.pk) for _ in range(3)]) == 1
    late = timezone.now() + timedelta(hours=1)
    assert world.written(lambda: reconciler.reconcile(deployment.pk, late)) == 0
    workload = world.objects("StatefulSet")[WORKLOAD]
    assert workload["metadata"]["labels"]["slipway/revision"] == "3"


def test_many_deployments_into_an_empty_cluster_cost_a_write_an_object(world: World) -> None:
    made = [world.create(world.spec(f"many-{number}", secret=number % 2 == 0)) for number in range(60)]
    writes = world.written(lambda: [reconciler.reconcile(each.pk) for each in made])
    objects = len(world.objects())
    assert objects == 60 * 4 + 30
    assert objects <= writes <= 1.1 * objects
    assert world.written(lambda: [world.look(each) for each in made[:5]]) == 0
