"""Dynamo graphs and NIMServices: judged by their pods first, by their operator's words where no pod tells more."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.status import judge
from deployments.vocabulary import DesiredState, Phase, Tone
from tests.deployments.status.build import NOW, ago, ended, event, running, waiting
from tests.deployments.status.operated import (
    NEW,
    NOT_READY,
    OLD,
    dynamo,
    frontend,
    graph,
    nim,
    pod,
    read,
    seen,
    service,
    worker,
)

CRASHING: dict[str, Any] = {
    "ready": False,
    "state": waiting("CrashLoopBackOff"),
    "restarts": 3,
    "last": ended(message="torch.OutOfMemoryError: CUDA out of memory."),
}
LOADING: dict[str, Any] = {"ready": False, "state": running(), "started": False}
FAILED = {
    "type": "NIM_SERVICE_FAILED",
    "status": "True",
    "message": "no storage",
    "lastTransitionTime": ago(90),
}


@pytest.mark.parametrize("alpha", [False, True])
def test_a_graph_is_read_alike_in_both_versions(alpha: bool) -> None:
    found = read(graph(alpha=alpha, roles={"frontend": 1, "prefill": 2, "decode": 3}))
    assert (found.replicas, found.scaled, found.is_ready, found.update_revision) == (6, 3, True, NEW)
    assert found.is_observed


@pytest.mark.parametrize(
    "of",
    [
        graph(state="pending"),
        graph(ready="False"),
        graph(ready="Unknown"),
        graph(conditions=[]),
        graph(rollingUpdate={"phase": "InProgress"}),
        graph(rollingUpdate={"phase": "Failed"}),
        graph(components={"Worker": {"replicas": 2, "updatedReplicas": 1}}),
        graph(services={"Worker": {"replicas": 2, "updatedReplicas": 1}}),
        service(state="NotReady"),
        service(state=""),
    ],
)
def test_a_workload_is_ready_only_when_its_operator_says_so_everywhere(of: dict[str, Any]) -> None:
    assert not read(of).is_ready


def test_a_nim_service_without_a_state_was_never_observed() -> None:
    assert not read(service(state="")).is_observed
    assert read(service(state="NotReady")).is_observed
    told = {"type": "Ready", "status": "True", "observedGeneration": 2}
    assert not read(service(conditions=(told,))).is_observed


def test_a_graph_serves_when_frontend_and_workers_are_ready_and_its_operator_agrees() -> None:
    status = judge(seen(graph(), frontend(), worker()), NOW)
    assert (status.phase, status.sentence) == (Phase.SERVING, "2 of 2 replicas ready.")
    assert [(r.role, r.gpus, r.current) for r in status.replicas] == [
        ("frontend", 0, True),
        ("worker", 1, True),
    ]


def test_prefill_and_decode_workers_are_all_wanted() -> None:
    wanted = dynamo(workers=2, prefill=1)
    roles = {"frontend": 1, "prefill": 1, "decode": 2}
    pods = [frontend(), worker("p", "prefill", gpus=2), worker("d", "decode")]
    status = judge(seen(graph(roles=roles), *pods, wanted=wanted, last_phase=Phase.SERVING), NOW)
    assert (status.phase, status.ready, status.wanted) == (Phase.DEGRADED, 3, 4)
    status = judge(seen(graph(roles=roles), *pods, worker("e", "decode"), wanted=wanted), NOW)
    assert (status.phase, status.wanted) == (Phase.SERVING, 4)


def test_the_autoscaler_of_a_graph_changes_the_number_of_its_decode_workers() -> None:
    wanted = dynamo(workers=1, prefill=2, autoscaling=True)
    roles = {"frontend": 1, "prefill": 2, "decode": 3}
    assert judge(seen(graph(roles=roles), wanted=wanted), NOW).wanted == 6
    assert judge(seen(None, wanted=wanted), NOW).wanted == 4


def test_a_crash_loop_is_a_failure_although_its_graph_stays_pending() -> None:
    of = graph(state="pending", ready="False", message=NOT_READY)
    status = judge(seen(of, frontend(), worker(**CRASHING)), NOW)
    assert (status.phase, status.code) == (Phase.FAILED, "gpu-memory")
    assert status.sentence == "1 of 2 replicas: The model and its context do not fit into the GPU memory."
    assert "per worker" in status.remedy


def test_a_frontend_alone_serves_nothing() -> None:
    of = graph(state="pending", ready="False")
    status = judge(seen(of, frontend(), worker(**LOADING), last_phase=Phase.LOADING), NOW)
    assert (status.phase, status.serving_revision) == (Phase.LOADING, None)
    assert status.sentence.startswith("Loading weights since")
    lost = judge(seen(of, frontend(), worker(**CRASHING), last_phase=Phase.SERVING), NOW)
    assert lost.phase is Phase.FAILED


def test_a_frontend_without_a_start_up_probe_gets_a_moment_to_answer() -> None:
    def starting(seconds: float) -> dict[str, Any]:
        made = frontend(ready=False, started=True, state=running(seconds))
        made["spec"]["containers"][0].pop("startupProbe")
        made["status"]["conditions"][1]["lastTransitionTime"] = ago(seconds + 5)
        return made

    of = graph(state="pending", ready="False")
    early = judge(seen(of, starting(20), worker(**LOADING)), NOW)
    assert early.phase is Phase.LOADING
    assert early.sentence.startswith("Starting since")
    assert early.replicas[0].label == "Starting"
    late = judge(seen(of, starting(80), worker(**LOADING)), NOW)
    assert (late.phase, late.code) == (Phase.FAILED, "never-answered")


def test_pods_that_are_ready_before_their_operator_says_so_are_waited_for() -> None:
    of = graph(state="pending", ready="False", message=NOT_READY)
    just, long = [frontend(), worker()], [frontend(), worker()]
    for made in just:
        made["status"]["conditions"][1]["lastTransitionTime"] = ago(5)
    status = judge(seen(of, *just, last_phase=Phase.LOADING), NOW)
    assert status.phase is Phase.LOADING
    assert status.sentence == "2 of 2 replicas ready. Waiting for the Dynamo operator to say so."
    status = judge(seen(of, *long, last_phase=Phase.LOADING), NOW)
    assert (status.phase, status.code) == (Phase.DEGRADED, "operator-not-ready")
    assert (
        "All replicas are ready, but the Dynamo operator does not say so: Resources not ready"
        in status.sentence
    )


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (graph(state="failed", ready="False", message="quota exceeded", observed=2), "Dynamo operator"),
        (
            graph(ready="False", message="quota exceeded", rollingUpdate={"phase": "Failed"}),
            "Dynamo operator",
        ),
        (service(state="Failed", conditions=(FAILED | {"message": "quota exceeded"},)), "NIM Operator"),
    ],
)
def test_a_failure_that_only_the_operator_knows_is_told_in_its_words(of: dict[str, Any], words: str) -> None:
    status = judge(seen(of), NOW)
    assert (status.phase, status.code) == (Phase.FAILED, "operator-failed")
    assert status.sentence == f"The {words} reports a failure: quota exceeded."
    assert words in status.remedy


def test_a_failure_that_a_pod_explains_is_told_by_the_pod() -> None:
    of = service(state="Failed", conditions=(FAILED,))
    status = judge(seen(of, pod("md-chat-5d6-x", **CRASHING)), NOW)
    assert status.code == "gpu-memory"


def test_an_operator_that_makes_no_pods_says_why() -> None:
    of = service(state="NotReady", conditions=({**FAILED, "type": "Ready", "status": "False"},))
    assert judge(seen(of), NOW).sentence == "The NIM Operator makes no replicas: no storage."
    late = service(
        state="NotReady",
        conditions=({**FAILED, "type": "Ready", "status": "False", "lastTransitionTime": ago(200)},),
    )
    assert judge(seen(late), NOW).phase is Phase.FAILED


def test_an_operator_that_does_not_act_is_named_with_since_when() -> None:
    of = graph(observed=2, state="", ready="Unknown")
    early = judge(seen(of, idle_since=NOW - timedelta(seconds=30)), NOW)
    assert (early.phase, early.sentence) == (
        Phase.QUEUED,
        "Waiting for the Dynamo operator to act on revision 1.",
    )
    status = judge(seen(of, idle_since=NOW - timedelta(minutes=3)), NOW)
    assert (status.phase, status.code) == (Phase.FAILED, "operator-idle")
    assert status.sentence == "The Dynamo operator has not acted on it since 13:57 UTC."
    assert "Look at the pods of the Dynamo operator" in status.remedy


@pytest.mark.parametrize("desired", [DesiredState.STOPPED, DesiredState.DELETED])
def test_an_operator_that_does_not_act_is_named_when_it_should_stop_or_delete(desired: DesiredState) -> None:
    of = graph(observed=2)
    of["metadata"]["deletionTimestamp"] = ago(180) if desired is DesiredState.DELETED else None
    status = judge(seen(of, worker(), desired=desired, idle_since=NOW - timedelta(minutes=3)), NOW)
    assert status.phase.is_moving
    assert "The Dynamo operator has not" in status.sentence
    assert "13:57 UTC" in status.sentence


def test_whether_an_operator_acts_is_seen_by_its_status_and_by_the_pods() -> None:
    def idle(of: dict[str, Any], *pods: dict[str, Any]) -> bool:
        found = seen(of, *pods)
        assert found.workload is not None
        return found.workload.is_idle(found.pods)

    assert idle(graph(observed=2), worker())
    assert not idle(graph(), worker())
    assert idle(service(), pod("md-chat-x", template=OLD))
    assert not idle(service(), pod("md-chat-x"))
    assert not idle(service(replicas=0))


def test_a_new_revision_of_a_graph_that_fails_leaves_the_old_one_serving() -> None:
    of = graph(state="pending", ready="False", revision=2)
    pods = [frontend(template=OLD), worker("old", template=OLD), worker("new", **CRASHING)]
    status = judge(seen(of, *pods, revision=2, last_phase=Phase.UPDATING), NOW)
    assert (status.phase, status.serving_revision) == (Phase.FAILED, 1)
    assert status.sentence.startswith("Revision 2 failed. ")
    assert status.sentence.endswith("Revision 1 still serves, with 2 of 2 replicas.")


def test_a_quota_that_refuses_pods_of_an_operator_is_found_at_the_replica_set() -> None:
    message = (
        'Error creating: pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, '
        "used: requests.nvidia.com/gpu=8, limited: 8"
    )
    made = event(
        "SuccessfulCreate", "Created pod", of="md-chat--graph-frontend-7c9", kind="ReplicaSet", seconds=5
    )
    refused = event("FailedCreate", message, of="md-chat--graph-worker-1a2b3c4d-5d6", kind="ReplicaSet")
    status = judge(seen(graph(state="pending", ready="False"), frontend(), events=[made, refused]), NOW)
    assert (status.phase, status.code) == (Phase.FAILED, "quota")
    assert status.sentence.startswith("Quota gpus does not allow another replica")


def test_objects_of_an_operator_that_cannot_be_listed_are_unknown() -> None:
    status = judge(
        seen(None, unreadable="Cannot list dynamographdeployments: conversion webhook failed."), NOW
    )
    assert (status.phase, status.code) == (Phase.UNKNOWN, "unreadable")
    assert "conversion webhook failed" in status.sentence
    deleting = judge(seen(None, desired=DesiredState.DELETED, unreadable="Cannot list."), NOW)
    assert deleting.phase is Phase.DELETING
    assert (
        judge(seen(None, desired=DesiredState.STOPPED, unreadable="Cannot list."), NOW).phase is Phase.UNKNOWN
    )


def test_gpus_are_told_as_the_pod_takes_them() -> None:
    short = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    of = graph(state="pending", ready="False", roles={"frontend": 1, "prefill": 1, "decode": 1})
    pods = [frontend(), worker("p", "prefill", gpus=2, ready=False, unschedulable=short)]
    status = judge(seen(of, *pods, wanted=dynamo(prefill=1)), NOW)
    assert "needs 2 GPUs free on one node" in status.sentence


PODS = st.builds(
    lambda role, name, **more: pod(f"md-chat-{role}-{name}", role, **more),
    st.sampled_from(["", "frontend", "worker", "prefill", "decode"]),
    st.integers(0, 9),
    template=st.sampled_from(["", OLD, NEW]),
    state=st.sampled_from([None, running(), waiting("ErrImagePull", "x"), waiting("CrashLoopBackOff")]),
    ready=st.booleans(),
    restarts=st.integers(0, 2),
    going=st.booleans(),
)
WORKLOADS = st.one_of(
    st.builds(
        graph,
        state=st.sampled_from(["", "initializing", "pending", "successful", "failed"]),
        ready=st.sampled_from(["True", "False", "Unknown"]),
        observed=st.integers(2, 3),
        revision=st.integers(1, 2),
        template=st.sampled_from(["", OLD, NEW]),
        roles=st.fixed_dictionaries({"frontend": st.just(1), "worker": st.integers(0, 3)}),
        alpha=st.booleans(),
        rollingUpdate=st.sampled_from(
            [{}, {"phase": "Pending"}, {"phase": "Completed"}, {"phase": "Failed"}]
        ),
    ),
    st.builds(
        service,
        state=st.sampled_from(["", "Pending", "NotReady", "Ready", "Failed"]),
        replicas=st.integers(0, 3),
        revision=st.integers(1, 2),
        template=st.sampled_from(["", OLD, NEW]),
    ),
)


@given(
    WORKLOADS,
    st.lists(PODS, max_size=6),
    st.sampled_from([dynamo(), dynamo(2), dynamo(1, prefill=1), nim(), nim(2)]),
    st.sampled_from([*Phase]),
    st.sampled_from([*DesiredState]),
    st.sampled_from([None, 10, 500]),
)
def test_green_is_only_said_when_pods_and_operator_agree(
    of: dict[str, Any], pods: list[Any], wanted: Any, last: Phase, desired: DesiredState, idle: int | None
) -> None:
    since = NOW - timedelta(seconds=idle) if idle else None
    found = seen(of, *pods, wanted=wanted, revision=2, last_phase=last, desired=desired, idle_since=since)
    status = judge(found, NOW)
    assert status.sentence.endswith((".", "…"))
    assert len(status.sentence) <= 500
    assert found.workload is not None
    if status.phase.tone is Tone.GOOD:
        ready = [replica for replica in status.replicas if replica.label == "Ready"]
        assert desired is DesiredState.RUNNING
        assert all(replica.current for replica in ready)
        assert len(ready) >= status.wanted == status.ready == wanted.pods_at_least
        assert found.workload.is_ready
        assert found.workload.is_observed
        assert found.applied_revision == 2
        if wanted.engine.dynamo:
            assert {"frontend", *(group.role for group in wanted.groups)} <= {
                replica.role for replica in ready
            }
    if status.phase is Phase.STOPPED:
        assert not pods
