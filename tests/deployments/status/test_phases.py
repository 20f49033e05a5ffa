"""Which phase a deployment is in: never greener than the truth."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.seen import Seen, StoredRefusal
from deployments.status import is_trusted, judge, unreachable
from deployments.vocabulary import DesiredState, Phase, Tone
from tests.deployments.status.build import (
    NEW,
    NOW,
    OLD,
    claim,
    ended,
    event,
    pod,
    running,
    seen,
    spec,
    waiting,
    workload,
)

READY = pod(ready=True)
PULLING = event("Pulling", "Pulling image", seconds=20)
DENIED = StoredRefusal("quota", "The quota is used up.", "Raise the quota.", terminal=True)
LATER = StoredRefusal("server-error", "Cannot apply StatefulSet md-chat: busy.", "Wait.", terminal=False)


def phase_of(shown: Seen) -> Phase:
    return judge(shown, NOW).phase


@pytest.mark.parametrize(
    ("shown", "phase", "sentence"),
    [
        (seen(gone=True), Phase.QUEUED, "Waiting to be written to the cluster."),
        (seen(), Phase.QUEUED, "The cluster is making the replicas."),
        (seen(pod(unschedulable="no reason", unscheduled_for=1)), Phase.SCHEDULING, "No node takes"),
        (seen(pod(state=waiting("ContainerCreating"))), Phase.PULLING, "Preparing since"),
        (
            seen(pod(state=waiting("ContainerCreating")), events=[PULLING]),
            Phase.PULLING,
            "Pulling image since 13:59:40 UTC.",
        ),
        (seen(pod(state=running(100), started=False)), Phase.LOADING, "Loading weights since 13:58:20 UTC."),
        (seen(READY), Phase.SERVING, "1 of 1 replica ready."),
        (seen(READY, pod(1, ready=True)), Phase.SERVING, "2 of 2 replicas ready."),
    ],
)
def test_a_first_rollout_goes_through_its_steps(shown: Seen, phase: Phase, sentence: str) -> None:
    status = judge(shown, NOW)
    assert status.phase is phase
    assert status.sentence.startswith(sentence)


def test_some_replicas_of_a_first_rollout_ready_is_still_loading() -> None:
    status = judge(seen(READY, pod(1, state=running(), started=False), last_phase=Phase.LOADING), NOW)
    assert (status.phase, status.ready, status.wanted) == (Phase.LOADING, 1, 2)
    assert status.sentence == "1 of 2 replicas ready. md-chat-1: loading weights."


def test_a_replica_that_was_lost_makes_it_degraded() -> None:
    shown = seen(READY, wanted=spec(2), last_phase=Phase.SERVING)
    status = judge(shown, NOW)
    assert status.phase is Phase.DEGRADED
    assert status.sentence == "1 of 2 replicas ready. 1 replica is being made."


def test_a_replica_that_crashes_makes_it_degraded_with_the_reason() -> None:
    broken = pod(1, state=waiting("CrashLoopBackOff"), restarts=2, last=ended(137, "OOMKilled"))
    status = judge(seen(READY, broken, last_phase=Phase.SERVING), NOW)
    assert status.phase is Phase.DEGRADED
    assert status.sentence.startswith("1 of 2 replicas: The engine ran out of host memory")
    assert status.sentence.endswith("1 of 2 replicas ready.")


def test_more_replicas_than_before_is_a_rollout_and_no_failure() -> None:
    shown = seen(READY, pod(1, state=running(), started=False), last_phase=Phase.SERVING, last_wanted=1)
    assert phase_of(shown) is Phase.UPDATING
    assert phase_of(replace(shown, last_phase=Phase.UPDATING, last_wanted=2)) is Phase.UPDATING


def test_a_new_revision_is_updating_until_every_replica_runs_it() -> None:
    old, new = pod(0, ready=True, hash=OLD), pod(1, ready=True, hash=NEW)
    status = judge(seen(old, new, revision=2, last_phase=Phase.SERVING), NOW)
    assert status.phase is Phase.UPDATING
    assert status.sentence == "1 of 2 replicas ready at revision 2."
    assert [replica.revision for replica in status.replicas] == [1, 2]
    assert phase_of(seen(pod(0, ready=True), new, revision=2, last_phase=Phase.UPDATING)) is Phase.SERVING


def test_replicas_of_the_revision_before_are_never_told_as_those_of_a_new_one() -> None:
    of = workload(2, revision=1)
    status = judge(seen(READY, pod(1, ready=True), of=of, revision=2, last_phase=Phase.SERVING), NOW)
    assert status.phase is Phase.UPDATING
    assert status.sentence == "Revision 2 is being written to the cluster. 2 of 2 replicas ready."


def test_a_revision_that_fails_while_the_old_one_serves_is_failed_and_says_so() -> None:
    old, new = pod(0, ready=True, hash=OLD), pod(1, state=waiting("ErrImagePull", "not found"), hash=NEW)
    status = judge(seen(old, new, revision=2, last_phase=Phase.UPDATING), NOW)
    assert status.phase is Phase.FAILED
    assert status.sentence.endswith("Revision 1 still serves, with 1 of 2 replicas.")
    assert status.serving_revision == 1


def test_a_failed_pod_of_the_old_revision_does_not_speak_for_the_new_one() -> None:
    old = pod(0, state=waiting("ErrImagePull", "not found"), hash=OLD)
    assert phase_of(seen(old, revision=2, last_phase=Phase.FAILED)) is Phase.QUEUED
    written = workload(1, revision=1)
    status = judge(seen(pod(0, state=waiting("ErrImagePull", "not found")), of=written, revision=2), NOW)
    assert (status.phase, status.sentence) == (Phase.QUEUED, "Revision 2 is being written to the cluster.")


@pytest.mark.parametrize(
    "of",
    [
        workload(1, revision=0),
        workload(1, observedGeneration=2),
        workload(1, updateRevision=OLD),
        workload(1) | {"metadata": workload(1)["metadata"] | {"deletionTimestamp": "2026-11-23T13:00:00Z"}},
    ],
)
def test_a_workload_that_lags_behind_is_never_serving(of: dict[str, Any]) -> None:
    assert phase_of(seen(READY, of=of)) is not Phase.SERVING


def test_a_pod_on_its_way_out_does_not_count() -> None:
    assert phase_of(seen(pod(ready=True, going=True), wanted=spec(1))) is not Phase.SERVING
    assert phase_of(seen(READY, pod(1, ready=True, going=True), wanted=spec(1))) is Phase.SERVING


def test_a_workload_that_vanished_is_written_again() -> None:
    status = judge(seen(gone=True, last_phase=Phase.SERVING), NOW)
    assert status.phase is Phase.QUEUED
    assert "gone from the cluster" in status.sentence


def test_a_terminal_refusal_is_a_failure_and_a_passing_one_is_not() -> None:
    assert phase_of(seen(gone=True, refusal=DENIED)) is Phase.FAILED
    status = judge(seen(gone=True, refusal=LATER), NOW)
    assert (status.phase, status.sentence) == (Phase.QUEUED, LATER.sentence)


def test_a_refused_revision_says_what_still_serves() -> None:
    shown = seen(pod(0, ready=True, hash=OLD), of=workload(1, revision=1), revision=2, refusal=DENIED)
    assert judge(shown, NOW).sentence == "The quota is used up. Revision 1 still serves, with 1 of 1 replica."


@pytest.mark.parametrize(
    ("shown", "phase"),
    [
        (seen(READY, of=workload(1), desired=DesiredState.STOPPED), Phase.STOPPING),
        (seen(of=workload(1), desired=DesiredState.STOPPED), Phase.STOPPING),
        (seen(pod(ready=True, going=True), of=workload(0), desired=DesiredState.STOPPED), Phase.STOPPING),
        (seen(of=workload(0), desired=DesiredState.STOPPED), Phase.STOPPED),
        (seen(gone=True, desired=DesiredState.STOPPED), Phase.STOPPED),
        (seen(READY, claims=[claim()], desired=DesiredState.DELETED), Phase.DELETING),
        (seen(gone=True, desired=DesiredState.DELETED), Phase.DELETING),
    ],
)
def test_stopping_and_deleting_end_when_nothing_runs(shown: Seen, phase: Phase) -> None:
    assert phase_of(shown) is phase


def test_a_deployment_that_starts_again_is_queued_first() -> None:
    assert phase_of(seen(of=workload(0), wanted=spec(1), last_phase=Phase.STOPPED)) is Phase.QUEUED


def test_the_autoscaler_decides_how_many_are_wanted() -> None:
    wanted = spec(1, autoscaling=True)
    three = [pod(i, ready=True) for i in range(3)]
    assert judge(seen(*three, of=workload(3), wanted=wanted), NOW).wanted == 3
    assert judge(seen(gone=True, wanted=wanted), NOW).wanted == 1


def test_a_pod_that_does_not_stop_is_a_remark() -> None:
    stuck = pod(ready=True, going=True)
    stuck["metadata"]["deletionTimestamp"] = "2026-11-23T13:00:00Z"
    status = judge(seen(stuck, desired=DesiredState.STOPPED, of=workload(0)), NOW)
    assert "its node may be down" in status.remarks[0]


def test_an_old_observation_is_not_trusted() -> None:
    assert is_trusted(NOW - timedelta(seconds=60), NOW)
    assert not is_trusted(NOW - timedelta(seconds=61), NOW)
    assert not is_trusted(None, NOW)


def test_a_silent_cluster_is_named_with_since_when_and_what_was_known() -> None:
    sentence, remedy = unreachable(
        "fra-1", NOW, "Cannot list pods: the connection is refused.", "serving, 2 of 2 replicas ready"
    )
    assert sentence == (
        "Cluster fra-1 has not answered since 14:00 UTC: cannot list pods: the connection is refused. "
        "Last known: serving, 2 of 2 replicas ready."
    )
    assert remedy


PODS = st.builds(
    pod,
    st.integers(0, 5),
    st.sampled_from(
        [
            None,
            running(),
            waiting("ErrImagePull", "x"),
            waiting("CrashLoopBackOff"),
            waiting("ContainerCreating"),
        ]
    ),
    hash=st.sampled_from([OLD, NEW]),
    ready=st.booleans(),
    started=st.sampled_from([None, True, False]),
    restarts=st.integers(0, 3),
    last=st.sampled_from([None, ended(), ended(0, "Completed")]),
    unschedulable=st.sampled_from(["", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."]),
    going=st.booleans(),
)


@given(
    st.lists(PODS, max_size=5),
    st.integers(1, 4),
    st.sampled_from([*Phase]),
    st.sampled_from([*DesiredState]),
    st.booleans(),
    st.integers(1, 2),
)
def test_green_is_only_said_when_all_that_is_wanted_is_there(
    pods: list[dict[str, Any]], replicas: int, last: Phase, desired: DesiredState, gone: bool, written: int
) -> None:
    shown = seen(
        *pods,
        wanted=spec(replicas),
        last_phase=last,
        desired=desired,
        gone=gone,
        of=workload(replicas, revision=written),
        revision=2,
    )
    status = judge(shown, NOW)
    assert status.sentence.endswith((".", "…"))
    assert len(status.sentence) <= 500
    if status.phase.tone is Tone.GOOD:
        assert (
            status.ready
            == status.wanted
            == replicas
            == sum(r.current and r.label == "Ready" for r in status.replicas)
        )
        assert written == 2
        assert desired is DesiredState.RUNNING
    if status.phase is Phase.STOPPED:
        assert not pods
