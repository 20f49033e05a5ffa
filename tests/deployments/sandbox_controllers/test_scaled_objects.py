"""KEDA in the sandbox: from an engine's queue to replicas, and what it says when it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.sandbox.operators import keda_rules
from deployments.sandbox.operators.prometheus import ADDRESS
from deployments.sandbox.settings import Settings
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster

_WAITING = f'sum(vllm:num_requests_waiting{{namespace="{NAMESPACE}",model_name="demo"}})'
_QUICK = {"scaleDown": {"stabilizationWindowSeconds": 0}}


def scaled_object(
    *, query: str = _WAITING, address: str = ADDRESS, metric_type: str = "AverageValue", **spec: Any
) -> dict[str, Any]:
    metadata = {"serverAddress": address, "query": query, "threshold": "5", "ignoreNullValues": "false"}
    trigger = {"type": "prometheus", "metricType": metric_type, "metadata": metadata}
    target = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "md-a"}
    return {
        "metadata": {"name": "md-a", "labels": {"slipway/deployment": "a"}},
        "spec": {
            "scaleTargetRef": target,
            "minReplicaCount": 1,
            "maxReplicaCount": 4,
            "pollingInterval": 15,
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _QUICK}},
            "triggers": [trigger],
            **spec,
        },
    }


def queue(cluster: Cluster, waiting: float, running: float = 0, used: float = 0, name: str = "demo") -> None:
    """What every engine's metrics page says from now on."""
    labels = f'engine="0",model_name="{name}"'
    figures = {"num_requests_waiting": waiting, "num_requests_running": running, "kv_cache_usage_perc": used}
    page = "".join(f"vllm:{figure}{{{labels}}} {value}\n" for figure, value in figures.items())
    cluster.engines.pages = {
        f"{pod['metadata']['uid']}/{container['name']}": page
        for pod in cluster.store.list("pods")
        for container in pod["spec"]["containers"]
    }


def serving(cluster: Cluster, **changes: Any) -> None:
    """A StatefulSet that serves, scaled by what its engines say."""
    cluster.add()
    cluster.advance(60)
    queue(cluster, 0)
    cluster.store.create("scaledobjects", NAMESPACE, scaled_object(**changes))
    cluster.advance(20)


def found(cluster: Cluster) -> dict[str, Any]:
    obj = cluster.store.get("scaledobjects", NAMESPACE, "md-a")
    assert obj is not None
    return obj


def hpa(cluster: Cluster) -> dict[str, Any] | None:
    return cluster.store.get("horizontalpodautoscalers", NAMESPACE, "keda-hpa-md-a")


def conditions(cluster: Cluster) -> dict[str, tuple[str, str]]:
    told = found(cluster)["status"]["conditions"]
    return {each["type"]: (each["status"], each.get("reason", "")) for each in told}


def replicas(cluster: Cluster) -> int:
    return int(cluster.set()["spec"]["replicas"])


def test_requests_that_wait_add_replicas_and_their_end_removes_them(cluster: Cluster) -> None:
    serving(cluster)
    assert replicas(cluster) == 1
    queue(cluster, 12)
    cluster.advance(35)
    assert replicas(cluster) == 3
    queue(cluster, 0)
    cluster.advance(60)
    assert replicas(cluster) == 1


