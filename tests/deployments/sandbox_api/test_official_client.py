"""The official client, over TLS: what our console does and a little more."""

from typing import Any

import pytest
from kubernetes import client as k8s
from kubernetes import watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient

from tests.deployments.sandbox_api.cluster import Cluster
from tests.deployments.sandbox_api.objects import changed, configmap, pod, statefulset


@pytest.fixture
def core(client: Any) -> k8s.CoreV1Api:
    return k8s.CoreV1Api(client)


@pytest.fixture
def apps(client: Any) -> k8s.AppsV1Api:
    return k8s.AppsV1Api(client)


def test_every_kind_can_be_listed_and_read_as_a_model(client: Any) -> None:
    core, network = k8s.CoreV1Api(client), k8s.CustomObjectsApi(client)
    assert k8s.VersionApi(client).get_code().git_version == "v1.37.0+sandbox"
    nodes = core.list_node().items
    assert {node.metadata.name for node in nodes} >= {"gpu-h100-1", "cpu-1"}
    assert k8s.StorageV1Api(client).list_storage_class().items
    assert k8s.NodeV1Api(client).list_runtime_class().items[0].handler == "nvidia"
    groups = {group.name for group in k8s.ApisApi(client).get_api_versions().groups}
    assert {"apps", "autoscaling", "gateway.networking.k8s.io", "metrics.k8s.io"} <= groups
    definitions = k8s.ApiextensionsV1Api(client).list_custom_resource_definition().items
    assert "httproutes.gateway.networking.k8s.io" in {found.metadata.name for found in definitions}
    services = k8s.ApiregistrationV1Api(client).list_api_service().items
    metrics = next(found for found in services if found.metadata.name == "v1beta1.metrics.k8s.io")
    assert [(each.type, each.status) for each in metrics.status.conditions] == [("Available", "True")]
    assert len(network.list_cluster_custom_object("metrics.k8s.io", "v1beta1", "nodes")["items"]) == len(
        nodes
    )
    assert network.list_cluster_custom_object("gateway.networking.k8s.io", "v1", "gateways")["items"]


def test_an_object_is_created_read_changed_and_deleted(core: k8s.CoreV1Api, namespace: str) -> None:
    made = core.create_namespaced_config_map(namespace, configmap(a="1"))
    assert (made.data, made.metadata.namespace) == ({"a": "1"}, namespace)
    made.data = {"a": "2"}
    after = core.replace_namespaced_config_map("settings", namespace, made)
    assert int(after.metadata.resource_version) > int(made.metadata.resource_version)
    assert core.patch_namespaced_config_map("settings", namespace, {"data": {"b": "3"}}).data == {
        "a": "2",
        "b": "3",
    }
    assert core.delete_namespaced_config_map("settings", namespace)["status"] == "Success"
    with pytest.raises(ApiException) as missing:
        core.read_namespaced_config_map("settings", namespace)
    assert (missing.value.status, '"NotFound"' in missing.value.body) == (404, True)


def test_a_write_on_an_old_version_is_a_conflict(core: k8s.CoreV1Api, namespace: str) -> None:
    made = core.create_namespaced_config_map(namespace, configmap())
    core.patch_namespaced_config_map("settings", namespace, {"data": {"b": "1"}})
    with pytest.raises(ApiException) as conflict:
        core.replace_namespaced_config_map("settings", namespace, made)
    assert conflict.value.status == 409
    assert "the object has been modified" in conflict.value.body


def test_a_second_object_of_one_name_already_exists(core: k8s.CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, configmap())
    with pytest.raises(ApiException) as taken:
        core.create_namespaced_config_map(namespace, configmap())
    assert (taken.value.status, '"AlreadyExists"' in taken.value.body) == (409, True)


def test_server_side_apply_creates_then_says_nothing_new_then_conflicts(
    client: Any, apps: k8s.AppsV1Api, namespace: str
) -> None:
    dynamic = DynamicClient(client)
    resource = dynamic.resources.get(api_version="apps/v1", kind="StatefulSet")

    def apply(body: Any, **options: Any) -> Any:
        return dynamic.server_side_apply(
            resource, body=body, namespace=namespace, name="engine", field_manager="slipway", **options
        )

    first = apply(statefulset(replicas=1))
    again = apply(statefulset(replicas=1))
    assert first.metadata.resourceVersion == again.metadata.resourceVersion
    apps.patch_namespaced_stateful_set_scale("engine", namespace, {"spec": {"replicas": 3}})
    with pytest.raises(ApiException) as conflict:
        apply(statefulset(replicas=1))
    assert (conflict.value.status, ".spec.replicas" in str(conflict.value.body)) == (409, True)
    without = apply(statefulset())
    assert without.spec.replicas == 3
    forced = apply(statefulset(replicas=1), force_conflicts=True)
    assert (forced.spec.replicas, forced.metadata.generation) == (1, 3)


