"""StatefulSets: scale, rolling replacement, broken revisions, refusals, the status that clients wait for."""

import pytest

from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster

_BROKEN = "vllm/vllm-openai:v9.9.9"


def _revision(cluster: Cluster, pod: str) -> str:
    return cluster.pod(pod)["metadata"]["labels"]["controller-revision-hash"]


def test_the_status_follows_the_pods(cluster: Cluster) -> None:
    cluster.add(replicas=2)
    cluster.advance(1)
    status = cluster.set()["status"]
    assert (status["replicas"], status["readyReplicas"], status["observedGeneration"]) == (2, 0, 1)
    cluster.advance(60)
    status = cluster.set()["status"]
    assert (status["readyReplicas"], status["availableReplicas"], status["updatedReplicas"]) == (2, 2, 2)
    assert status["currentRevision"] == status["updateRevision"] == _revision(cluster, "md-a-0")


def test_parallel_starts_all_at_once_and_ordered_one_by_one(cluster: Cluster) -> None:
    cluster.add(replicas=3)
    cluster.add(name="md-b", replicas=3, management="OrderedReady")
    cluster.advance(5)
    assert cluster.pods() == ["md-a-0", "md-a-1", "md-a-2", "md-b-0"]
    cluster.advance(90)
    assert cluster.pods()[3:] == ["md-b-0", "md-b-1", "md-b-2"]


def test_an_update_replaces_in_place_from_the_highest_number(cluster: Cluster) -> None:
    cluster.add(replicas=2)
    cluster.advance(60)
    old = _revision(cluster, "md-a-0")
    cluster.edit(replicas=2, arguments=("--max-num-seqs", "8"))
    cluster.advance(8)
    assert _revision(cluster, "md-a-1") != old
    assert _revision(cluster, "md-a-0") == old
    assert cluster.ready("md-a-0")
    status = cluster.set()["status"]
    assert (status["updatedReplicas"], status["observedGeneration"]) == (1, 2)
    assert status["currentRevision"] == old != status["updateRevision"]
    cluster.advance(120)
    assert _revision(cluster, "md-a-0") == _revision(cluster, "md-a-1") != old
    assert cluster.set()["status"]["currentRevision"] != old


def test_a_broken_update_stops_at_the_first_pod(cluster: Cluster) -> None:
    cluster.add(replicas=2)
    cluster.advance(60)
    cluster.edit(replicas=2, image=_BROKEN)
    cluster.advance(120)
    assert cluster.ready("md-a-0")
    assert cluster.waiting("md-a-1")[0] == "ImagePullBackOff"
    assert cluster.set()["status"]["readyReplicas"] == 1


def test_an_edit_heals_a_broken_revision(cluster: Cluster) -> None:
    cluster.add(replicas=2, image=_BROKEN)
    cluster.advance(30)
    assert not cluster.ready("md-a-0")
    cluster.edit(replicas=2)
    cluster.advance(120)
    assert cluster.ready("md-a-0")
    assert cluster.ready("md-a-1")


def test_ordered_management_waits_for_the_broken_pod_until_somebody_deletes_it(cluster: Cluster) -> None:
    cluster.add(management="OrderedReady", image=_BROKEN)
    cluster.advance(30)
    cluster.edit(management="OrderedReady")
    cluster.advance(120)
    assert cluster.waiting()[0] == "ImagePullBackOff"
    cluster.store.delete("pods", NAMESPACE, "md-a-0")
    cluster.advance(60)
    assert cluster.ready()


def test_scaling_down_takes_the_highest_numbers(cluster: Cluster) -> None:
    cluster.add(replicas=3)
    cluster.advance(60)
    cluster.scale(1)
    cluster.advance(60)
    assert cluster.pods() == ["md-a-0"]
    assert cluster.claim("data-md-a-2")["status"]["phase"] == "Bound"


