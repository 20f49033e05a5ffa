"""Volumes grow under pods that keep running; what cannot grow is refused with the way out (E2, E9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from deployments import desired
from deployments.kube.client import Cluster as Connection
from deployments.models import Deployment
from deployments.spec import Autoscaling
from deployments.vocabulary import ScalingMetric
from tests.deployments.rollouts.driving import (
    drive,
    is_rolled,
    is_serving,
    numbers,
    pods,
    replacing,
    settle,
    surging,
    turn,
)
from tests.deployments.rollouts.test_faults import ASK, Killed
from tests.deployments.rollouts.world import WORKLOAD, World


def serving(world: World, replicas: int = 2, **more: Any) -> Deployment:
    deployment = world.create(replacing(world.spec(replicas=replicas, **more)))
    drive(world, deployment, is_serving(deployment, 1))
    return settle(world, deployment)


def identities(world: World) -> dict[str, tuple[str, int]]:
    """uid and restarts by pod."""
    return {
        name: (
            body["metadata"]["uid"],
            sum(each["restartCount"] for each in body["status"]["containerStatuses"]),
        )
        for name, body in world.objects("Pod").items()
    }


def sizes(world: World) -> dict[str, tuple[str, str]]:
    """Wanted and present size by claim."""
    return {
        body["metadata"]["name"]: (
            body["spec"]["resources"]["requests"]["storage"],
            body.get("status", {}).get("capacity", {}).get("storage", ""),
        )
        for body in world.objects("PersistentVolumeClaim").values()
    }


def template_size(world: World) -> str:
    [template] = world.objects("StatefulSet")[WORKLOAD]["spec"]["volumeClaimTemplates"]
    return str(template["spec"]["resources"]["requests"]["storage"])


def grown(world: World, size: str) -> Callable[[], bool]:
    def holds() -> bool:
        workloads = world.objects("StatefulSet")
        return WORKLOAD in workloads and set(sizes(world).values()) == {(size, size)}

    return holds


def test_volumes_grow_and_nothing_restarts(living: World) -> None:
    deployment = serving(living)
    before, uid = identities(living), living.objects("StatefulSet")[WORKLOAD]["metadata"]["uid"]
    living.revise(deployment, replacing(living.spec(replicas=2, volume="20Gi")))
    drive(living, deployment, grown(living, "20Gi"))
    for _ in range(10):
        turn(living, deployment)
    settle(living, deployment)
    assert identities(living) == before
    assert template_size(living) == "20Gi"
    assert living.objects("StatefulSet")[WORKLOAD]["metadata"]["uid"] != uid
    assert (deployment.refusal, deployment.applied_revision, deployment.drift) == (None, 2, None)
    assert living.written(lambda: living.look(deployment)) == 0


def test_a_revision_that_also_changes_the_pods_grows_first_and_then_rolls_as_asked(living: World) -> None:
    deployment = serving(living)
    living.revise(deployment, surging(living.spec(replicas=2, volume="20Gi", tag="v0.33.1")))
    seen = drive(living, deployment, is_rolled(living, deployment, 2))
    assert {tag for tag, _ in pods(living).values()} == {"v0.33.1"}
    settle(living, deployment)
    assert sizes(living) == {f"data-md-chat-{n}": ("20Gi", "20Gi") for n in range(2)}
    assert max(body["spec"]["replicas"] for body in seen if body) == 3
    assert numbers(living) == (2, 0, "")


def test_a_workload_that_an_autoscaler_scaled_keeps_its_replicas_while_it_is_made_anew(living: World) -> None:
    # What an idle engine keeps in memory is above this, so that the autoscaler goes to three and stays there.
    always = Autoscaling(
        enabled=True, min_replicas=1, max_replicas=3, metric=ScalingMetric.MEMORY, threshold=1
    )
    scaled = replace(replacing(living.spec()), autoscaling=always)
    deployment = living.create(scaled)
    living.rest(deployment)
    drive(
        living, deployment, lambda: len(pods(living)) == 3 and all(good for _, good in pods(living).values())
    )
    before = identities(living)
    living.revise(deployment, replace(scaled, engine=replace(scaled.engine, volume="20Gi")))
    seen = drive(living, deployment, grown(living, "20Gi"))
    assert {body["spec"]["replicas"] for body in seen if body} == {3}
    assert identities(living) == before
    fields = living.objects("StatefulSet")[WORKLOAD]["metadata"]["managedFields"]
    [ours] = [each for each in fields if each["manager"] == "slipway"]
    assert "f:replicas" not in ours["fieldsV1"]["f:spec"]


def refusal(world: World, deployment: Deployment) -> dict[str, Any]:
    world.look(deployment)
    deployment.refresh_from_db()
    assert deployment.refusal is not None
    assert deployment.refusal["terminal"] is True
    return dict(deployment.refusal)


def with_class(world: World, name: str) -> None:
    world.endpoint.storage_class = name
    world.endpoint.save()


def test_a_class_that_does_not_let_volumes_grow_is_named_with_the_way_out(living: World) -> None:
    """E9."""
    body = {
        "metadata": {"name": "fixed"},
        "provisioner": "csi.sandbox.slipway",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": False,
    }
    living.sandbox.ask("POST", "/apis/storage.k8s.io/v1/storageclasses", body)
    with_class(living, "fixed")
    deployment = serving(living, replicas=1)
    before = living.state()
    living.revise(deployment, replacing(living.spec(volume="20Gi")))
    told = refusal(living, deployment)
    assert told["sentence"] == "The volume cannot grow: the storage class fixed does not allow it."
    assert "Set it back to 10Gi" in told["remedy"]
    assert living.state() == before
    living.revise(deployment, replacing(living.spec(volume="10Gi")))
    settle(living, deployment)
    assert (deployment.refusal, deployment.applied_revision) == (None, 3)


def test_a_class_that_is_gone_is_named(living: World) -> None:
    place = "/apis/storage.k8s.io/v1/storageclasses"
    body = {
        "metadata": {"name": "passing"},
        "provisioner": "csi.sandbox.slipway",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
    }
    living.sandbox.ask("POST", place, body)
    with_class(living, "passing")
    deployment = serving(living, replicas=1)
    living.sandbox.ask("DELETE", f"{place}/passing")
    living.revise(deployment, replacing(living.spec(volume="20Gi")))
    assert "its storage class passing is not there any more" in refusal(living, deployment)["sentence"]


def test_a_volume_whose_replica_never_started_waits(living: World) -> None:
    deployment = living.create(replacing(living.spec(gpus=16)))
    drive(living, deployment, lambda: bool(sizes(living)))
    living.revise(deployment, replacing(living.spec(gpus=16, volume="20Gi")))
    assert "its replica has not started" in refusal(living, deployment)["sentence"]


def test_a_stopped_deployment_grows_too_and_starts_with_the_larger_volume(living: World) -> None:
    deployment = serving(living, replicas=1)
    desired.stop(deployment, author=None)
    drive(living, deployment, lambda: not pods(living))
    living.revise(deployment, replacing(living.spec(volume="20Gi")))
    drive(
        living,
        deployment,
        lambda: template_size(living) == "20Gi" if living.objects("StatefulSet") else False,
    )
    desired.start(deployment, author=None)
    drive(living, deployment, is_serving(deployment, 2))
    assert sizes(living) == {"data-md-chat-0": ("20Gi", "20Gi")}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_worker_that_dies_at_any_request_of_a_growth_is_followed_by_one_that_finishes(
    living: World, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """E2: the claims, the deletion, and the workload that is made anew."""
    deployment = serving(living)
    before = identities(living)
    most, size = 40, 10
    for number in range(1, most):
        size += 1
        living.revise(deployment, replacing(living.spec(replicas=2, volume=f"{size}Gi")))
        sent = 0

        def counted(self: Connection, *arguments: Any, number: int = number, **more: Any) -> Any:
            nonlocal sent
            sent += 1
            if sent == number and not after:
                raise Killed
            answer = ASK(self, *arguments, **more)
            if sent == number:
                raise Killed
            return answer

        monkeypatch.setattr(Connection, "_ask", counted)
        died = False
        try:
            living.rest(deployment)
        except Killed:
            died = True
        monkeypatch.setattr(Connection, "_ask", ASK)
        living.rest(deployment)
        drive(living, deployment, grown(living, f"{size}Gi"))
        assert template_size(living) == f"{size}Gi"
        if not died:
            break
    else:
        raise AssertionError("a growth never ends")
    for _ in range(5):
        turn(living, deployment)
    assert identities(living) == before
