"""Replicas change hands without a jump: also in a graph's components, and around a workload that is made anew."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from deployments import naming
from deployments.plan import HAND_OVER_MANAGER, ObservedObject, plan
from tests.deployments.plan.test_plan import KEY, live, managed, objects, titles

LABELS = {naming.MANAGED_BY_LABEL: "slipway", naming.DEPLOYMENT_LABEL: "chat"}
Object = dict[str, Any]


def graph(version: str, replicas: int | None, *, adapter: bool) -> Object:
    """A graph with a frontend and workers, in one of its two versions."""
    worker: Object = {} if replicas is None else {"replicas": replicas}
    if version == "v1beta1":
        components = [{"name": "Frontend", "replicas": 1}, {"name": "Worker", **worker}]
        if adapter:
            components[1]["scalingAdapter"] = {}
        spec: Object = {"components": components}
    else:
        worker |= {"scalingAdapter": {"enabled": adapter}}
        spec = {"services": {"Frontend": {"replicas": 1}, "Worker": worker}}
    metadata = {"name": "md-chat", "namespace": "models", "labels": LABELS}
    return {
        "apiVersion": f"nvidia.com/{version}",
        "kind": "DynamoGraphDeployment",
        "metadata": metadata,
        "spec": spec,
    }


def found(wanted: Object, replicas: int, *, ours: bool) -> list[ObservedObject]:
    """The graph in the cluster with this many workers; whether we own their number."""
    [item] = live(wanted)
    body = copy.deepcopy(item.body)
    number: Object = {"f:replicas": {}} if ours else {"f:other": {}}
    if "components" in body["spec"]:
        body["spec"]["components"][1]["replicas"] = replicas
        fields: Object = {"f:components": {'k:{"name":"Worker"}': number}}
    else:
        body["spec"]["services"]["Worker"]["replicas"] = replicas
        fields = {"f:services": {"f:Worker": number}}
    entry = {"manager": "slipway", "operation": "Apply", "fieldsV1": {"f:spec": fields}}
    body["metadata"]["managedFields"] = [entry]
    return [ObservedObject(body)]


def workers(object: Object) -> Any:
    spec = object["spec"]
    by_name = (
        {each["name"]: each for each in spec["components"]} if "components" in spec else spec["services"]
    )
    return by_name["Worker"].get("replicas")


VERSIONS = pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])


@VERSIONS
def test_a_scaling_adapter_gets_the_present_number(version: str) -> None:
    wanted = graph(version, None, adapter=True)
    seen = found(graph(version, 3, adapter=False), 3, ours=True)
    steps = plan([wanted], seen, key=KEY).apply
    assert [(step.manager, workers(step.object)) for step in steps] == [
        (HAND_OVER_MANAGER, 3),
        ("slipway", None),
    ]
    assert "adapter" not in repr(steps[0].object).lower()


@VERSIONS
def test_a_number_that_was_handed_over_stays(version: str) -> None:
    wanted = graph(version, None, adapter=True)
    assert plan([wanted], found(wanted, 5, ours=False), key=KEY).is_at_rest


@VERSIONS
def test_the_number_comes_back_as_it_is_and_only_then_becomes_the_wanted_one(version: str) -> None:
    wanted = graph(version, 1, adapter=False)
    steps = plan([wanted], found(graph(version, None, adapter=True), 4, ours=False), key=KEY).apply
    assert [workers(step.object) for step in steps] == [4, 1]
    assert {step.manager for step in steps} == {"slipway"}


@VERSIONS
def test_a_worker_that_died_in_the_middle_of_a_hand_over_is_followed(version: str) -> None:
    """E2: the object is as we want it, but we own the number still."""
    wanted = graph(version, None, adapter=True)
    steps = plan([wanted], found(wanted, 3, ours=True), key=KEY).apply
    assert [workers(step.object) for step in steps] == [3, None]


def test_a_workload_that_is_made_anew_under_an_autoscaler_begins_with_its_pods() -> None:
    wanted = objects(autoscaling=True)
    rest = [item for item in live(*wanted) if item.kind != "StatefulSet"]
    pods = [ObservedObject({"kind": "Pod", "metadata": {"name": f"md-chat-{n}"}}) for n in range(4)]
    steps = plan(wanted, [*rest, *pods], key=KEY).apply
    assert [(step.manager, step.object["spec"].get("replicas")) for step in steps] == [
        ("slipway", 4),
        (HAND_OVER_MANAGER, 4),
        ("slipway", None),
    ]
    [step] = plan(wanted, rest, key=KEY).apply
    assert "replicas" not in step.object["spec"]


def test_a_hand_over_that_was_interrupted_is_finished() -> None:
    """E2."""
    wanted = objects(autoscaling=True)
    found = plan(wanted, managed(live(*wanted)), key=KEY)
    assert [step.manager for step in found.apply] == [HAND_OVER_MANAGER, "slipway"]


def scaled_object() -> Object:
    metadata = {"name": "md-chat", "namespace": "models", "labels": LABELS}
    spec = {"minReplicaCount": 2, "scaleTargetRef": {"name": "md-chat"}}
    return {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": metadata, "spec": spec}


def without_autoscaler(wanted: list[Object]) -> list[Object]:
    return [each for each in wanted if each["kind"] != "HorizontalPodAutoscaler"]


def keda_autoscaler(owner: ObservedObject) -> ObservedObject:
    labels = {naming.MANAGED_BY_LABEL: "keda-operator", naming.DEPLOYMENT_LABEL: "chat"}
    reference = {"kind": "ScaledObject", "name": owner.name, "uid": owner.uid}
    metadata = {
        "name": "keda-hpa-md-chat",
        "labels": labels,
        "ownerReferences": [reference],
        "uid": "uid-hpa",
    }
    return ObservedObject({"kind": "HorizontalPodAutoscaler", "metadata": metadata})


def test_from_kubernetes_autoscaler_to_kedas_the_first_goes_first_and_the_replicas_stay() -> None:
    scaling = objects(autoscaling=True)
    found = plan([*without_autoscaler(scaling), scaled_object()], live(*scaling), key=KEY)
    assert titles(found.prune_first) == ["HorizontalPodAutoscaler/md-chat"]
    assert titles(found.apply) == ["ScaledObject/md-chat"]


@pytest.mark.parametrize("back_to", ["an autoscaler", "a number"])
def test_from_kedas_autoscaler_nothing_is_written_before_it_is_gone(back_to: str) -> None:
    scaling = objects(autoscaling=True)
    wanted = scaling if back_to == "an autoscaler" else objects(replicas=3)
    keda = live(*without_autoscaler(scaling), scaled_object())
    theirs = keda_autoscaler(keda[-1])
    found = plan(wanted, [*keda, theirs], key=KEY)
    assert titles(found.prune_first) == ["ScaledObject/md-chat"]
    assert not found.apply
    assert found.waiting_for == ("ScaledObject/md-chat", "HorizontalPodAutoscaler/keda-hpa-md-chat")
    going = live(scaled_object(), deletionTimestamp="2026-11-23T14:00:00Z")
    found = plan(wanted, [*keda[:-1], *going, theirs], key=KEY)
    assert not found.writes
    assert found.waiting_for
    found = plan(wanted, keda[:-1], key=KEY)
    written = "HorizontalPodAutoscaler/md-chat" if back_to == "an autoscaler" else "StatefulSet/md-chat"
    assert titles(found.apply) == [written]


def test_kedas_autoscaler_is_not_ours_to_prune() -> None:
    wanted = [*without_autoscaler(objects(autoscaling=True)), scaled_object()]
    seen = live(*wanted)
    assert plan(wanted, [*seen, keda_autoscaler(seen[-1])], key=KEY).is_at_rest
