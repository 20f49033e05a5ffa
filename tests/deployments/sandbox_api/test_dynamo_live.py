"""Dynamo and KEDA as a person meets them: kubectl and the official client against the sandbox's process."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import yaml
from kubernetes import client, config

from console.management.commands.seed import SANDBOX_PROMETHEUS
from deployments.kube import kubeconfig
from deployments.kube.probe import probe
from deployments.manifests import render
from deployments.sandbox.operators import prometheus
from deployments.vocabulary import DynamoMode
from tests.deployments.manifests.dynamo_cases import given
from tests.deployments.manifests.dynamo_cases import graph as spec_of
from tests.deployments.sandbox_api.cluster import Cluster, eventually

_NAME = "md-qwen--graph"
_BETA, _ALPHA = "/apis/nvidia.com/v1beta1", "/apis/nvidia.com/v1alpha1"
_APPLY = "application/apply-patch+yaml"
_GRAPH: dict[str, Any] = {
    "apiVersion": "nvidia.com/v1beta1",
    "kind": "DynamoGraphDeployment",
    "metadata": {"name": "md-a"},
    "spec": {
        "backendFramework": "vllm",
        "components": [
            {"name": "Frontend", "type": "frontend", "replicas": 1},
            {"name": "Worker", "type": "worker", "replicas": 2},
        ],
    },
}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with an operator of before v1beta1, and without KEDA."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_DYNAMO", "v1alpha1")
        patch.setenv("SANDBOX_KEDA", "0")
        cluster = Cluster(tmp_path_factory.mktemp("old") / "data", "--no-controllers")
    yield cluster
    assert cluster.end() == 0


def graphs(namespace: str, version: str = _BETA) -> str:
    return f"{version}/namespaces/{namespace}/dynamographdeployments"


def made(**spec: Any) -> dict[str, Any]:
    wanted = copy.deepcopy(_GRAPH)
    wanted["spec"] |= spec
    return wanted


def applied(cluster: Cluster, namespace: str, wanted: dict[str, Any], version: str = _BETA) -> Any:
    path = f"{graphs(namespace, version)}/{wanted['metadata']['name']}?fieldManager=slipway&force=true"
    return cluster.ask("PATCH", path, wanted, content_type=_APPLY)


def test_both_versions_are_told_with_the_newer_one_preferred(api: Cluster) -> None:
    group = api.ask("GET", "/apis/nvidia.com")[1]
    assert [each["version"] for each in group["versions"]] == ["v1beta1", "v1alpha1"]
    assert group["preferredVersion"]["version"] == "v1beta1"
    names = [each["name"] for each in api.ask("GET", _BETA)[1]["resources"]]
    assert "dynamographdeploymentscalingadapters/scale" in names
    crd = json.loads(api.kubectl("get", "crd", "dynamographdeployments.nvidia.com", "-o", "json"))
    assert [(each["name"], each["storage"]) for each in crd["spec"]["versions"]] == [
        ("v1beta1", True),
        ("v1alpha1", False),
    ]


def test_an_older_operator_serves_the_older_version_alone(old: Cluster) -> None:
    group = old.ask("GET", "/apis/nvidia.com")[1]
    assert [each["version"] for each in group["versions"]] == ["v1alpha1"]
    assert old.ask("GET", _BETA)[0] == 404
    assert old.ask("GET", "/apis/keda.sh/v1alpha1")[0] == 404
    assert old.ask("GET", f"{_BETA}/namespaces/default/dynamographdeployments")[0] == 404
    status, _made, headers = old.ask(
        "POST",
        f"{_ALPHA}/namespaces/default/dynamographdeployments",
        {
            "apiVersion": "nvidia.com/v1alpha1",
            "kind": "DynamoGraphDeployment",
            "metadata": {"name": "md-a"},
            "spec": {"services": {"Frontend": {"componentType": "frontend"}}},
        },
    )
    assert status == 201
    assert "is deprecated" in headers["warning"]


def test_the_console_finds_the_add_ons(api: Cluster, old: Cluster) -> None:
    def seen(cluster: Cluster) -> tuple[tuple[str, ...], bool]:
        credentials = kubeconfig.read(cluster.kubeconfig.read_text())
        addons = probe(credentials).addons
        return addons.dynamo_versions, addons.keda

    assert seen(api) == (("v1alpha1", "v1beta1"), True)
    assert seen(old) == (("v1alpha1",), False)


def test_an_object_is_read_in_either_version(api: Cluster, namespace: str) -> None:
    status, _body, _headers = applied(api, namespace, made())
    assert status == 201
    alpha = api.ask("GET", f"{graphs(namespace, _ALPHA)}/md-a")[1]
    assert alpha["apiVersion"] == "nvidia.com/v1alpha1"
    assert alpha["spec"]["services"]["Worker"] == {"componentType": "worker", "replicas": 2}
    (listed,) = api.ask("GET", graphs(namespace, _ALPHA))[1]["items"]
    assert listed["spec"] == alpha["spec"]
    changed = {"spec": {"services": {"Worker": {"replicas": 3}}}}
    merge = "application/merge-patch+json"
    assert api.ask("PATCH", f"{graphs(namespace, _ALPHA)}/md-a", changed, content_type=merge)[0] == 200
    beta = api.ask("GET", f"{graphs(namespace)}/md-a")[1]
    assert {each["name"]: each["replicas"] for each in beta["spec"]["components"]} == {
        "Frontend": 1,
        "Worker": 3,
    }
    assert beta["metadata"]["generation"] == 2


def test_applying_twice_writes_nothing(api: Cluster, namespace: str) -> None:
    first = applied(api, namespace, made())[1]
    status, second, _headers = applied(api, namespace, made())
    assert status == 200
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_what_the_kind_does_not_know_is_pruned_with_a_warning(api: Cluster, namespace: str) -> None:
    status, body, headers = api.ask("POST", graphs(namespace), made(services={"Frontend": {}}))
    assert status == 201
    assert "services" not in body["spec"]
    assert "unknown field" in headers["warning"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"backendFramework": "llama"}, "supported values"),
        ({"components": [{"name": "A"}, {"name": "a"}]}, "must be unique case-insensitively"),
        ({"components": [{"name": f"W{number}"} for number in range(26)]}, "must have at most 25 items"),
        ({"components": [{"name": "no dots."}]}, "should match"),
        ({"components": [{"name": "Worker", "replicas": -1}]}, "greater than or equal to 0"),
        ({"components": []}, "must have at least one component"),
        ({"components": [{"name": "W" * 42}]}, "combined resource name length 46 exceeds the 45-character"),
    ],
)
def test_a_graph_that_may_not_be_is_refused(
    api: Cluster, namespace: str, spec: dict[str, Any], words: str
) -> None:
    status, body, _headers = api.ask("POST", graphs(namespace), made(**spec))
    assert (status, body["reason"]) == (422, "Invalid")
    assert words in body["message"]


def test_what_may_never_change_is_refused_in_the_webhooks_words(api: Cluster, namespace: str) -> None:
    applied(api, namespace, made())
    status, body, _headers = applied(api, namespace, made(backendFramework="sglang"))
    assert status == 422
    assert 'admission webhook "vdynamographdeployment.kb.io" denied the request' in body["message"]
    assert "spec.backendFramework" in body["message"]
    assert "is immutable and cannot be changed after creation" in body["message"]
    parts = _GRAPH["spec"]["components"]
    status, body, _headers = api.ask(
        "PATCH",
        f"{graphs(namespace)}/md-a",
        {"spec": {"components": [*parts, {"name": "Prefill"}]}},
        content_type="application/merge-patch+json",
    )
    assert status == 422
    assert "component topology is immutable" in body["message"]
    assert "components added: [Prefill]" in body["message"]


def test_the_count_behind_an_adapter_is_not_ours_to_change(api: Cluster, namespace: str) -> None:
    parts = copy.deepcopy(_GRAPH["spec"]["components"])
    parts[1]["scalingAdapter"] = {}
    assert applied(api, namespace, made(components=parts))[0] == 201
    parts[1]["replicas"] = 3
    status, body, _headers = applied(api, namespace, made(components=parts))
    assert status == 422
    assert "spec.components[1].replicas: Forbidden: cannot be modified directly" in body["message"]
    del parts[1]["replicas"]
    # Two were ours; without them the count would fall to the default of one.
    assert applied(api, namespace, made(components=parts))[0] == 422


def test_an_adapter_is_scaled_through_its_subresource(api: Cluster, namespace: str) -> None:
    path = f"{_BETA}/namespaces/{namespace}/dynamographdeploymentscalingadapters"
    adapter = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentScalingAdapter",
        "metadata": {"name": "md-a-worker"},
        "spec": {"replicas": 2, "dgdRef": {"name": "md-a", "componentName": "Worker"}},
    }
    assert api.ask("POST", path, adapter)[0] == 201
    api.kubectl("-n", namespace, "scale", "dgdsa/md-a-worker", "--replicas", "4")
    assert api.ask("GET", f"{path}/md-a-worker/scale")[1]["spec"]["replicas"] == 4
    alpha = path.replace("v1beta1", "v1alpha1")
    assert api.ask("GET", f"{alpha}/md-a-worker")[1]["spec"]["dgdRef"]["serviceName"] == "Worker"


def test_two_autoscalers_of_one_workload_are_denied(api: Cluster, namespace: str) -> None:
    target = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "md-a"}
    hpa = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "md-a"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 3},
    }
    path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
    assert api.ask("POST", path, hpa)[0] == 201
    trigger = {"type": "cpu", "metadata": {"value": "70"}}
    scaled = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "md-a"},
        "spec": {"scaleTargetRef": target, "triggers": [trigger]},
    }
    path = f"/apis/keda.sh/v1alpha1/namespaces/{namespace}/scaledobjects"
    status, body, _headers = api.ask("POST", path, scaled)
    assert status == 403
    assert 'admission webhook "vscaledobject.kb.io" denied the request' in body["message"]
    assert "is already managed by the hpa 'md-a'" in body["message"]


def test_a_graph_serves_once_prefill_and_decode_have_registered(
    living: Cluster, living_namespace: str
) -> None:
    context = replace(given(), namespace=living_namespace)
    text = yaml.safe_dump_all(render(spec_of(DynamoMode.DISAGGREGATED), context))
    living.kubectl("-n", living_namespace, "apply", "--server-side", "-f", "-", stdin=text)
    configuration = client.Configuration()
    config.load_kube_config(str(living.kubeconfig), client_configuration=configuration)
    with client.ApiClient(configuration) as connection:
        official = client.CustomObjectsApi(connection)
        place = ("nvidia.com", "v1beta1", living_namespace, "dynamographdeployments", _NAME)

        def state() -> str:
            found = official.get_namespaced_custom_object(*place)
            return str((found.get("status") or {}).get("state"))

        eventually(lambda: state() == "successful")
        selector = "slipway/role=frontend,slipway/deployment=qwen"
        pods = client.CoreV1Api(connection).list_namespaced_pod(living_namespace, label_selector=selector)
        url = pods.items[0].metadata.annotations["sandbox.slipway/engine"]
        models = httpx.get(f"{url}/v1/models").json()["data"]
        assert [model["id"] for model in models] == ["qwen"]
        question = {"model": "qwen", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
        answer = httpx.post(f"{url}/v1/chat/completions", json=question).json()
        assert answer["usage"]["completion_tokens"] > 0
        table = living.kubectl("-n", living_namespace, "get", "dgd", _NAME, "--no-headers").split()
        assert table[:3] == [_NAME, "True", "vllm"]
        official.delete_namespaced_custom_object(*place)
    living.kubectl("-n", living_namespace, "delete", "svc", "md-qwen")
    kinds = "dgd,dgdsa,deploy,rs,pods,svc,pvc"
    eventually(lambda: not living.kubectl("-n", living_namespace, "get", kinds, "-o", "name").split())


def test_the_example_names_the_prometheus_that_the_sandbox_has() -> None:
    assert SANDBOX_PROMETHEUS == prometheus.ADDRESS
