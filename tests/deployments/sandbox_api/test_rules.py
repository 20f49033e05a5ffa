"""What the server refuses before it stores anything, and what it fills in."""

from typing import Any

import pytest

from deployments.sandbox.api.errors import ApiError
from tests.deployments.sandbox_api import objects
from tests.deployments.sandbox_api.objects import changed, claim, configmap, pod, statefulset, store

ENGINE = "spec.template.spec.containers.0"
HPA = {
    "metadata": {"name": "a"},
    "spec": {
        "maxReplicas": 2,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "a"},
    },
}
SERVICE = {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}


def refusal(plural: str, obj: dict[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as found:
        store().create(plural, "models", obj)
    return found.value


@pytest.mark.parametrize(
    ("plural", "obj", "field"),
    [
        ("configmaps", configmap("UPPER"), "metadata.name"),
        ("configmaps", configmap("-a"), "metadata.name"),
        ("configmaps", configmap("a" * 254), "metadata.name"),
        ("configmaps", changed(configmap(), "metadata.name", ""), "metadata.name"),
        ("configmaps", changed(configmap(), "metadata.labels", {"a": "b/c"}), "metadata.labels"),
        ("configmaps", changed(configmap(), "metadata.labels", {"a": "x" * 64}), "metadata.labels"),
        ("configmaps", changed(configmap(), "metadata.labels", {"a b": "c"}), "metadata.labels"),
        (
            "configmaps",
            changed(configmap(), "metadata.annotations", {"a": "x" * 270_000}),
            "metadata.annotations",
        ),
        ("configmaps", configmap(a="x" * 1_100_000), "data"),
        ("secrets", {"metadata": {"name": "a"}, "data": {"a": "%%%"}}, "data[a]"),
        ("services", changed(SERVICE, "metadata.name", "1a"), "metadata.name"),
        ("services", changed(SERVICE, "spec.ports", []), "spec.ports"),
        ("services", changed(SERVICE, "spec.ports.0.port", 70_000), "spec.ports[0].port"),
        ("services", changed(SERVICE, "spec.ports.0.protocol", "HTTP"), "spec.ports[0].protocol"),
        ("services", changed(SERVICE, "spec.ports", [{"port": 1}, {"port": 2}]), "spec.ports[0].name"),
        (
            "statefulsets",
            changed(statefulset(), "spec.selector.matchLabels", {"app": "other"}),
            "spec.template.metadata.labels",
        ),
        ("statefulsets", changed(statefulset(), "spec.selector", {}), "spec.selector"),
        ("statefulsets", statefulset(replicas=-1), "spec.replicas"),
        ("statefulsets", statefulset(podManagementPolicy="Sometimes"), "spec.podManagementPolicy"),
        (
            "statefulsets",
            changed(statefulset(), f"{ENGINE}.image", None),
            "spec.template.spec.containers[0].image",
        ),
        (
            "statefulsets",
            changed(statefulset(), f"{ENGINE}.name", "A_B"),
            "spec.template.spec.containers[0].name",
        ),
        (
            "statefulsets",
            changed(statefulset(), f"{ENGINE}.resources", {"limits": {"memory": "1Gb"}}),
            "spec.template.spec.containers[0].resources.limits[memory]",
        ),
        (
            "statefulsets",
            changed(statefulset(), f"{ENGINE}.resources", {"limits": {"cpu": "-1"}}),
            "spec.template.spec.containers[0].resources.limits[cpu]",
        ),
        (
            "statefulsets",
            changed(statefulset(), f"{ENGINE}.resources", {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
            "spec.template.spec.containers[0].resources.requests",
        ),
        (
            "statefulsets",
            changed(statefulset(), f"{ENGINE}.resources", {"requests": {"nvidia.com/gpu": "1"}}),
            "spec.template.spec.containers[0].resources.limits",
        ),
        (
            "statefulsets",
            changed(statefulset(), f"{ENGINE}.resources", {"limits": {"nvidia.com/gpu": "500m"}}),
            "spec.template.spec.containers[0].resources.limits[nvidia.com/gpu]",
        ),
        (
            "statefulsets",
            changed(statefulset(), f"{ENGINE}.volumeMounts", [{"name": "gone", "mountPath": "/x"}]),
            "spec.template.spec.containers[0].volumeMounts[0].name",
        ),
        (
            "statefulsets",
            changed(statefulset(), f"{ENGINE}.env", [{"name": "A=B", "value": "1"}]),
            "spec.template.spec.containers[0].env[0].name",
        ),
        (
            "statefulsets",
            changed(
                statefulset(), f"{ENGINE}.ports", [{"containerPort": 80, "name": "a-name-too-long-to-be"}]
            ),
            "spec.template.spec.containers[0].ports[0].name",
        ),
        (
            "statefulsets",
            changed(statefulset(), f"{ENGINE}.startupProbe", {"httpGet": {"port": 80}, "periodSeconds": -1}),
            "spec.template.spec.containers[0].startupProbe.periodSeconds",
        ),
        (
            "statefulsets",
            statefulset(volumeClaimTemplates=[claim(size="ten")]),
            "spec.volumeClaimTemplates[0].spec.resources[storage]",
        ),
        ("persistentvolumeclaims", claim(size="0"), "spec.resources[storage]"),
        ("persistentvolumeclaims", claim(accessModes=["Anywhere"]), "spec.accessModes"),
        ("horizontalpodautoscalers", changed(HPA, "spec.minReplicas", 3), "spec.maxReplicas"),
        ("horizontalpodautoscalers", changed(HPA, "spec.minReplicas", 0), "spec.minReplicas"),
        (
            "horizontalpodautoscalers",
            changed(HPA, "spec.scaleTargetRef.name", ""),
            "spec.scaleTargetRef.name",
        ),
        ("httproutes", {"metadata": {"name": "a"}, "spec": {"hostnames": ["a*b"]}}, "spec.hostnames[0]"),
        ("resourcequotas", {"metadata": {"name": "a"}, "spec": {"hard": {"cpu": "many"}}}, "spec.hard[cpu]"),
    ],
)
def test_a_wrong_field_is_named_in_the_refusal(plural: str, obj: dict[str, Any], field: str) -> None:
    found = refusal(plural, obj)
    assert (found.status, found.reason) == (422, "Invalid")
    assert field in [cause["field"] for cause in found.body()["details"]["causes"]]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.serviceName", "other"),
        ("spec.podManagementPolicy", "Parallel"),
        ("spec.selector.matchLabels", {"app": "engine", "more": "x"}),
        ("spec.volumeClaimTemplates", [claim()]),
    ],
)
def test_what_of_a_stateful_set_may_not_change_does_not(path: str, value: Any) -> None:
    known = store()
    labels = {"app": "engine", "more": "x"}
    made = known.create(
        "statefulsets", "models", changed(statefulset(), "spec.template.metadata.labels", labels)
    )
    with pytest.raises(ApiError) as found:
        known.replace("statefulsets", made, changed(made, path, value))
    assert found.value.status == 422
    assert "updates to statefulset spec for fields other than" in found.value.message


def test_what_of_a_stateful_set_may_change_does() -> None:
    known = store()
    made = known.create("statefulsets", "models", statefulset())
    after = known.replace(
        "statefulsets", made, changed(changed(made, "spec.replicas", 4), f"{ENGINE}.image", "b:2")
    )
    assert (after["spec"]["replicas"], after["metadata"]["generation"]) == (4, 2)


def test_a_volume_grows_only_where_its_class_allows_it() -> None:
    known = store()
    known.create("storageclasses", None, {"metadata": {"name": "slow"}, "provisioner": "x"})
    known.create(
        "storageclasses",
        None,
        {"metadata": {"name": "fast"}, "provisioner": "x", "allowVolumeExpansion": True},
    )
    size = "spec.resources.requests.storage"
    fixed = known.create("persistentvolumeclaims", "models", claim("a", storageClassName="slow"))
    elastic = known.create("persistentvolumeclaims", "models", claim("b", storageClassName="fast"))
    with pytest.raises(ApiError) as refused:
        known.replace("persistentvolumeclaims", fixed, changed(fixed, size, "20Gi"))
    with pytest.raises(ApiError) as shrunk:
        known.replace("persistentvolumeclaims", elastic, changed(elastic, size, "5Gi"))
    grown = known.replace("persistentvolumeclaims", elastic, changed(elastic, size, "20Gi"))
    assert (refused.value.status, shrunk.value.status) == (403, 422)
    assert grown["spec"]["resources"]["requests"]["storage"] == "20Gi"


def test_a_pod_of_a_runtime_class_that_is_not_there_is_refused() -> None:
    found = refusal("pods", pod(runtimeClassName="nvidia"))
    assert (found.status, 'RuntimeClass "nvidia" not found' in found.message) == (403, True)


def test_nothing_is_created_in_a_namespace_that_is_not_there() -> None:
    with pytest.raises(ApiError) as found:
        store().create("configmaps", "nowhere", configmap())
    assert (found.value.status, found.value.message) == (404, 'namespaces "nowhere" not found')


def test_the_server_fills_in_what_was_left_out() -> None:
    known = store()
    made = known.create("statefulsets", "models", statefulset())
    assert made["spec"]["replicas"] == 1
    assert made["spec"]["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    }
    assert made["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    secret = known.create("secrets", "models", {"metadata": {"name": "a"}, "stringData": {"token": "abc"}})
    assert (secret["data"], secret["type"], "stringData" in secret) == ({"token": "YWJj"}, "Opaque", False)
    limits = {"limits": {"nvidia.com/gpu": "1", "cpu": "1"}}
    running = known.create("pods", "models", pod(containers=[objects.container(resources=limits)]))
    assert running["spec"]["containers"][0]["resources"]["requests"] == limits["limits"]


def test_services_get_addresses_of_their_own_unless_they_are_headless() -> None:
    known = store()
    first = known.create("services", "models", SERVICE)
    second = known.create("services", "models", changed(SERVICE, "metadata.name", "b"))
    headless = known.create(
        "services", "models", changed(changed(SERVICE, "metadata.name", "c"), "spec.clusterIP", "None")
    )
    assert first["spec"]["clusterIP"] != second["spec"]["clusterIP"]
    assert headless["spec"]["clusterIPs"] == ["None"]
