"""The NIM Operator: what it makes of a NIMService, what it says, what it removes and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployments.sandbox.settings import Settings
from tests.deployments.manifests.nim_cases import CONTEXT, SCALING, given, operated
from tests.deployments.sandbox_controllers import nims
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster

_NAME = nims.WORKLOAD
_ENGINE = operated().engine


def _get(cluster: Cluster, plural: str, name: str = _NAME) -> dict[str, Any]:
    found = cluster.store.get(plural, NAMESPACE, name)
    assert found is not None, f"there is no {name} among the {plural}"
    return found


def _status(cluster: Cluster) -> dict[str, Any]:
    return dict(_get(cluster, "nimservices").get("status") or {})


def _condition(cluster: Cluster, kind: str) -> dict[str, Any]:
    return next(dict(each) for each in _status(cluster)["conditions"] if each["type"] == kind)


def _change(cluster: Cluster, **spec: Any) -> None:
    """Edit the NIMService; None takes a field away."""

    def change(live: dict[str, Any]) -> None:
        live["spec"] |= spec
        live["spec"] = {field: value for field, value in live["spec"].items() if value is not None}

    cluster.store.update("nimservices", NAMESPACE, _NAME, change)


def test_it_makes_everything_under_the_same_name_and_says_when_it_serves(cluster: Cluster) -> None:
    nims.apply_case(cluster, "nim-operator")
    cluster.advance(1)
    assert _status(cluster)["state"] == "NotReady"
    cluster.advance(200)
    uid = _get(cluster, "nimservices")["metadata"]["uid"]
    (claim,) = cluster.store.list("persistentvolumeclaims", NAMESPACE)
    for child in (_get(cluster, "deployments"), _get(cluster, "services"), claim):
        assert [owner["uid"] for owner in child["metadata"]["ownerReferences"]] == [uid]
    service = _get(cluster, "services")["spec"]
    assert (service["selector"], service["ports"][0]["port"]) == ({"app": _NAME}, 8000)
    strategy = _get(cluster, "deployments")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 0, "maxUnavailable": "25%"}
    assert _status(cluster)["state"] == "Ready"
    assert _status(cluster)["model"]["name"] == "llama-8b"
    assert _condition(cluster, "Ready")["message"] == f'deployment "{_NAME}" successfully rolled out\n'
    assert _condition(cluster, "Failed")["status"] == "False"
    assert cluster.events(_NAME, "Ready")


def test_labels_of_the_spec_reach_the_pods_but_never_replace_its_own(cluster: Cluster) -> None:
    nims.apply_case(cluster, "nim-operator")
    cluster.advance(60)
    labels = cluster.pod(cluster.pods()[0])["metadata"]["labels"]
    assert labels["slipway/deployment"] == "llama-8b"
    assert labels["slipway/template"]
    assert labels["app"] == _NAME
    assert labels["app.kubernetes.io/managed-by"] == "k8s-nim-operator"
    (claim,) = cluster.store.list("persistentvolumeclaims", NAMESPACE)
    assert "slipway/deployment" not in claim["metadata"]["labels"]


def test_a_broken_tag_stays_not_ready_and_is_never_failed(cluster: Cluster) -> None:
    nims.apply(cluster, operated(), CONTEXT)
    cluster.advance(200)
    before = cluster.pods()
    # Without a surge the only pod goes first: the operator keeps nothing serving.
    nims.apply(cluster, operated(engine=replace(_ENGINE, tag="9.9.9")), CONTEXT)
    cluster.advance(900)
    assert cluster.waiting(cluster.pods()[0])[0] == "ImagePullBackOff"
    assert not set(before) & set(cluster.pods())
    assert _status(cluster)["state"] == "NotReady"
    assert _condition(cluster, "Ready")["message"] == f'deployment "{_NAME}" exceeded its progress deadline'
    assert _condition(cluster, "Failed")["status"] == "False"
    nims.apply(cluster, operated(), CONTEXT)
    cluster.advance(200)
    assert _status(cluster)["state"] == "Ready"


def test_a_key_that_ngc_refuses_is_told_by_the_pod_alone(cluster: Cluster) -> None:
    nims.apply(cluster, operated(), given(ngc_key="nvapi-invalid"))
    cluster.advance(60)
    assert "403 Forbidden" in cluster.waiting(cluster.pods()[0])[1]
    assert _status(cluster)["state"] == "NotReady"


def test_a_missing_key_secret_keeps_the_container_from_starting(cluster: Cluster) -> None:
    nims.apply(cluster, operated(), CONTEXT)
    _change(cluster, authSecret="nowhere")
    cluster.advance(60)
    assert cluster.waiting(cluster.pods()[0]) == ("CreateContainerConfigError", 'secret "nowhere" not found')


def test_an_autoscaler_owns_the_replicas_until_it_is_switched_off(cluster: Cluster) -> None:
    nims.apply(cluster, operated(autoscaling=SCALING), CONTEXT)
    cluster.advance(200)
    target = _get(cluster, "horizontalpodautoscalers")["spec"]["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": _NAME}
    cluster.store.update("deployments", NAMESPACE, _NAME, lambda live: live["spec"].update(replicas=3))
    _change(cluster, env=[{"name": "NIM_LOG_LEVEL", "value": "DEBUG"}])
    cluster.advance(5)
    assert _get(cluster, "deployments")["spec"]["replicas"] == 3
    _change(cluster, scale=None, replicas=1)
    cluster.advance(200)
    assert cluster.store.get("horizontalpodautoscalers", NAMESPACE, _NAME) is None
    assert len(cluster.pods()) == 1


def test_load_on_the_pods_makes_more_of_them(cluster: Cluster) -> None:
    nims.apply(cluster, operated(autoscaling=replace(SCALING, min_replicas=1, threshold=50)), CONTEXT)
    cluster.advance(200)
    (pod,) = cluster.pods()
    annotation = {"sandbox.slipway/cpu-load": "7"}
    cluster.store.update(
        "pods", NAMESPACE, pod, lambda live: live["metadata"].setdefault("annotations", {}).update(annotation)
    )
    cluster.advance(400)
    assert len(cluster.pods()) > 1
    assert _get(cluster, "deployments")["spec"]["replicas"] == len(cluster.pods())
    assert _status(cluster)["state"] == "Ready"


def test_a_count_that_somebody_changed_is_set_back_and_other_changes_stay(cluster: Cluster) -> None:
    nims.apply(cluster, operated(), CONTEXT)
    cluster.advance(200)

    def meddle(live: dict[str, Any]) -> None:
        live["spec"]["replicas"] = 2
        live["spec"]["minReadySeconds"] = 7

    cluster.store.update("deployments", NAMESPACE, _NAME, meddle)
    cluster.advance(5)
    assert _get(cluster, "deployments")["spec"]["replicas"] == 1
    cluster.store.update("deployments", NAMESPACE, _NAME, lambda live: live["spec"].update(minReadySeconds=7))
    cluster.advance(5)
    assert _get(cluster, "deployments")["spec"]["minReadySeconds"] == 7


def test_a_route_of_its_name_is_removed_whoever_made_it(cluster: Cluster) -> None:
    nims.apply_case(cluster, "nim-operator-gateway-route")
    route = {"metadata": {"name": _NAME}, "spec": {"hostnames": ["llm.example.com"]}}
    cluster.store.create("httproutes", NAMESPACE, route)
    cluster.advance(5)
    assert cluster.store.get("httproutes", NAMESPACE, _NAME) is None
    assert len(cluster.store.list("httproutes", NAMESPACE)) == 1


@pytest.mark.parametrize(
    ("storage", "state", "message"),
    [
        ({"nimCache": {"name": "cached"}}, "Failed", "NIMCache cached not found"),
        ({}, "", "neither external PVC name"),
        ({"pvc": {"create": True, "size": "9Gi", "volumeAccessMode": ""}}, "", "accessModes"),
    ],
)
def test_storage_that_cannot_be_is_a_failure(
    cluster: Cluster, storage: dict[str, Any], state: str, message: str
) -> None:
    nims.apply(cluster, operated(), CONTEXT)
    _change(cluster, storage=storage)
    cluster.advance(10)
    assert _status(cluster).get("state", "") == state
    assert any(message in told for told in cluster.events(_NAME, "Failed"))
    assert cluster.pods() == []


def test_scaled_down_is_not_ready(cluster: Cluster) -> None:
    nims.apply_case(cluster, "nim-operator-stopped")
    cluster.advance(30)
    assert cluster.pods() == []
    assert _condition(cluster, "Ready")["message"] == f'deployment "{_NAME}" is scaled down'


def test_deleting_it_leaves_nothing_of_what_it_made(cluster: Cluster) -> None:
    nims.apply(cluster, operated(autoscaling=SCALING), CONTEXT)
    cluster.advance(200)
    cluster.store.delete("nimservices", NAMESPACE, _NAME)
    cluster.advance(120)
    left = {
        plural
        for plural, obj in cluster.store.everything()
        if obj["metadata"].get("namespace") == NAMESPACE and plural not in ("events", "secrets")
    }
    assert left == set()
    assert cluster.store.list("persistentvolumes") == []


def test_without_the_operator_nothing_happens() -> None:
    cluster = Cluster(Settings(nim_operator=False))
    nims.apply(cluster, operated(), CONTEXT)
    cluster.advance(30)
    assert cluster.pods() == []
    assert _status(cluster) == {}
