"""Replicas and workloads change owners in a cluster that lives: autoscalers come and go, an engine becomes another."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from deployments import desired
from deployments.facts import Addons, ClusterFacts
from deployments.models import Deployment
from deployments.spec import Autoscaling, DeploymentSpec, DynamoSpec, NimSpec
from deployments.vocabulary import Engine, NimRunner, ScalingMetric
from tests.deployments.rollouts import world as worlds
from tests.deployments.rollouts.driving import drive, is_rolled, is_serving, numbers, pods, replacing, settle
from tests.deployments.rollouts.world import WORKLOAD, World

KINDS = {
    "ScaledObject": "/apis/keda.sh/v1alpha1/namespaces/{}/scaledobjects",
    "NIMService": "/apis/apps.nvidia.com/v1alpha1/namespaces/{}/nimservices",
    "DynamoGraphDeployment": "/apis/nvidia.com/v1beta1/namespaces/{}/dynamographdeployments",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
}


@pytest.fixture
def equipped(living: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A cluster with KEDA, Prometheus, the NIM Operator and an NGC key."""
    monkeypatch.setattr(worlds, "KINDS", worlds.KINDS | KINDS)
    facts = ClusterFacts(
        "v1.34.0", addons=Addons(True, keda=True, nim=True, dynamo=True, dynamo_versions=("v1beta1",))
    )
    living.cluster.facts = facts.to_mapping()
    living.cluster.prometheus_url = "http://prometheus.monitoring:9090"
    living.cluster.ngc_key = "nvapi-" + "k" * 64
    living.cluster.save()
    return living


def scaled(world: World, metric: ScalingMetric) -> DeploymentSpec:
    scaling = Autoscaling(enabled=True, min_replicas=2, max_replicas=3, metric=metric, threshold=90)
    return replace(replacing(world.spec(replicas=2)), autoscaling=scaling)


def has(world: World, autoscalers: list[str]) -> bool:
    return [*world.objects("HorizontalPodAutoscaler", "ScaledObject")] == autoscalers


def operated(world: World) -> DeploymentSpec:
    """A NIM that NVIDIA's operator runs, with the memory and the volume that its largest profile takes."""
    spec = replacing(world.spec())
    engine = replace(
        spec.engine,
        kind=Engine.NIM,
        image="nvcr.io/nim/meta/llama-3.1-8b-instruct",
        tag="1.8.6",
        volume="30Gi",
        nim=NimSpec(runner=NimRunner.OPERATOR),
    )
    return replace(spec, engine=engine, resources=replace(spec.resources, memory_limit="64Gi"))


def test_autoscaling_comes_changes_and_goes_without_a_change_of_the_number_of_replicas(
    equipped: World,
) -> None:
    world = equipped
    deployment = world.create(replacing(world.spec(replicas=2)))
    drive(world, deployment, is_rolled(world, deployment, 1))
    uids = {name: body["metadata"]["uid"] for name, body in world.objects("Pod").items()}
    keda = ["HorizontalPodAutoscaler/keda-hpa-md-chat", "ScaledObject/md-chat"]
    steps: list[tuple[DeploymentSpec, list[str]]] = [
        (scaled(world, ScalingMetric.CPU), ["HorizontalPodAutoscaler/md-chat"]),
        (scaled(world, ScalingMetric.REQUESTS_WAITING), keda),
        (scaled(world, ScalingMetric.CPU), ["HorizontalPodAutoscaler/md-chat"]),
        (scaled(world, ScalingMetric.CONCURRENCY), keda),
        (replacing(world.spec(replicas=2)), []),
    ]
    for spec, expected in steps:
        world.revise(deployment, spec)
        seen = drive(world, deployment, partial(has, world, expected))
        world.rest(deployment)
        assert {body["spec"]["replicas"] for body in seen if body} == {2}
        assert numbers(world)[0] == 2
    assert {name: body["metadata"]["uid"] for name, body in world.objects("Pod").items()} == uids


def test_an_engine_that_runs_as_another_kind_replaces_the_old_workload_and_comes_back(
    equipped: World,
) -> None:
    world = equipped
    vllm = replacing(world.spec())
    deployment = world.create(vllm)
    drive(world, deployment, is_rolled(world, deployment, 1))
    world.revise(deployment, operated(world))
    drive(world, deployment, lambda: is_serving(deployment, 2)() and not world.objects("StatefulSet"))
    assert [*world.objects("NIMService")] == ["NIMService/md-chat"]
    world.revise(deployment, vllm)
    drive(world, deployment, lambda: is_serving(deployment, 3)() and WORKLOAD in world.objects("StatefulSet"))
    settle(world, deployment)
    assert not world.objects("NIMService", "Deployment")
    assert len(pods(world)) == 1
    assert deployment.refusal is None
    owners: Any = world.objects("Service")["Service/md-chat"]["metadata"].get("ownerReferences")
    assert owners is None, "it is our own again"


def test_a_nimservice_is_deleted_with_everything_that_its_operator_made(equipped: World) -> None:
    world = equipped
    deployment = world.create(operated(world))
    drive(world, deployment, is_serving(deployment, 1))
    desired.delete(deployment, author=None)
    drive(world, deployment, lambda: not Deployment.objects.exists() or world.look(deployment) is None)
    assert world.objects() == {}


def workers(world: World) -> int:
    [graph] = world.objects("DynamoGraphDeployment").values()
    [component] = [each for each in graph["spec"]["components"] if each["name"] != "Frontend"]
    return int(component["replicas"])


def test_a_graphs_workers_go_to_a_scaling_adapter_and_come_back_without_a_jump(equipped: World) -> None:
    world = equipped
    plain = replacing(world.spec(replicas=2))
    engine = replace(
        plain.engine,
        kind=Engine.DYNAMO,
        image="nvcr.io/nvidia/ai-dynamo/vllm-runtime",
        tag="1.3.0",
        dynamo=DynamoSpec(),
    )
    plain = replace(plain, engine=engine, resources=replace(plain.resources, memory_limit="64Gi"))
    deployment = world.create(plain)
    drive(world, deployment, is_serving(deployment, 1))
    for metric, expected in (
        (ScalingMetric.CPU, 1),
        (ScalingMetric.REQUESTS_WAITING, 2),
        (None, 0),
    ):
        scaling = Autoscaling() if metric is None else scaled(world, metric).autoscaling
        world.revise(deployment, replace(plain, autoscaling=scaling))

        def reached(expected: int = expected) -> bool:
            assert workers(world) == 2
            return len(world.objects("HorizontalPodAutoscaler", "ScaledObject")) == expected

        drive(world, deployment, reached)
        settle(world, deployment)
        assert (workers(world), deployment.refusal) == (2, None)
    desired.delete(deployment, author=None)
    drive(world, deployment, lambda: not Deployment.objects.exists() or world.look(deployment) is None)
    assert world.objects() == {}