def test_a_dry_run_checks_everything_and_stores_nothing(apps: k8s.AppsV1Api, namespace: str) -> None:
    shown = apps.create_namespaced_stateful_set(namespace, statefulset(), dry_run="All")
    assert shown.spec.replicas == 1
    with pytest.raises(ApiException) as refused:
        apps.create_namespaced_stateful_set(namespace, statefulset("UPPER"), dry_run="All")
    assert refused.value.status == 422
    assert apps.list_namespaced_stateful_set(namespace).items == []


def test_scale_and_status_are_subresources(apps: k8s.AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_stateful_set(namespace, statefulset())
    apps.patch_namespaced_stateful_set_scale("engine", namespace, {"spec": {"replicas": 5}})
    scale = apps.read_namespaced_stateful_set_scale("engine", namespace)
    assert (scale.spec.replicas, scale.status.selector) == (5, "app=engine")
    change = {"spec": {"replicas": 9}, "status": {"replicas": 2, "readyReplicas": 1}}
    apps.patch_namespaced_stateful_set_status("engine", namespace, change)
    found = apps.read_namespaced_stateful_set("engine", namespace)
    assert (found.spec.replicas, found.status.ready_replicas, found.metadata.generation) == (5, 1, 2)
    apps.patch_namespaced_stateful_set("engine", namespace, {"status": {"readyReplicas": 7}})
    assert apps.read_namespaced_stateful_set("engine", namespace).status.ready_replicas == 1


def test_lists_come_in_pages_and_by_selector(core: k8s.CoreV1Api, namespace: str) -> None:
    for number in range(5):
        body = changed(configmap(f"c{number}"), "metadata.labels", {"even": str(number % 2 == 0).lower()})
        core.create_namespaced_config_map(namespace, body)
    first = core.list_namespaced_config_map(namespace, limit=2)
    assert first.metadata.remaining_item_count == 3
    second = core.list_namespaced_config_map(namespace, limit=2, _continue=first.metadata._continue)
    third = core.list_namespaced_config_map(namespace, limit=2, _continue=second.metadata._continue)
    pages = [[item.metadata.name for item in page.items] for page in (first, second, third)]
    assert pages == [["c0", "c1"], ["c2", "c3"], ["c4"]]
    assert third.metadata._continue is None
    assert len(core.list_namespaced_config_map(namespace, label_selector="even=true").items) == 3
    assert len(core.list_namespaced_config_map(namespace, field_selector="metadata.name=c3").items) == 1


def test_a_collection_is_deleted_by_selector(core: k8s.CoreV1Api, namespace: str) -> None:
    for name in ("keep", "drop"):
        core.create_namespaced_config_map(
            namespace, changed(configmap(name), "metadata.labels", {"name": name})
        )
    core.delete_collection_namespaced_config_map(namespace, label_selector="name=drop")
    assert [item.metadata.name for item in core.list_namespaced_config_map(namespace).items] == ["keep"]


def test_generated_names_differ(core: k8s.CoreV1Api, namespace: str) -> None:
    body = {"metadata": {"generateName": "made-"}}
    made = {core.create_namespaced_config_map(namespace, body).metadata.name for _time in range(3)}
    assert len(made) == 3
    assert all(name.startswith("made-") for name in made)


def test_a_watch_tells_what_happens_after_the_list(core: k8s.CoreV1Api, namespace: str) -> None:
    version = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.create_namespaced_config_map(namespace, configmap())
    core.patch_namespaced_config_map("settings", namespace, {"data": {"b": "1"}})
    core.delete_namespaced_config_map("settings", namespace)
    stream = watch.Watch().stream(
        core.list_namespaced_config_map, namespace, resource_version=version, timeout_seconds=1
    )
    assert [event["type"] for event in stream] == ["ADDED", "MODIFIED", "DELETED"]


def test_we_may_do_everything_and_are_told_so(client: Any) -> None:
    attributes = {"verb": "create", "resource": "statefulsets", "group": "apps", "namespace": "models"}
    review = k8s.AuthorizationV1Api(client).create_self_subject_access_review(
        {"spec": {"resourceAttributes": attributes}}
    )
    assert review.status.allowed is True


def test_a_pod_that_never_started_has_no_log(core: k8s.CoreV1Api, namespace: str) -> None:
    core.create_namespaced_pod(namespace, pod())
    with pytest.raises(ApiException) as refused:
        core.read_namespaced_pod_log("pod", namespace)
    assert refused.value.status == 400
    with pytest.raises(ApiException) as other:
        core.read_namespaced_pod_log("pod", namespace, container="gone")
    assert "container gone is not valid for pod pod" in other.value.body


def test_a_wrong_token_is_refused_everywhere_but_for_health(api: Cluster) -> None:
    assert api.ask("GET", "/api/v1/pods", token="wrong")[0] == 401
    assert api.ask("POST", "/sandbox/faults", {"status": 500}, token="wrong")[0] == 401
    assert api.ask("GET", "/healthz", token="wrong")[:2] == (200, "ok")
