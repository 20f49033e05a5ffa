"""By which object a deployment is scaled, by which figures, at which pace; and when it is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments import naming
from deployments.context import PLAIN_KUBERNETES, ClusterOffers
from deployments.manifests.scaling import ScalingNotOffered, autoscaler, by_resource
from deployments.scaling import obstacle
from deployments.spec import Autoscaling, DeploymentSpec, DynamoSpec, EngineSpec
from deployments.vocabulary import DynamoBackend, DynamoMode, Engine, ScalingMetric
from tests.deployments.manifests.cases import context, spec

WITH_KEDA = ClusterOffers(prometheus_url="http://prometheus.monitoring:9090")
STATEFUL_SET = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "md-opt-125m"}}
OF_ENGINE = [metric for metric in ScalingMetric if metric.is_of_engine]
BY_RESOURCE = [metric for metric in ScalingMetric if not metric.is_of_engine]


def wanted(metric: ScalingMetric, threshold: int = 5, **changes: Any) -> DeploymentSpec:
    return spec(autoscaling=Autoscaling(True, 1, 4, metric, threshold), **changes)


def scaled(made: DeploymentSpec, target: dict[str, Any] = STATEFUL_SET) -> dict[str, Any]:
    return autoscaler(made, context(offers=WITH_KEDA), target)


def query(made: DeploymentSpec, target: dict[str, Any] = STATEFUL_SET) -> str:
    (trigger,) = scaled(made, target)["spec"]["triggers"]
    found: str = trigger["metadata"]["query"]
    return found


def dynamo(backend: DynamoBackend, mode: DynamoMode = DynamoMode.AGGREGATED) -> EngineSpec:
    return EngineSpec(Engine.DYNAMO, "nvcr.io/x", "1.3.1", dynamo=DynamoSpec(mode, backend))


@pytest.mark.parametrize("metric", BY_RESOURCE)
def test_cpu_and_memory_need_nothing_but_kubernetes(metric: ScalingMetric) -> None:
    made = autoscaler(wanted(metric, 70), context(offers=PLAIN_KUBERNETES), STATEFUL_SET)
    assert made["kind"] == "HorizontalPodAutoscaler"
    assert made["spec"]["metrics"] == [
        {
            "type": "Resource",
            "resource": {
                "name": metric.value,
                "target": {"type": "Utilization", "averageUtilization": 70},
            },
        }
    ]


@pytest.mark.parametrize("metric", OF_ENGINE)
def test_figures_of_the_engine_come_through_keda(metric: ScalingMetric) -> None:
    made = scaled(wanted(metric, 7))
    assert (made["apiVersion"], made["kind"]) == ("keda.sh/v1alpha1", "ScaledObject")
    assert made["metadata"]["labels"][naming.DEPLOYMENT_LABEL] == "opt-125m"
    wants = made["spec"]
    assert wants["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "md-opt-125m"}
    assert (wants["minReplicaCount"], wants["maxReplicaCount"]) == (1, 4)
    (trigger,) = wants["triggers"]
    assert trigger["metadata"]["serverAddress"] == "http://prometheus.monitoring:9090"
    assert trigger["metadata"]["threshold"] == "7"


@pytest.mark.parametrize("metric", OF_ENGINE)
def test_no_figures_never_count_as_no_load(metric: ScalingMetric) -> None:
    (trigger,) = scaled(wanted(metric))["spec"]["triggers"]
    assert trigger["metadata"]["ignoreNullValues"] == "false"


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        (ScalingMetric.REQUESTS_WAITING, "AverageValue"),
        (ScalingMetric.CONCURRENCY, "AverageValue"),
        (ScalingMetric.KV_CACHE, "Value"),
    ],
)
def test_sums_are_divided_by_the_replicas_and_means_are_not(metric: ScalingMetric, kind: str) -> None:
    (trigger,) = scaled(wanted(metric))["spec"]["triggers"]
    assert trigger["metricType"] == kind


WHERE = '{namespace="models",model_name="opt-125m"}'


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (ScalingMetric.REQUESTS_WAITING, f"sum(vllm:num_requests_waiting{WHERE})"),
        (
            ScalingMetric.CONCURRENCY,
            f"sum(vllm:num_requests_running{WHERE}) + sum(vllm:num_requests_waiting{WHERE})",
        ),
        (
            ScalingMetric.KV_CACHE,
            f"100 * avg(vllm:kv_cache_usage_perc{WHERE} or vllm:gpu_cache_usage_perc{WHERE})",
        ),
    ],
)
def test_vllm_is_asked_for_its_own_figures_of_this_deployment(metric: ScalingMetric, expected: str) -> None:
    assert query(wanted(metric)) == expected


@pytest.mark.parametrize(
    ("tag", "names"),
    [
        ("1.8.3", ["num_requests_waiting"]),
        ("2.0.3", ["vllm:num_requests_waiting", "sglang:num_queue_reqs"]),
        ("latest", ["vllm:num_requests_waiting", "sglang:num_queue_reqs", "num_requests_waiting"]),
    ],
)
def test_a_nim_is_asked_by_the_names_of_its_release_line(tag: str, names: list[str]) -> None:
    engine = EngineSpec(Engine.NIM, "nvcr.io/nim/meta/llama-3.1-8b-instruct", tag)
    made = query(wanted(ScalingMetric.REQUESTS_WAITING, engine=engine))
    assert made == f"sum({' or '.join(name + WHERE for name in names)})"


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        (DynamoBackend.VLLM, "vllm:num_requests_waiting"),
        (DynamoBackend.SGLANG, "sglang:num_queue_reqs"),
        (DynamoBackend.TRTLLM, "trtllm_num_requests_waiting"),
    ],
)
def test_dynamo_is_asked_for_the_workers_that_are_scaled(backend: DynamoBackend, name: str) -> None:
    target = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentScalingAdapter",
        "metadata": {"name": naming.scaling_adapter("opt-125m", "Decode")},
    }
    engine = dynamo(backend, DynamoMode.DISAGGREGATED)
    made = query(wanted(ScalingMetric.REQUESTS_WAITING, engine=engine), target)
    pods = "md-opt-125m--graph-([0-9]+-)?decode-.+"
    assert made == f'sum({name}{{namespace="models",pod=~"{pods}"}})'


@pytest.mark.parametrize("metric", list(ScalingMetric))
def test_every_autoscaler_takes_one_replica_at_a_time_and_is_slow_to_let_go(metric: ScalingMetric) -> None:
    wants = scaled(wanted(metric))["spec"]
    pace = (wants.get("advanced") or {}).get("horizontalPodAutoscalerConfig", wants)["behavior"]
    for way in ("scaleUp", "scaleDown"):
        assert [(policy["type"], policy["value"]) for policy in pace[way]["policies"]] == [("Pods", 1)]
    up, down = (pace[way]["stabilizationWindowSeconds"] for way in ("scaleUp", "scaleDown"))
    assert down > up > 0


@pytest.mark.parametrize("metric", OF_ENGINE)
@pytest.mark.parametrize(
    ("offers", "start"),
    [
        (PLAIN_KUBERNETES, "This cluster has no KEDA. Install it, or scale by CPU."),
        (ClusterOffers(), "The address of this cluster's Prometheus is not known."),
    ],
)
def test_a_cluster_that_cannot_is_told_apart(
    metric: ScalingMetric, offers: ClusterOffers, start: str
) -> None:
    assert obstacle(metric, offers).startswith(start)
    with pytest.raises(ScalingNotOffered, match=start):
        autoscaler(wanted(metric), context(offers=offers), STATEFUL_SET)


@pytest.mark.parametrize("metric", OF_ENGINE)
def test_an_operator_that_scales_by_itself_is_given_no_figure_of_the_engine(metric: ScalingMetric) -> None:
    with pytest.raises(ScalingNotOffered, match="by CPU or memory only"):
        by_resource(wanted(metric))


@given(st.sampled_from(OF_ENGINE), st.from_regex(r"[a-z0-9]([-a-z0-9]{0,46}[a-z0-9])?", fullmatch=True))
def test_a_query_is_balanced_and_names_the_namespace(metric: ScalingMetric, name: str) -> None:
    made = query(spec(name=name, autoscaling=Autoscaling(True, metric=metric)))
    for opening, closing in ("()", "{}"):
        assert made.count(opening) == made.count(closing) > 0
    assert made.count('"') % 4 == 0
    assert made.count('namespace="models"') == made.count("{")