def test_scaling_to_zero_and_back_keeps_the_volume(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(60)
    claim = cluster.claim()["metadata"]["uid"]
    cluster.scale(0)
    cluster.advance(60)
    assert cluster.pods() == []
    assert cluster.set()["status"]["replicas"] == 0
    cluster.scale(1)
    cluster.advance(60)
    assert cluster.ready()
    assert cluster.claim()["metadata"]["uid"] == claim


def test_claims_go_with_scaling_when_the_policy_says_so(cluster: Cluster) -> None:
    cluster.add(replicas=2, spec={"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}})
    cluster.advance(60)
    cluster.scale(1)
    cluster.advance(60)
    names = [claim["metadata"]["name"] for claim in cluster.store.list("persistentvolumeclaims", NAMESPACE)]
    assert names == ["data-md-a-0"]


@pytest.mark.parametrize(("policy", "left"), [("Delete", 0), ("Retain", 1)])
def test_deleting_the_set_leaves_what_its_policy_says(cluster: Cluster, policy: str, left: int) -> None:
    cluster.add(spec={"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy}})
    cluster.advance(60)
    cluster.store.delete("statefulsets", NAMESPACE, "md-a")
    cluster.advance(90)
    assert cluster.pods() == []
    assert len(cluster.store.list("persistentvolumeclaims", NAMESPACE)) == left
    assert len(cluster.store.list("persistentvolumes")) == left
    assert cluster.store.list("controllerrevisions") == []


def test_an_orphaned_pod_is_adopted_without_a_restart(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(60)
    pod = cluster.pod()["metadata"]["uid"]
    cluster.store.delete("statefulsets", NAMESPACE, "md-a", propagation="Orphan")
    cluster.advance(5)
    assert not cluster.pod()["metadata"].get("ownerReferences")
    cluster.add()
    cluster.advance(5)
    owner = cluster.pod()["metadata"]["ownerReferences"][0]["uid"]
    assert owner == cluster.set()["metadata"]["uid"]
    assert cluster.pod()["metadata"]["uid"] == pod
    assert cluster.set()["status"]["readyReplicas"] == 1


def test_a_quota_refuses_the_pod_and_the_set_says_so(cluster: Cluster) -> None:
    quota = {"metadata": {"name": "gpus"}, "spec": {"hard": {"requests.nvidia.com/gpu": "1"}}}
    cluster.store.create("resourcequotas", NAMESPACE, quota)
    cluster.add(gpus=2, arguments=("--tensor-parallel-size", "2"))
    cluster.advance(10)
    assert cluster.pods() == []
    (message,) = cluster.events("md-a", "FailedCreate")
    assert message.startswith("create Pod md-a-0 in StatefulSet md-a failed error: ")
    assert 'pods "md-a-0" is forbidden: exceeded quota: gpus' in message
    cluster.store.delete("resourcequotas", NAMESPACE, "gpus")
    cluster.advance(90)
    assert cluster.ready()


def test_an_unknown_runtime_class_refuses_the_pod(cluster: Cluster) -> None:
    cluster.add(pod={"runtimeClassName": "gvisor"})
    cluster.advance(5)
    assert 'RuntimeClass "gvisor" not found' in cluster.events("md-a", "FailedCreate")[0]


def test_a_partition_keeps_low_numbers_on_the_old_revision(cluster: Cluster) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    cluster.add(replicas=2, spec={"updateStrategy": strategy})
    cluster.advance(60)
    old = _revision(cluster, "md-a-0")
    cluster.edit(replicas=2, arguments=("--max-num-seqs", "8"))
    cluster.advance(120)
    cluster.store.delete("pods", NAMESPACE, "md-a-0")
    cluster.advance(120)
    assert _revision(cluster, "md-a-0") == old != _revision(cluster, "md-a-1")
    assert "--max-num-seqs" not in cluster.pod("md-a-0")["spec"]["containers"][0]["args"]


def test_a_deleted_pod_serves_through_its_pre_stop_and_then_goes(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(60)
    cluster.scale(0)
    cluster.advance(4)
    assert cluster.pod()["metadata"]["deletionTimestamp"]
    assert cluster.engines.open_engines
    assert cluster.events("md-a-0", "Killing") == ["Stopping container engine"]
    cluster.advance(2)
    assert cluster.pods() == []
    assert not cluster.engines.open_engines


def test_a_pod_that_was_deleted_by_force_leaves_no_engine(cluster: Cluster) -> None:
    cluster.add()
    cluster.advance(60)
    cluster.store.delete("pods", NAMESPACE, "md-a-0", grace_seconds=0)
    cluster.store.delete("statefulsets", NAMESPACE, "md-a")
    cluster.advance(1)
    assert not cluster.engines.open_engines
