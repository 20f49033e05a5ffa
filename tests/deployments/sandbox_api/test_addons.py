"""What the cluster offers beside Kubernetes itself: the NIM Operator's kind, and an ingress class."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from deployments.kube import kubeconfig
from deployments.kube.probe import probe
from deployments.sandbox.settings import read_settings
from tests.deployments.sandbox_api.cluster import Cluster

GROUP = "/apis/apps.nvidia.com/v1alpha1"
SERVICE: dict[str, Any] = {
    "apiVersion": "apps.nvidia.com/v1alpha1",
    "kind": "NIMService",
    "metadata": {"name": "llama"},
    "spec": {
        "image": {"repository": "nvcr.io/nim/meta/llama-3.1-8b-instruct", "tag": "2.0.5"},
        "authSecret": "ngc",
        "replicas": 1,
    },
}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster on which nobody has installed the NIM Operator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_NIM_OPERATOR", "0")
        cluster = Cluster(tmp_path_factory.mktemp("bare") / "data", "--no-controllers")
    yield cluster
    assert cluster.end() == 0


def service(**spec: Any) -> dict[str, Any]:
    """The example with other fields; None leaves one out."""
    made = copy.deepcopy(SERVICE)
    made["spec"] |= spec
    made["spec"] = {key: value for key, value in made["spec"].items() if value is not None}
    return made


def services(namespace: str) -> str:
    return f"{GROUP}/namespaces/{namespace}/nimservices"


def test_the_group_is_told_with_its_definition(api: Cluster) -> None:
    groups = {each["name"] for each in api.ask("GET", "/apis")[1]["groups"]}
    assert "apps.nvidia.com" in groups
    names = [each["name"] for each in api.ask("GET", GROUP)[1]["resources"]]
    assert names == ["nimservices", "nimservices/status"]
    found = api.kubectl("get", "crd", "nimservices.apps.nvidia.com", "-o", "jsonpath={.spec.names.kind}")
    assert found == "NIMService"


def test_without_the_operator_nobody_knows_its_kind(bare: Cluster) -> None:
    groups = {each["name"] for each in bare.ask("GET", "/apis")[1]["groups"]}
    assert "apps.nvidia.com" not in groups
    assert "gateway.networking.k8s.io" in groups
    assert bare.ask("GET", GROUP)[0] == 404
    assert bare.ask("GET", f"{GROUP}/nimservices")[0] == 404
    assert bare.ask("POST", services("models"), SERVICE)[0] == 404
    assert "NotFound" in bare.kubectl("get", "crd", "nimservices.apps.nvidia.com", check=False)


def test_the_consoles_check_tells_whether_the_operator_is_there(api: Cluster, bare: Cluster) -> None:
    with_it = probe(kubeconfig.read(api.kubeconfig.read_text())).addons
    without = probe(kubeconfig.read(bare.kubeconfig.read_text())).addons
    assert (with_it.nim, without.nim) == (True, False)
    assert (with_it.gateway_api, without.gateway_api) == (True, True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"authSecret": None}, "spec.authSecret: Required value"),
        ({"image": None}, "spec.image: Required value"),
        ({"image": {"repository": "nvcr.io/nim/meta/a"}}, "spec.image.tag: Required value"),
        ({"replicas": -1}, "spec.replicas in body should be greater than or equal to 0"),
        ({"inferencePlatform": "ray"}, 'supported values: "kserve", "standalone"'),
        ({"expose": {"service": {"port": 70_000}}}, "should be less than or equal to 65535"),
        (
            {"scale": {"enabled": True, "hpa": {"maxReplicas": 2}}},
            "spec.replicas cannot be set when spec.scale.enabled is true",
        ),
    ],
)
def test_what_the_definition_forbids_is_refused(
    api: Cluster, namespace: str, changes: dict[str, Any], sentence: str
) -> None:
    status, body, _headers = api.ask("POST", services(namespace), service(**changes))
    assert status == 422
    assert sentence in body["message"]
    assert 'NIMService.apps.nvidia.com "llama" is invalid' in body["message"]


def test_unknown_fields_are_dropped_and_defaults_filled_in(api: Cluster, namespace: str) -> None:
    odd = service(expose={"service": {}}, gpuCount=3)
    status, body, headers = api.ask("POST", services(namespace), odd)
    assert status == 201
    assert "gpuCount" not in body["spec"]
    assert "unknown field 'spec.gpuCount'" in headers["warning"]
    assert body["spec"]["expose"]["service"]["port"] == 8000
    assert body["spec"]["inferencePlatform"] == "standalone"
    strict = api.ask("POST", services(namespace) + "?fieldValidation=Strict", odd)
    assert strict[0] == 400


def test_an_ingress_class_is_there(api: Cluster) -> None:
    assert api.kubectl("get", "ingressclass", "sandbox", "-o", "name").strip() == (
        "ingressclass.networking.k8s.io/sandbox"
    )
    body = api.ask("GET", "/apis/networking.k8s.io/v1/ingressclasses")[1]
    assert [each["metadata"]["name"] for each in body["items"]] == ["sandbox"]


def test_lists_and_objects_come_as_metadata_alone(api: Cluster, namespace: str) -> None:
    """What drift is read from: who owns which field, without the objects."""
    address = f"/api/v1/namespaces/{namespace}/configmaps"
    assert (
        api.ask("POST", f"{address}?fieldManager=ours", {"metadata": {"name": "a"}, "data": {"k": "v"}})[0]
        == 201
    )
    wanted = "application/json;as={};g=meta.k8s.io;v=v1"
    listed = api.ask("GET", address, headers={"Accept": wanted.format("PartialObjectMetadataList")})[1]
    assert (listed["kind"], listed["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert listed["metadata"]["resourceVersion"]
    (item,) = listed["items"]
    assert set(item) == {"kind", "apiVersion", "metadata"}
    assert [entry["manager"] for entry in item["metadata"]["managedFields"]] == ["ours"]
    single = api.ask("GET", f"{address}/a", headers={"Accept": wanted.format("PartialObjectMetadata")})[1]
    assert single == {**item, "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}


def test_the_forms_of_lists_and_objects_are_not_confused(api: Cluster, namespace: str) -> None:
    address = f"/api/v1/namespaces/{namespace}/configmaps"
    wanted = "application/json;as={};g=meta.k8s.io;v=v1"
    status, body, _headers = api.ask(
        "GET", address, headers={"Accept": wanted.format("PartialObjectMetadata")}
    )
    assert (status, body["reason"]) == (406, "NotAcceptable")
    one = {"Accept": wanted.format("PartialObjectMetadataList")}
    assert api.ask("GET", f"/api/v1/namespaces/{namespace}", headers=one)[0] == 406


def test_a_switch_is_0_or_1() -> None:
    assert read_settings({}).nim_operator
    assert not read_settings({"SANDBOX_NIM_OPERATOR": "0"}).nim_operator
    with pytest.raises(ValueError, match="SANDBOX_NIM_OPERATOR"):
        read_settings({"SANDBOX_NIM_OPERATOR": "maybe"})
