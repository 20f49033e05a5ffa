"""Which node a pod gets, and the exact words when it gets none."""

import pytest

from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster

_TAINT = "1 node(s) had untolerated taint {nvidia.com/gpu: present}"
_H100 = {"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}}


def test_too_many_gpus_are_refused_in_the_scheduler_s_words(cluster: Cluster) -> None:
    cluster.add(gpus=16)
    cluster.advance(1)
    condition = cluster.condition("PodScheduled")
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    assert condition["message"] == (
        "0/4 nodes are available: 4 Insufficient nvidia.com/gpu. "
        "preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
    )
    assert cluster.events("md-a-0", "FailedScheduling") == [condition["message"]]
    assert cluster.pod()["status"]["phase"] == "Pending"


def test_gpus_in_use_could_be_freed_by_preemption(cluster: Cluster) -> None:
    cluster.add(gpus=8, replicas=2, arguments=("--tensor-parallel-size", "4"))
    cluster.add(name="md-b", gpus=6, pod=_H100)
    cluster.advance(1)
    assert cluster.condition("PodScheduled", "md-b-0")["message"] == (
        "0/4 nodes are available: 2 Insufficient nvidia.com/gpu,"
        " 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/4 nodes are available:"
        " 2 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling."
    )


def test_a_pod_without_toleration_stays_off_gpu_nodes(cluster: Cluster) -> None:
    cluster.add(pod={"tolerations": []})
    cluster.advance(1)
    assert cluster.condition("PodScheduled")["message"].startswith(
        "0/4 nodes are available: 1 Insufficient nvidia.com/gpu, 3 node(s) had untolerated taint"
        " {nvidia.com/gpu: present}. "
    )


def test_cpu_and_memory_count_too(cluster: Cluster) -> None:
    cluster.add(memory="4000Gi")
    cluster.advance(1)
    message = cluster.condition("PodScheduled")["message"]
    assert "4 Insufficient memory" in message
    assert "1 Insufficient nvidia.com/gpu" in message


@pytest.mark.parametrize("form", ["selector", "affinity"])
def test_a_product_is_chosen_by_selector_or_affinity(cluster: Cluster, form: str) -> None:
    key, value = "nvidia.com/gpu.product", "NVIDIA-L40S"
    terms = [{"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    pod = {"nodeSelector": {key: value}} if form == "selector" else {"affinity": {"nodeAffinity": required}}
    cluster.add(pod=pod)
    cluster.advance(1)
    assert cluster.pod()["spec"]["nodeName"] == "gpu-l40s-1"


def test_twenty_gpus_are_twenty_pods(cluster: Cluster) -> None:
    cluster.add(replicas=21)
    cluster.advance(1)
    nodes = [pod["spec"].get("nodeName") for pod in cluster.store.list("pods", NAMESPACE)]
    assert nodes.count("gpu-h100-1") == nodes.count("gpu-h100-2") == 8
    assert nodes.count("gpu-l40s-1") == 4
    assert nodes.count(None) == 1


def test_a_waiting_pod_takes_the_place_that_becomes_free(cluster: Cluster) -> None:
    cluster.add(gpus=8, replicas=2, arguments=("--tensor-parallel-size", "4"))
    cluster.add(name="md-b", gpus=8, arguments=("--tensor-parallel-size", "4"))
    cluster.advance(60)
    assert not cluster.pod("md-b-0")["spec"].get("nodeName")
    cluster.scale(1)
    cluster.advance(60)
    assert cluster.ready("md-b-0")
    assert cluster.condition("PodScheduled", "md-b-0")["status"] == "True"


def test_an_unschedulable_pod_is_told_once_not_at_every_tick(cluster: Cluster) -> None:
    cluster.add(gpus=16)
    cluster.advance(600)
    counts = [
        event["count"]
        for event in cluster.store.list("events", NAMESPACE)
        if event["reason"] == "FailedScheduling"
    ]
    assert counts == [1]