def test_the_autoscaler_that_keda_makes_says_whose_it_is(cluster: Cluster) -> None:
    serving(cluster)
    made = hpa(cluster)
    assert made is not None
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "keda-operator"
    assert made["metadata"]["labels"]["slipway/deployment"] == "a"
    assert made["metadata"]["ownerReferences"][0]["kind"] == "ScaledObject"
    assert made["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 0
    metric = made["spec"]["metrics"][0]["external"]
    assert metric["metric"]["name"] == "s0-prometheus"
    assert metric["target"] == {"type": "AverageValue", "averageValue": "5"}
    status = found(cluster)["status"]
    assert (status["hpaName"], status["scaleTargetKind"]) == ("keda-hpa-md-a", "apps/v1.StatefulSet")
    assert found(cluster)["metadata"]["labels"]["scaledobject.keda.sh/name"] == "md-a"


def test_its_conditions_tell_whether_it_is_ready_and_active(cluster: Cluster) -> None:
    serving(cluster)
    assert conditions(cluster)["Ready"] == ("True", "ScaledObjectReady")
    assert conditions(cluster)["Active"] == ("False", "ScalerNotActive")
    assert conditions(cluster)["Fallback"] == ("False", "NoFallbackFound")
    queue(cluster, 1)
    cluster.advance(20)
    assert conditions(cluster)["Active"] == ("True", "ScalerActive")


def test_the_cache_in_use_is_compared_as_it_is(cluster: Cluster) -> None:
    query = f'100 * avg(vllm:kv_cache_usage_perc{{namespace="{NAMESPACE}"}} or vllm:gpu_cache_usage_perc{{}})'
    serving(cluster, query=query, metric_type="Value")
    queue(cluster, 0, used=0.1)
    cluster.advance(20)
    assert replicas(cluster) == 2
    external = hpa(cluster)["status"]["currentMetrics"][0]["external"]  # type: ignore[index]
    assert external["current"] == {"value": "10"}


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://prometheus.elsewhere:9090", "lookup prometheus.elsewhere"),
        ("http://prometheus.monitoring:9999", "connection refused"),
    ],
)
def test_an_address_where_no_prometheus_answers_is_said(cluster: Cluster, address: str, words: str) -> None:
    serving(cluster, address=address)
    assert conditions(cluster)["Ready"] == ("False", "TriggerError")
    assert words in cluster.events("md-a", "KEDAScalerFailed")[0]
    status = hpa(cluster)["status"]  # type: ignore[index]
    active = next(each for each in status["conditions"] if each["type"] == "ScalingActive")
    assert (active["status"], active["reason"]) == ("False", "FailedGetExternalMetric")
    assert words in active["message"]
    queue(cluster, 50)
    cluster.advance(60)
    assert replicas(cluster) == 1


def test_figures_of_no_engine_are_an_error_and_no_nought(cluster: Cluster) -> None:
    serving(cluster, query='sum(vllm:num_requests_waiting{model_name="another"})')
    assert conditions(cluster)["Ready"] == ("False", "TriggerError")
    assert "the result is empty" in cluster.events("md-a", "KEDAScalerFailed")[0]


def test_a_target_that_is_not_there_fails_the_check(cluster: Cluster) -> None:
    cluster.store.create("scaledobjects", NAMESPACE, scaled_object())
    cluster.advance(5)
    assert conditions(cluster)["Ready"] == ("False", "ScaledObjectCheckFailed")
    assert hpa(cluster) is None


def test_a_paused_object_has_no_autoscaler_until_it_goes_on(cluster: Cluster) -> None:
    serving(cluster)

    def pause(live: dict[str, Any]) -> None:
        live["metadata"]["annotations"] = {"autoscaling.keda.sh/paused": "true"}

    cluster.store.update("scaledobjects", NAMESPACE, "md-a", pause)
    cluster.advance(2)
    assert hpa(cluster) is None
    assert conditions(cluster)["Paused"] == ("True", "ScaledObjectPaused")
    cluster.store.update(
        "scaledobjects", NAMESPACE, "md-a", lambda live: live["metadata"].pop("annotations", None)
    )
    cluster.advance(2)
    assert hpa(cluster) is not None
    assert conditions(cluster)["Paused"][0] == "False"


def test_a_fallback_takes_over_after_so_many_failures(cluster: Cluster) -> None:
    fallback = {"failureThreshold": 2, "replicas": 3}
    serving(cluster, address="http://elsewhere:9090", fallback=fallback)
    cluster.advance(90)
    assert conditions(cluster)["Fallback"] == ("True", "FallbackExists")
    assert replicas(cluster) == 3


def test_its_autoscaler_goes_with_it(cluster: Cluster) -> None:
    serving(cluster)
    cluster.store.delete("scaledobjects", NAMESPACE, "md-a")
    cluster.advance(1)
    assert hpa(cluster) is None
    assert replicas(cluster) == 1


def test_a_second_autoscaler_of_the_same_workload_is_denied(cluster: Cluster) -> None:
    cluster.add()
    target = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "md-a"}
    own = {"metadata": {"name": "md-a"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3}}
    cluster.store.create("horizontalpodautoscalers", NAMESPACE, own)
    wanted = scaled_object()
    wanted["metadata"]["namespace"] = NAMESPACE
    told = "the workload 'md-a' of type 'apps/v1.StatefulSet' is already managed by the hpa 'md-a'"
    assert keda_rules.denial(cluster.store, wanted) == told


def test_a_cluster_without_keda_does_nothing_with_it() -> None:
    cluster = Cluster(Settings(keda=False))
    cluster.add()
    cluster.store.create("scaledobjects", NAMESPACE, scaled_object())
    cluster.advance(60)
    assert hpa(cluster) is None
