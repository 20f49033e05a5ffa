"""KEDA copies our labels to the autoscaler that it makes of a ScaledObject: it is not ours to remove."""

from dataclasses import replace
from typing import Any

from deployments.context import ClusterOffers, ModelSource, RenderContext
from deployments.manifests import render
from deployments.plan import ObservedObject, plan
from deployments.spec import Autoscaling, DeploymentSpec, EngineSpec
from deployments.vocabulary import Engine, ScalingMetric
from tests.deployments.plan.test_plan import KEY, Object, live, titles

OFFERS = ClusterOffers(prometheus_url="http://prometheus.monitoring:9090")
CONTEXT = RenderContext("models", ModelSource("facebook/opt-125m"), offers=OFFERS)
SCALED = Autoscaling(True, metric=ScalingMetric.REQUESTS_WAITING, threshold=5)
CHAT = DeploymentSpec(
    name="chat",
    model="opt",
    endpoint="main",
    engine=EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v0.33.0"),
    autoscaling=SCALED,
)


def scaled_object(objects: list[Object]) -> Object:
    return next(each for each in objects if each["kind"] == "ScaledObject")


def of_keda(objects: list[Object]) -> ObservedObject:
    """The autoscaler as KEDA makes it."""
    order = scaled_object(objects)
    owner = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "name": "md-chat",
        "uid": "uid-md-chat",
        "controller": True,
    }
    metadata: dict[str, Any] = {
        "name": "keda-hpa-md-chat",
        "namespace": "models",
        "uid": "uid-keda",
        "labels": dict(order["metadata"]["labels"]),
        "ownerReferences": [owner],
    }
    return ObservedObject(
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": {}}
    )


def test_at_rest_nothing_is_removed() -> None:
    wanted = render(CHAT, CONTEXT)
    found = plan(wanted, [*live(*wanted), of_keda(wanted)], key=KEY)
    assert found.is_at_rest
    assert found.drift == ()


def test_without_the_scaled_object_it_goes_with_it_before_replicas_are_ours_again() -> None:
    before = render(CHAT, CONTEXT)
    after = render(replace(CHAT, autoscaling=replace(SCALED, enabled=False)), CONTEXT)
    found = plan(after, [*live(*before), of_keda(before)], key=KEY)
    assert titles(found.prune_first) == ["ScaledObject/md-chat"]
    assert "HorizontalPodAutoscaler/keda-hpa-md-chat" in found.waiting_for
    assert found.apply == ()


def test_a_deployment_that_goes_leaves_it_to_keda_and_waits_for_it() -> None:
    before = render(CHAT, CONTEXT)
    found = plan([], [*live(*before), of_keda(before)], key=KEY)
    assert "HorizontalPodAutoscaler/keda-hpa-md-chat" not in titles(found.prune)
    assert "HorizontalPodAutoscaler/keda-hpa-md-chat" in found.waiting_for


def test_an_autoscaler_of_our_own_is_removed_before_keda_takes_over() -> None:
    before = render(replace(CHAT, autoscaling=Autoscaling(True)), CONTEXT)
    found = plan(render(CHAT, CONTEXT), live(*before), key=KEY)
    assert titles(found.prune_first) == ["HorizontalPodAutoscaler/md-chat"]
    assert "ScaledObject/md-chat" in titles(found.apply)
