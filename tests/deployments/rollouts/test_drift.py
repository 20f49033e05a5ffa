"""Hand-made changes: seen at the next observation, told with their author, repaired or left by the policy (E11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deployments import desired
from deployments.models import Deployment
from deployments.reconciler import reconcile
from deployments.vocabulary import DriftPolicy
from tests.deployments.rollouts.driving import observe, settle
from tests.deployments.rollouts.world import KINDS, WORKLOAD, World

ROLE = {"spec": {"selector": {"slipway/deployment": "other"}}}
REPLICAS = {"spec": {"replicas": 7}}


def resting(world: World, **more: Any) -> Deployment:
    """In the cluster, seen twice, and not due for a long time."""
    deployment = world.create(world.spec(**more))
    world.rest(deployment)
    observe(world)
    world.rest(deployment)
    observe(world)
    far = timezone.now() + timedelta(hours=1)
    Deployment.objects.update(reconcile_due_at=far)
    observe(world)
    deployment.refresh_from_db()
    assert deployment.reconcile_due_at == far
    return deployment


def is_due(deployment: Deployment) -> bool:
    deployment.refresh_from_db()
    return deployment.reconcile_due_at is not None and deployment.reconcile_due_at <= timezone.now()


def drift(deployment: Deployment) -> Any:
    deployment.refresh_from_db()
    return deployment.drift


@pytest.mark.parametrize(
    ("title", "patch", "path"),
    [
        (WORKLOAD, REPLICAS, "spec.replicas"),
        ("Service/md-chat", ROLE, "spec.selector.slipway/deployment"),
        ("Secret/md-chat--env", {"data": {"API_TOKEN": "b3RoZXI="}}, "data.API_TOKEN"),
        ("Ingress/md-chat", {"spec": {"rules": [{"host": "evil.example.com"}]}}, "spec.rules"),
        ("HorizontalPodAutoscaler/md-chat", {"spec": {"maxReplicas": 9}}, "spec.maxReplicas"),
    ],
)
def test_an_edit_is_seen_at_the_next_observation_repaired_and_told_with_its_author(
    world: World, title: str, patch: dict[str, Any], path: str
) -> None:
    deployment = resting(world, secret=True, autoscaling=title.startswith("Horizontal"))
    before = world.state()
    world.change(title, patch)
    observe(world)
    assert is_due(deployment)
    reconcile(deployment.pk)
    assert world.state() == before
    found = drift(deployment)
    assert (found["policy"], found["repaired"]) == ("repair", True)
    [change] = found["changes"]
    assert change["object"] == title
    assert change["by"] == "somebody"
    assert any(each.startswith(path) for each in change["paths"])
    assert "b3RoZXI" not in repr(found)
    assert world.written(lambda: world.look(deployment)) == 0


@pytest.mark.parametrize("title", [WORKLOAD, "Service/md-chat", "HorizontalPodAutoscaler/md-chat"])
def test_a_removal_is_seen_at_the_next_observation_and_the_object_comes_back(
    world: World, title: str
) -> None:
    deployment = resting(world, autoscaling=True)
    world.remove(title)
    observe(world)
    assert is_due(deployment)
    reconcile(deployment.pk)
    assert title in world.objects(title.split("/")[0])
    assert drift(deployment)["changes"] == [{"object": title, "paths": [], "by": ""}]


def test_a_removed_secret_or_route_comes_back_too(world: World) -> None:
    deployment = resting(world, secret=True)
    for title in ("Secret/md-chat--env", "Ingress/md-chat"):
        world.remove(title)
        observe(world)
        assert is_due(deployment)
        reconcile(deployment.pk)
        assert title in world.objects(title.split("/")[0])


def test_a_change_of_status_alone_is_no_change(world: World) -> None:
    deployment = resting(world, autoscaling=True)
    path = (
        KINDS["HorizontalPodAutoscaler"].format(world.namespace) + "/md-chat/status?fieldManager=controller"
    )
    patch = {"status": {"currentReplicas": 2, "desiredReplicas": 2}}
    status, body, _headers = world.sandbox.ask(
        "PATCH", path, patch, content_type="application/merge-patch+json"
    )
    assert status == 200, body
    observe(world)
    assert not is_due(deployment)


def test_what_is_to_be_left_is_left_told_and_forgotten_when_it_is_undone(world: World) -> None:
    deployment = resting(world)
    desired.set_drift_policy(deployment, DriftPolicy.LEAVE, author=None)
    world.rest(deployment)
    world.change(WORKLOAD, REPLICAS)
    assert world.written(lambda: world.look(deployment)) == 0
    assert world.objects("StatefulSet")[WORKLOAD]["spec"]["replicas"] == 7
    found = drift(deployment)
    assert (found["policy"], found["repaired"]) == ("leave", False)
    assert found["changes"] == [{"object": WORKLOAD, "paths": ["spec.replicas"], "by": "somebody"}]
    world.look(deployment)
    assert drift(deployment) == found, "it has been so since then"
    world.change(WORKLOAD, {"spec": {"replicas": 1}})
    world.look(deployment)
    assert drift(deployment) is None


def test_one_repair_can_be_asked_for_and_the_policy_stays(world: World) -> None:
    deployment = resting(world)
    desired.set_drift_policy(deployment, DriftPolicy.LEAVE, author=None)
    world.change(WORKLOAD, REPLICAS)
    world.look(deployment)
    desired.repair_now(deployment, author=None)
    reconcile(deployment.pk)
    assert world.objects("StatefulSet")[WORKLOAD]["spec"]["replicas"] == 1
    found = drift(deployment)
    assert (found["policy"], found["repaired"], found.get("repair")) == ("leave", True, None)
    world.change(WORKLOAD, REPLICAS)
    world.look(deployment)
    assert world.objects("StatefulSet")[WORKLOAD]["spec"]["replicas"] == 7


def test_the_policy_to_repair_takes_back_what_was_left(world: World) -> None:
    deployment = resting(world)
    desired.set_drift_policy(deployment, DriftPolicy.LEAVE, author=None)
    world.change(WORKLOAD, REPLICAS)
    world.look(deployment)
    desired.set_drift_policy(deployment, DriftPolicy.REPAIR, author=None)
    reconcile(deployment.pk)
    assert world.objects("StatefulSet")[WORKLOAD]["spec"]["replicas"] == 1
    assert drift(deployment)["repaired"] is True


def test_a_repaired_change_is_shown_for_a_day(world: World) -> None:
    deployment = resting(world)
    world.change(WORKLOAD, REPLICAS)
    world.look(deployment)
    found = drift(deployment)
    world.look(deployment)
    assert drift(deployment) == found
    long_ago = (timezone.now() - timedelta(days=1, minutes=1)).isoformat()
    Deployment.objects.update(drift=found | {"at": long_ago})
    world.look(deployment)
    assert drift(deployment) is None


def test_a_new_revision_takes_over_what_was_left_of_the_objects_that_it_changes(world: World) -> None:
    deployment = resting(world)
    desired.set_drift_policy(deployment, DriftPolicy.LEAVE, author=None)
    world.change(WORKLOAD, REPLICAS)
    world.look(deployment)
    world.revise(deployment, world.spec(arguments=("--seed", "1")))
    settle(world, deployment)
    assert world.objects("StatefulSet")[WORKLOAD]["spec"]["replicas"] == 1
    assert deployment.drift is None


def test_our_own_writes_are_nobodys_drift(world: World) -> None:
    deployment = resting(world, secret=True)
    world.revise(deployment, world.spec(arguments=("--seed", "1")))
    world.endpoint.hostname = "other.example.com"
    world.endpoint.save()
    settle(world, deployment)
    assert deployment.drift is None


def test_a_partition_that_somebody_set_does_not_hold_back_a_revision_unseen(world: World) -> None:
    deployment = resting(world)
    world.change(WORKLOAD, {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 5}}}})
    world.look(deployment)
    strategy = world.objects("StatefulSet")[WORKLOAD]["spec"]["updateStrategy"]
    assert strategy["rollingUpdate"]["partition"] == 0
    [change] = drift(deployment)["changes"]
    assert change["by"] == "somebody"
