"""From wanted and seen to steps: create, change, drift, prune, refuse, remove."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments import naming
from deployments.context import Exposure, ModelSource, RenderContext
from deployments.manifests import render
from deployments.plan import (
    APPLIED_ANNOTATION,
    HAND_OVER_MANAGER,
    ObservedObject,
    digest,
    plan,
    stamped,
)
from deployments.plan.likeness import differences, is_like
from deployments.spec import Autoscaling, DeploymentSpec, EngineSpec, Variable
from deployments.vocabulary import Engine, Routing

KEY = b"a key for digests"
Object = dict[str, Any]


def objects(
    autoscaling: bool = False, volume: str = "100Gi", stopped: bool = False, **engine: Any
) -> list[Object]:
    wanted = DeploymentSpec(
        name="chat",
        model="opt",
        endpoint="main",
        engine=EngineSpec(kind=Engine.VLLM, image="vllm/vllm-openai", tag="v0.33.0", volume=volume, **engine),
        autoscaling=Autoscaling(enabled=autoscaling, min_replicas=2),
        environment=(Variable("HF_TOKEN", secret=True),),
    )
    context = RenderContext(
        namespace="models",
        source=ModelSource("facebook/opt-125m"),
        exposure=Exposure("llm.example.com", Routing.INGRESS),
        stopped=stopped,
        secret_values={"HF_TOKEN": "canary-secret"},
    )
    return render(wanted, context)


def live(*wanted: Object, **metadata: Any) -> list[ObservedObject]:
    """The objects as a cluster holds them after we applied them: with defaults and bookkeeping added."""
    found = []
    for object in wanted:
        body = copy.deepcopy(stamped(object, KEY))
        body["metadata"] |= {"uid": f"uid-{body['metadata']['name']}", "resourceVersion": "7", **metadata}
        body["status"] = {"observedGeneration": 1}
        if body["kind"] == "StatefulSet":
            body["spec"]["revisionHistoryLimit"] = 10
            body["spec"]["updateStrategy"]["rollingUpdate"] = {"partition": 0}
            body["spec"].setdefault("replicas", 1)
            body["spec"]["template"]["spec"]["dnsPolicy"] = "ClusterFirst"
            body["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "IfNotPresent"
        found.append(ObservedObject(body))
    return found


def titles(items: Any) -> list[str]:
    return [
        f"{i.kind}/{i.name}"
        if isinstance(i, ObservedObject)
        else f"{i.object['kind']}/{i.object['metadata']['name']}"
        for i in items
    ]


def changed(items: list[ObservedObject], kind: str, change: Any) -> list[ObservedObject]:
    """A copy in which one object was edited by somebody."""
    found = []
    for item in items:
        body = copy.deepcopy(item.body)
        if item.kind == kind:
            change(body)
        found.append(ObservedObject(body))
    return found


def test_everything_is_new_in_the_order_of_the_manifests() -> None:
    wanted = objects(autoscaling=True)
    found = plan(wanted, [], key=KEY)
    assert [step.object["kind"] for step in found.apply] == [
        "Secret",
        "Service",
        "Service",
        "StatefulSet",
        "HorizontalPodAutoscaler",
        "Ingress",
    ]
    assert {step.why for step in found.apply} == {"new"}
    assert not found.prune
    assert not found.is_at_rest


def test_nothing_is_written_when_nothing_differs() -> None:
    wanted = objects()
    found = plan(wanted, live(*wanted), key=KEY)
    assert found.is_at_rest
    assert len(found.unchanged) == len(wanted)


def test_a_change_applies_only_what_changed() -> None:
    found = plan(objects(arguments=("--max-model-len", "4096")), live(*objects()), key=KEY)
    assert [(step.object["kind"], step.why) for step in found.apply] == [("StatefulSet", "changed")]


def test_a_field_that_is_no_longer_wanted_is_a_change_though_the_rest_is_there() -> None:
    before = objects()
    after = copy.deepcopy(before)
    del after[-2]["spec"]["template"]["spec"]["containers"][0]["lifecycle"]
    found = plan(after, live(*before), key=KEY)
    assert titles(found.apply) == ["StatefulSet/md-chat"]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("StatefulSet", lambda body: body["spec"].update(replicas=7)),
        ("StatefulSet", lambda body: body["spec"]["template"]["spec"]["containers"][0].update(image="evil")),
        ("StatefulSet", lambda body: body["spec"]["template"]["spec"]["containers"][0]["env"].pop()),
        ("Service", lambda body: body["spec"].update(selector={"app": "other"})),
        ("Secret", lambda body: body["data"].update(HF_TOKEN="b3RoZXI=")),
        ("Secret", lambda body: body["data"].clear()),
    ],
)
def test_an_edit_by_somebody_else_is_repaired(kind: str, change: Any) -> None:
    wanted = objects()
    found = plan(wanted, changed(live(*wanted), kind, change), key=KEY)
    assert {step.object["kind"] for step in found.apply} == {kind}
    assert all(step.why.startswith("drifted: ") for step in found.apply)
    assert "b3RoZXI=" not in repr([step.why for step in found.apply])


def test_what_others_add_is_left_alone() -> None:
    wanted = objects()

    def annotate(body: Object) -> None:
        body["metadata"]["annotations"]["other/tool"] = "yes"
        body["spec"]["template"]["spec"]["containers"].append({"name": "sidecar", "image": "mesh"})
        body["metadata"]["finalizers"] = ["other/tool"]

    assert plan(wanted, changed(live(*wanted), "StatefulSet", annotate), key=KEY).is_at_rest


def test_what_is_no_longer_wanted_is_pruned_traffic_first() -> None:
    before = objects(autoscaling=True)
    wanted = [object for object in before if object["kind"] in ("Service", "StatefulSet")]
    found = plan(wanted, live(*before), key=KEY)
    assert titles(found.prune_first) == ["HorizontalPodAutoscaler/md-chat"]
    assert [item.kind for item in found.prune] == ["Ingress", "Secret"]


def test_volumes_are_not_pruned_while_the_deployment_lives() -> None:
    wanted = objects()
    labels = {naming.MANAGED_BY_LABEL: "slipway", naming.DEPLOYMENT_LABEL: "chat"}
    volume = {"kind": "PersistentVolumeClaim", "metadata": {"name": "data-md-chat-3", "labels": labels}}
    assert plan(wanted, [*live(*wanted), ObservedObject(volume)], key=KEY).is_at_rest


def test_a_foreign_object_of_the_same_name_refuses_the_whole_plan() -> None:
    wanted = objects()
    foreign = changed(
        live(*wanted), "StatefulSet", lambda body: body["metadata"].update(labels={"app": "theirs"})
    )
    found = plan(wanted, foreign, key=KEY)
    assert found.refusal is not None
    assert found.refusal.code == "foreign-object"
    assert "StatefulSet md-chat in namespace models that Slipway did not make" in found.refusal.sentence
    assert not found.apply
    assert not found.prune


def test_an_object_of_another_deployment_is_foreign() -> None:
    wanted = objects()
    labels = {naming.MANAGED_BY_LABEL: "slipway", naming.DEPLOYMENT_LABEL: "other"}
    found = plan(
        wanted, changed(live(*wanted), "Service", lambda b: b["metadata"].update(labels=labels)), key=KEY
    )
    assert found.refusal is not None


def test_our_own_object_of_an_interrupted_run_is_adopted() -> None:
    wanted = objects()
    found = plan(wanted, live(*wanted[:2]), key=KEY)
    assert titles(found.apply) == titles(plan(wanted, [], key=KEY).apply)[2:]
    assert found.refusal is None


def test_the_same_volume_size_in_other_words_is_no_change() -> None:
    wanted = objects(volume="1024Gi")
    found = plan(wanted, changed(live(*wanted), "StatefulSet", _as_tebibyte), key=KEY)
    assert found.is_at_rest


def _as_tebibyte(body: Object) -> None:
    body["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = "1Ti"


def test_what_is_on_its_way_out_is_waited_for() -> None:
    wanted = objects()
    found = plan(wanted, live(*wanted, deletionTimestamp="2026-11-23T14:00:00Z"), key=KEY)
    assert not found.apply
    assert len(found.waiting_for) == len(wanted)


def managed(items: list[ObservedObject], manager: str = "slipway") -> list[ObservedObject]:
    entry = {"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    return changed(items, "StatefulSet", lambda body: body["metadata"].update(managedFields=[entry]))


def test_the_autoscaler_takes_the_replicas_over_without_a_collapse() -> None:
    found = plan(objects(autoscaling=True), managed(live(*objects(replicas=3))), key=KEY)
    steps = [step for step in found.apply if step.object["kind"] == "StatefulSet"]
    assert [(step.manager, step.object["spec"].get("replicas")) for step in steps] == [
        (HAND_OVER_MANAGER, 3),
        ("slipway", None),
    ]
    assert set(steps[0].object["metadata"]) == {"name", "namespace"}


def test_a_stopped_deployment_starts_with_the_autoscalers_minimum() -> None:
    found = plan(objects(autoscaling=True), managed(live(*objects(stopped=True))), key=KEY)
    assert {"replicas": 2} in [step.object["spec"] for step in found.apply if step.why == "hand over"]


def test_replicas_that_were_handed_over_stay_handed_over() -> None:
    wanted = objects(autoscaling=True)
    five = changed(
        managed(live(*wanted), "horizontal-pod-autoscaler"),
        "StatefulSet",
        lambda b: b["spec"].update(replicas=5),
    )
    assert plan(wanted, five, key=KEY).is_at_rest


def test_deleting_goes_in_stages_and_waits_for_each() -> None:
    everything = live(*objects(autoscaling=True))
    first = plan([], everything, key=KEY)
    assert [item.kind for item in first.prune] == ["Ingress", "HorizontalPodAutoscaler"]
    assert len(first.waiting_for) == len(everything)
    rest = [item for item in everything if item.kind in ("Service", "Secret")]
    workload = [item for item in everything if item.kind == "StatefulSet"]
    assert titles(plan([], [*rest, *workload], key=KEY).prune) == ["StatefulSet/md-chat"]
    # An operator may write its own name into the label; a pod with the label of the deployment is waited for.
    pod = ObservedObject({"kind": "Pod", "metadata": {"name": "md-chat-0"}})
    second = plan([], [*rest, pod], key=KEY)
    assert not second.prune
    assert second.waiting_for[0] == "Pod/md-chat-0"
    third = plan([], rest, key=KEY)
    assert [item.kind for item in third.prune] == ["Service", "Service", "Secret"]
    assert plan([], [], key=KEY).is_at_rest


def test_a_route_that_does_not_go_keeps_no_workload_and_a_pod_that_does_not_go_keeps_its_data() -> None:
    """E9: stuck terminating."""
    stuck = {"deletionTimestamp": "2026-11-23T14:00:00Z"}
    everything = objects()
    routes = live(*[each for each in everything if each["kind"] == "Ingress"], **stuck)
    rest = live(*[each for each in everything if each["kind"] != "Ingress"])
    assert titles(plan([], [*routes, *rest], key=KEY).prune) == ["StatefulSet/md-chat"]
    pod = ObservedObject({"kind": "Pod", "metadata": {"name": "md-chat-0", **stuck}})
    data = [item for item in rest if item.kind != "StatefulSet"]
    assert not plan([], [*routes, *data, pod], key=KEY).writes
    assert len(plan([], [*routes, *data], key=KEY).prune) == len(data)


def test_deleting_leaves_what_is_not_ours() -> None:
    foreign = changed(live(*objects()), "StatefulSet", lambda body: body["metadata"].update(labels={}))
    found = plan([], foreign, key=KEY)
    assert "StatefulSet" not in [item.kind for item in found.prune]


def test_the_digest_says_nothing_without_the_key() -> None:
    secret = next(object for object in objects() if object["kind"] == "Secret")
    assert digest(secret, KEY) == digest(copy.deepcopy(secret), KEY) != digest(secret, b"another key")
    assert "canary" not in stamped(secret, KEY)["metadata"]["annotations"][APPLIED_ANNOTATION]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "port", "x", "y"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["name", "spec", "x"]), JSON, max_size=3))
def test_everything_is_like_itself_and_like_itself_with_more(object: dict[str, Any]) -> None:
    assert is_like(object, copy.deepcopy(object))
    assert is_like(object, copy.deepcopy(object) | {"added": 1})


@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 9), min_size=1), st.integers(10, 20))
def test_a_changed_value_is_found_with_its_path(object: dict[str, int], other: int) -> None:
    key = sorted(object)[0]
    assert differences({"spec": object}, {"spec": object | {key: other}}) == [f"spec.{key}"]


@pytest.mark.parametrize(
    ("wanted", "stored", "alike"),
    [
        ({"resources": {"requests": {"cpu": "0.5"}}}, {"resources": {"requests": {"cpu": "500m"}}}, True),
        ({"limits": {"nvidia.com/gpu": "1"}}, {"limits": {"nvidia.com/gpu": 1}}, True),
        ({"limits": {"memory": "1Gi"}}, {"limits": {"memory": "2Gi"}}, False),
        ({"value": "1000m"}, {"value": "1"}, False),
        ({"kind": "Secret", "stringData": {"a": "b"}}, {"kind": "Secret", "data": {"a": "Yg=="}}, True),
        ({"list": []}, {}, True),
        ({"flag": False}, {}, True),
        ({"flag": False}, {"flag": True}, False),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, False),
        ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "B"}, {"name": "A", "value": "1"}]}, True),
    ],
)
def test_spelling_and_defaults_are_no_difference(wanted: Object, stored: Object, alike: bool) -> None:
    assert is_like(wanted, stored) is alike
