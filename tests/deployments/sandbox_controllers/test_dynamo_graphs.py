"""Dynamo's operator in the sandbox: what it makes of a graph, how it rolls, scales, restarts and reports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployments.context import ModelSource
from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.settings import Settings
from deployments.vocabulary import DynamoMode, RolloutStrategy
from tests.deployments.manifests.dynamo_cases import CASES, given
from tests.deployments.manifests.dynamo_cases import graph as spec_of
from tests.deployments.sandbox_controllers import graphs
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster

_LACKING = {"dynamo-gpus-by-role", "dynamo-v1beta1-slices", "dynamo-v1alpha1-slices"}
"""They want a storage class or machines that this cluster does not have."""


def run(cluster: Cluster, spec: Any = None, context: Any = None, seconds: float = 60) -> None:
    graphs.apply(cluster, spec or spec_of(), context or given())
    cluster.advance(seconds)


def with_argument(flag: str, value: str) -> Any:
    return spec_of(arguments=(flag, value))


@pytest.mark.parametrize("case", sorted(CASES.keys() - _LACKING))
def test_what_the_console_renders_becomes_successful(cluster: Cluster, case: str) -> None:
    run(cluster, *CASES[case], seconds=120)
    assert graphs.status(cluster)["state"] == "successful", graphs.ready(cluster)
    assert graphs.ready(cluster) == ("all_resources_are_ready", "All resources are ready")
    assert graphs.status(cluster)["observedGeneration"] == graphs.graph(cluster)["metadata"]["generation"]


def test_both_versions_make_the_same_pods() -> None:
    made = []
    for version in ("v1beta1", "v1alpha1"):
        cluster = Cluster()
        run(cluster, spec_of(DynamoMode.DISAGGREGATED), given(version))
        made.append(
            {each["metadata"]["name"]: each["spec"] for each in cluster.store.list("deployments", NAMESPACE)}
        )
    assert made[0] == made[1]
    assert len(made[0]) == 3


def test_the_operator_puts_its_own_labels_over_ours(cluster: Cluster) -> None:
    run(cluster)
    (frontend,) = graphs.pods(cluster, "frontend")
    labels = frontend["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "dynamo-operator"
    assert labels["slipway/deployment"] == "qwen"
    assert labels["nvidia.com/dynamo-graph-deployment-name"] == graphs.NAME
    assert (labels["nvidia.com/dynamo-component"], labels["nvidia.com/dynamo-component-type"]) == (
        "Frontend",
        "frontend",
    )


def test_the_main_container_gets_what_it_does_not_say_itself(cluster: Cluster) -> None:
    run(cluster)
    worker = graphs.pods(cluster, "worker")[0]
    (main,) = worker["spec"]["containers"]
    assert main["startupProbe"]["failureThreshold"] == 720
    assert main["livenessProbe"]["failureThreshold"] == 1
    assert {port["containerPort"] for port in main["ports"]} == {9090, 19090}
    assert "/dev/shm" in {mount["mountPath"] for mount in main["volumeMounts"]}
    env = {each["name"]: each.get("value") for each in main["env"]}
    assert env["DYN_NAMESPACE"] == f"{NAMESPACE}-{graphs.NAME}"
    assert env["HF_HOME"] == "/data/huggingface"
    (frontend,) = graphs.pods(cluster, "frontend")
    (serves,) = frontend["spec"]["containers"]
    assert [*serves["command"], *serves["args"]] == ["python3", "-m", "dynamo.frontend"]
    service = cluster.store.get("services", NAMESPACE, f"{graphs.NAME}-frontend")
    assert service is not None
    assert service["spec"]["ports"][0]["port"] == 8000


def test_a_workers_volume_comes_and_goes_with_its_pod(cluster: Cluster) -> None:
    run(cluster)
    names = sorted(pod["metadata"]["name"] for pod in graphs.pods(cluster, "worker"))
    claims = {each["metadata"]["name"]: each for each in cluster.store.list("persistentvolumeclaims")}
    assert sorted(claims) == [f"{name}-cache" for name in names]
    assert {each["status"]["phase"] for each in claims.values()} == {"Bound"}
    assert {each["metadata"]["labels"]["slipway/deployment"] for each in claims.values()} == {"qwen"}
    cluster.store.delete("pods", NAMESPACE, names[0])
    cluster.advance(90)
    left = {each["metadata"]["name"] for each in cluster.store.list("persistentvolumeclaims")}
    assert f"{names[0]}-cache" not in left
    assert len(left) == 2


def test_a_claim_of_somebody_else_is_not_taken_over(cluster: Cluster) -> None:
    run(cluster)
    pod = graphs.pods(cluster, "worker")[0]
    name = f"{pod['metadata']['name']}-cache"
    cluster.store.update(
        "persistentvolumeclaims", NAMESPACE, name, lambda live: live["metadata"].pop("ownerReferences")
    )
    cluster.advance(1)
    assert "was not created for pod" in cluster.events(pod["metadata"]["name"], "FailedBinding")[0]


def test_the_weights_are_loaded_before_a_worker_is_ready(cluster: Cluster) -> None:
    run(cluster, seconds=9)
    worker = graphs.pods(cluster, "worker")[0]
    assert worker["status"]["phase"] == "Running"
    assert not worker["status"]["containerStatuses"][0]["ready"]
    assert graphs.ready(cluster)[0] == "some_resources_are_not_ready"
    cluster.advance(30)
    assert "Registered model 'qwen'" in graphs.log(cluster, worker)


def test_a_crash_loop_leaves_the_graph_pending_for_ever(cluster: Cluster) -> None:
    run(cluster, with_argument("--no-such-flag", "1"), seconds=3600)
    reason, message = graphs.ready(cluster)
    assert (graphs.status(cluster)["state"], reason) == ("pending", "some_resources_are_not_ready")
    assert f"{graphs.NAME}-worker-" in message
    worker = graphs.pods(cluster, "worker")[0]
    assert worker["status"]["containerStatuses"][0]["restartCount"] > 3
    assert "__main__.py: error: unrecognized arguments: --no-such-flag 1" in graphs.log(cluster, worker)


def test_a_gated_model_without_a_token_ends_the_worker(cluster: Cluster) -> None:
    run(cluster, spec_of(), replace(given(), source=ModelSource("acme/gated-7b")))
    text = graphs.log(cluster, graphs.pods(cluster, "worker")[0])
    assert "Is this a valid HuggingFace ID?" in text
    assert "401" in text


def test_an_image_of_another_backend_has_no_such_module(cluster: Cluster) -> None:
    spec = spec_of()
    wrong = replace(spec.engine, image="nvcr.io/nvidia/ai-dynamo/sglang-runtime")
    run(cluster, replace(spec, engine=wrong))
    assert "No module named 'vllm'" in graphs.log(cluster, graphs.pods(cluster, "worker")[0])


@pytest.mark.parametrize(("strategy", "most"), [(RolloutStrategy.SURGE, 3), (RolloutStrategy.REPLACE, 2)])
def test_a_change_of_a_worker_makes_a_new_generation(
    cluster: Cluster, strategy: RolloutStrategy, most: int
) -> None:
    context = given(strategy=strategy)
    run(cluster, spec_of(), context)
    (before,) = graphs.workers(cluster)
    graphs.apply(cluster, with_argument("--max-num-seqs", "64"), context)
    highest, phases = 0, []
    for _second in range(180):
        cluster.advance(1)
        living = [pod for pod in graphs.pods(cluster, "worker") if "deletionTimestamp" not in pod["metadata"]]
        highest = max(highest, len(living))
        phases.append(graphs.status(cluster).get("rollingUpdate", {}).get("phase"))
    (after,) = graphs.workers(cluster)
    assert after != before
    assert highest == most
    assert phases[0] in ("Pending", "InProgress")
    assert phases[-1] == "Completed"
    assert graphs.status(cluster)["state"] == "successful"
    assert graphs.status(cluster)["rollingUpdate"]["updatedComponents"] == ["Worker"]


def test_a_new_generation_that_fails_leaves_the_old_one_serving(cluster: Cluster) -> None:
    context = given(strategy=RolloutStrategy.SURGE)
    run(cluster, spec_of(), context)
    (before,) = graphs.workers(cluster)
    graphs.apply(cluster, with_argument("--no-such-flag", "1"), context)
    cluster.advance(600)
    assert graphs.workers(cluster)[before] == 2
    assert graphs.ready(cluster)[0] == "rolling_update_in_progress"
    graphs.apply(cluster, spec_of(), context)
    cluster.advance(120)
    assert graphs.workers(cluster) == {before: 2}
    assert graphs.status(cluster)["state"] == "successful"


def test_a_stopped_graph_has_no_pods_and_is_content(cluster: Cluster) -> None:
    run(cluster)
    graphs.apply(cluster, spec_of(), given(stopped=True))
    cluster.advance(120)
    assert cluster.pods() == []
    assert graphs.status(cluster)["state"] == "successful"


def test_a_restart_by_id_goes_through_one_component_after_the_other(cluster: Cluster) -> None:
    run(cluster)
    before = set(cluster.pods())

    def ask(live: dict[str, Any]) -> None:
        live["spec"]["restart"] = {"id": "again"}

    cluster.store.update(graphs.GRAPHS, NAMESPACE, graphs.NAME, ask)
    cluster.advance(2)
    assert graphs.status(cluster)["restart"]["inProgress"] == ["Frontend"]
    cluster.advance(300)
    assert graphs.status(cluster)["restart"] == {"observedID": "again", "phase": "Completed"}
    assert not before & set(cluster.pods())


def test_whoever_scales_the_adapter_scales_the_component(cluster: Cluster) -> None:
    run(cluster, *CASES["dynamo-v1beta1-aggregated-autoscaled"])
    name = f"{graphs.NAME}-worker"
    adapter = cluster.store.get(graphs.ADAPTERS, NAMESPACE, name)
    assert adapter is not None
    labels = f"nvidia.com/dynamo-component=Worker,nvidia.com/dynamo-graph-deployment-name={graphs.NAME}"
    assert adapter["status"]["selector"] == labels
    cluster.store.delete("horizontalpodautoscalers", NAMESPACE, "md-qwen")
    cluster.store.update(
        graphs.ADAPTERS, NAMESPACE, name, lambda live: live["spec"].update(replicas=3), subresource="scale"
    )
    cluster.advance(60)
    assert len(graphs.pods(cluster, "worker")) == 3
    assert "Scaled component Worker" in cluster.events(name, "Scaled")[-1]


def test_an_autoscaler_of_the_adapter_adds_workers_under_load(cluster: Cluster) -> None:
    run(cluster, *CASES["dynamo-v1beta1-aggregated-autoscaled"], seconds=90)
    assert len(graphs.pods(cluster, "worker")) == 2
    for pod in graphs.pods(cluster, "worker"):
        cluster.store.update(
            "pods",
            NAMESPACE,
            pod["metadata"]["name"],
            lambda live: live["metadata"]["annotations"].update({"sandbox.slipway/cpu-load": "7"}),
        )
    cluster.advance(200)
    assert len(graphs.pods(cluster, "worker")) > 2
    hpa = cluster.store.get("horizontalpodautoscalers", NAMESPACE, "md-qwen")
    assert hpa is not None
    assert hpa["spec"]["scaleTargetRef"]["kind"] == "DynamoGraphDeploymentScalingAdapter"


def test_a_component_without_the_adapter_loses_it(cluster: Cluster) -> None:
    run(cluster, *CASES["dynamo-v1beta1-aggregated-autoscaled"])
    graphs.apply(cluster, spec_of(), given())
    cluster.advance(30)
    assert cluster.store.list(graphs.ADAPTERS) == []


def test_a_deleted_graph_leaves_nothing(cluster: Cluster) -> None:
    run(cluster, spec_of(DynamoMode.DISAGGREGATED))
    cluster.store.delete(graphs.GRAPHS, NAMESPACE, graphs.NAME)
    cluster.store.delete("services", NAMESPACE, "md-qwen")
    cluster.advance(120)
    for plural in (
        "deployments",
        "replicasets",
        "pods",
        "services",
        "persistentvolumeclaims",
        graphs.ADAPTERS,
    ):
        assert cluster.store.list(plural, NAMESPACE) == [], plural


def test_a_refusal_fails_the_graph_and_is_tried_again(cluster: Cluster) -> None:
    refused = ["deployments"]

    def gate(plural: str, _namespace: str | None, _obj: dict[str, Any]) -> None:
        if plural in refused:
            raise ApiError(403, "exceeded quota: count/deployments.apps")

    cluster.store.gates.append(gate)
    run(cluster, seconds=10)
    assert graphs.status(cluster)["state"] == "failed"
    reason, message = graphs.ready(cluster)
    assert reason == "failed_to_reconcile_the_resources"
    assert "exceeded quota" in message
    assert "observedGeneration" not in graphs.status(cluster)
    refused.clear()
    cluster.advance(60)
    assert graphs.status(cluster)["state"] == "successful"


def test_without_an_operator_nothing_happens() -> None:
    cluster = Cluster(Settings(dynamo=()))
    run(cluster)
    assert cluster.pods() == []
    assert graphs.status(cluster) == {}


def test_a_cluster_at_rest_is_not_written_to(cluster: Cluster) -> None:
    run(cluster, seconds=120)
    before = cluster.store.revision
    cluster.advance(600)
    assert cluster.store.revision == before
