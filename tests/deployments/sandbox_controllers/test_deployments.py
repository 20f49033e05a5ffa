"""Deployments: rolling updates within their fence, Recreate, broken templates, the deadline, history and clean-up."""

import pytest

from deployments.sandbox.api.errors import ApiError
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster
from tests.deployments.sandbox_controllers.stateless import (
    apply,
    condition,
    deployment,
    live,
    ready,
    rolling,
    sets,
    sizes,
)

_BROKEN = "vllm/vllm-openai:v9.9.9"
_OTHER = ("--max-num-seqs", "8")


def test_it_makes_one_set_whose_pods_carry_the_hash_of_their_template(cluster: Cluster) -> None:
    apply(cluster, replicas=2)
    cluster.advance(90)
    (made,) = sets(cluster)
    digest = made["metadata"]["labels"]["pod-template-hash"]
    assert made["metadata"]["name"] == f"web-{digest}"
    assert made["metadata"]["ownerReferences"][0]["uid"] == live(cluster)["metadata"]["uid"]
    pods = cluster.store.list("pods", NAMESPACE, {"pod-template-hash": digest})
    assert [pod["metadata"]["ownerReferences"][0]["kind"] for pod in pods] == ["ReplicaSet"] * 2
    status = live(cluster)["status"]
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (2, 2, 2)
    assert "unavailableReplicas" not in status
    assert condition(cluster, "Available")["status"] == "True"
    assert condition(cluster, "Progressing")["reason"] == "NewReplicaSetAvailable"


@pytest.mark.parametrize(
    ("surge", "missing", "most", "least"),
    [(1, 0, 4, 3), (0, 1, 3, 2), ("25%", "25%", 4, 3), (0, "25%", 3, 2)],
)
def test_a_rolling_update_stays_within_its_fence(
    cluster: Cluster, surge: int | str, missing: int | str, most: int, least: int
) -> None:
    apply(cluster, replicas=3, strategy=rolling(surge, missing))
    cluster.advance(90)
    apply(cluster, replicas=3, strategy=rolling(surge, missing), arguments=_OTHER)
    seen_most = seen_least = 3
    for _second in range(400):
        cluster.advance(1)
        present = [pod for pod in cluster.pods() if not cluster.pod(pod)["metadata"].get("deletionTimestamp")]
        seen_most = max(seen_most, len(present))
        seen_least = min(seen_least, sum(cluster.ready(pod) for pod in present))
    assert (seen_most, seen_least) == (most, least)
    assert sizes(cluster) == [0, 3]
    assert len(ready(cluster)) == 3
    assert live(cluster)["status"]["observedGeneration"] == 2


def test_a_broken_template_leaves_the_old_pods_serving_and_says_when_it_is_late(cluster: Cluster) -> None:
    late = {"progressDeadlineSeconds": 120}
    apply(cluster, replicas=2, strategy=rolling(1, 0), spec=late)
    cluster.advance(90)
    apply(cluster, replicas=2, strategy=rolling(1, 0), spec=late, image=_BROKEN)
    cluster.advance(60)
    assert sizes(cluster) == [2, 1]
    assert condition(cluster, "Progressing")["reason"] == "ReplicaSetUpdated"
    cluster.advance(120)
    told = condition(cluster, "Progressing")
    assert (told["status"], told["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert "has timed out progressing" in told["message"]
    assert condition(cluster, "Available")["status"] == "True"
    assert len(ready(cluster)) == 2
    # Back to the first template: its own set serves it again, under a new revision.
    apply(cluster, replicas=2, strategy=rolling(1, 0), spec=late)
    cluster.advance(60)
    assert sizes(cluster) == [0, 2]
    assert live(cluster)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert condition(cluster, "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_recreate_waits_for_the_last_old_pod(cluster: Cluster) -> None:
    strategy = {"type": "Recreate"}
    apply(cluster, replicas=2, strategy=strategy)
    cluster.advance(90)
    old = set(cluster.pods())
    apply(cluster, replicas=2, strategy=strategy, arguments=_OTHER)
    mixed = False
    for _second in range(90):
        cluster.advance(1)
        present = set(cluster.pods())
        mixed = mixed or bool(present & old and present - old)
    assert not mixed
    assert len(ready(cluster)) == 2
    assert not set(ready(cluster)) & old


def test_scaling_keeps_the_set_and_takes_unready_pods_first(cluster: Cluster) -> None:
    apply(cluster, replicas=2)
    cluster.advance(90)
    steady = set(ready(cluster))
    apply(cluster, replicas=4)
    cluster.advance(2)
    assert len(cluster.pods()) == 4
    apply(cluster, replicas=2)
    cluster.advance(90)
    assert set(cluster.pods()) == steady
    assert len(sets(cluster)) == 1


def test_pods_that_may_not_be_made_are_told_in_events_and_conditions(cluster: Cluster) -> None:
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    cluster.store.create("resourcequotas", NAMESPACE, quota)
    apply(cluster, replicas=1)
    cluster.advance(5)
    assert "exceeded quota" in condition(cluster, "ReplicaFailure")["message"]
    (made,) = sets(cluster)
    assert any(
        "exceeded quota" in message for message in cluster.events(made["metadata"]["name"], "FailedCreate")
    )
    cluster.store.delete("resourcequotas", NAMESPACE, "none")
    cluster.advance(120)
    assert len(ready(cluster)) == 1
    assert not condition(cluster, "ReplicaFailure")


def test_old_sets_are_kept_as_long_as_the_history_asks(cluster: Cluster) -> None:
    for count in range(4):
        apply(cluster, spec={"revisionHistoryLimit": 1}, arguments=("--max-num-seqs", str(8 + count)))
        cluster.advance(120)
    assert sizes(cluster) == [0, 1]


def test_deleting_it_leaves_neither_sets_nor_pods(cluster: Cluster) -> None:
    apply(cluster, replicas=2)
    cluster.advance(90)
    cluster.store.delete("deployments", NAMESPACE, "web")
    cluster.advance(90)
    assert (sets(cluster), cluster.pods()) == ([], [])


def test_a_deployment_that_was_deleted_with_orphans_takes_them_back(cluster: Cluster) -> None:
    apply(cluster, replicas=2)
    cluster.advance(90)
    before = cluster.pods()
    cluster.store.delete("deployments", NAMESPACE, "web", propagation="Orphan")
    cluster.advance(5)
    assert cluster.pods() == before
    apply(cluster, replicas=2)
    cluster.advance(30)
    assert cluster.pods() == before
    assert len(sets(cluster)) == 1
    assert live(cluster)["status"]["availableReplicas"] == 2


def test_a_paused_deployment_scales_but_does_not_roll(cluster: Cluster) -> None:
    apply(cluster, replicas=1)
    cluster.advance(90)
    apply(cluster, replicas=2, spec={"paused": True}, arguments=_OTHER)
    cluster.advance(90)
    assert sizes(cluster) == [2]
    assert condition(cluster, "Progressing")["reason"] == "DeploymentPaused"


def test_a_strategy_that_could_never_move_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ApiError, match="may not be 0 when `maxSurge` is 0"):
        cluster.store.create("deployments", NAMESPACE, deployment(strategy=rolling(0, 0)))
    with pytest.raises(ApiError, match="may not be specified when strategy `type` is 'Recreate'"):
        cluster.store.create(
            "deployments", NAMESPACE, deployment(strategy=rolling(1, 0) | {"type": "Recreate"})
        )
