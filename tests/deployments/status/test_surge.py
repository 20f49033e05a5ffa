"""A rollout that starts one replica more first: the extra one is shown as such, and nothing is lost while it waits."""

from dataclasses import replace
from typing import Any

from deployments.plan.surge import EXTRA, SURGE_ANNOTATION
from deployments.seen import Seen
from deployments.status import judge
from deployments.vocabulary import Phase, Tone
from tests.deployments.status import operated
from tests.deployments.status.build import NEW, NOW, OLD, ended, pod, running, seen, spec, waiting, workload

SHORT = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."


def surge(extra: dict[str, Any], *others: dict[str, Any], partition: int = 2, **more: Any) -> Seen:
    """Two replicas are wanted; a third one of revision 2 is ordered."""
    of = workload(3, revision=2)
    of["metadata"]["annotations"] = {SURGE_ANNOTATION: EXTRA}
    of["spec"]["updateStrategy"] = {"rollingUpdate": {"partition": partition}}
    olds = others or (pod(0, ready=True, hash=OLD), pod(1, ready=True, hash=OLD))
    return seen(*olds, extra, of=of, wanted=spec(2), revision=2, **({"last_phase": Phase.UPDATING} | more))


def test_the_extra_replica_is_marked_and_the_wanted_number_stays() -> None:
    status = judge(surge(pod(2, state=running(), started=False)), NOW)
    assert (status.phase, status.ready, status.wanted) == (Phase.UPDATING, 2, 2)
    assert [replica.extra for replica in status.replicas] == [False, False, True]
    assert status.sentence == "0 of 2 replicas ready at revision 2. md-chat-2: loading weights."


def test_an_extra_replica_without_a_gpu_is_waited_for_and_nothing_is_lost() -> None:
    status = judge(surge(pod(2, unschedulable=SHORT)), NOW)
    assert (status.phase, status.code) == (Phase.UPDATING, "surge-waits")
    assert status.sentence == (
        "The extra replica of revision 2 waits for a GPU. Revision 1 still serves, with 2 of 2 replicas."
    )
    assert status.remedy == "Free a GPU, or choose Replace in place."
    assert [(r.label, r.tone) for r in status.replicas][-1] == ("Waiting for a node", Tone.WARN)


def test_an_extra_replica_that_finds_no_node_says_why() -> None:
    short = "0/2 nodes are available: 2 Insufficient memory."
    status = judge(surge(pod(2, unschedulable=short)), NOW)
    assert status.sentence.startswith("The extra replica of revision 2 waits for a node. Not enough memory")
    assert status.remedy.endswith(", or choose Replace in place.")


def test_an_extra_replica_that_crashes_is_a_failure_and_the_old_ones_serve() -> None:
    crashed = pod(2, state=waiting("CrashLoopBackOff"), restarts=2, last=ended(137, "OOMKilled"))
    status = judge(surge(crashed), NOW)
    assert (status.phase, status.code, status.serving_revision) == (Phase.FAILED, "oom", 1)
    assert status.sentence.startswith("Revision 2 failed. 1 of 2 replicas: The engine ran out of host memory")
    assert status.sentence.endswith("Revision 1 still serves, with 2 of 2 replicas.")


def test_a_replica_that_is_replaced_in_place_and_finds_no_gpu_is_a_failure() -> None:
    old, new = pod(0, ready=True, hash=OLD), pod(1, unschedulable=SHORT, hash=NEW)
    status = judge(seen(old, new, wanted=spec(2), revision=2, last_phase=Phase.UPDATING), NOW)
    assert (status.phase, status.code) == (Phase.FAILED, "gpu")


def test_when_the_extra_replica_is_ready_the_others_follow_and_it_goes_last() -> None:
    extra = pod(2, ready=True)
    first = surge(extra, pod(0, ready=True, hash=OLD), pod(1, state=running(), started=False), partition=0)
    status = judge(first, NOW)
    assert (status.phase, status.ready) == (Phase.UPDATING, 2)
    assert status.sentence == "1 of 2 replicas ready at revision 2. md-chat-1: loading weights."
    every = surge(extra, pod(0, ready=True), pod(1, ready=True), partition=0)
    assert judge(every, NOW).phase is Phase.UPDATING
    alone = surge(extra, pod(0, ready=True, hash=OLD, going=True), partition=0)
    assert len(alone.pods) == 2
    assert judge(replace(alone, spec=spec(1)), NOW).phase is Phase.UPDATING
    gone = seen(
        pod(0, ready=True),
        pod(1, ready=True),
        pod(2, ready=True, going=True),
        of=workload(2, revision=2),
        wanted=spec(2),
        revision=2,
        last_phase=Phase.UPDATING,
    )
    assert judge(gone, NOW).phase is Phase.SERVING


def test_a_replica_that_somebody_ordered_by_hand_is_a_remark() -> None:
    ready = [pod(i, ready=True) for i in range(3)]
    for last in (Phase.SERVING, Phase.LOADING, Phase.UPDATING):
        status = judge(seen(*ready, of=workload(3), wanted=spec(2), last_phase=last), NOW)
        assert (status.phase, status.sentence) == (Phase.SERVING, "2 of 2 replicas ready.")
    assert status.remarks == ("1 replica more than wanted runs.",)


def test_a_graphs_extra_worker_is_waited_for_as_well() -> None:
    of = operated.graph(state="pending", ready="False", revision=2)
    olds = [operated.frontend(template=operated.OLD), operated.worker("o", template=operated.OLD)]
    extra = operated.worker("n", ready=False, unschedulable=SHORT)
    status = judge(operated.seen(of, *olds, extra, revision=2, last_phase=Phase.UPDATING), NOW)
    assert (status.phase, status.code) == (Phase.UPDATING, "surge-waits")
    assert status.sentence.endswith("Revision 1 still serves, with 2 of 2 replicas.")


def test_a_long_reason_never_cuts_off_what_still_serves() -> None:
    new = pod(1, state=waiting("CreateContainerError", "x" * 900), hash=NEW)
    status = judge(seen(pod(0, ready=True, hash=OLD), new, wanted=spec(2), revision=2), NOW)
    assert status.sentence.endswith(
        "… Revision 1 still serves, with 1 of 2 replicas."
    ) or status.sentence.endswith(". Revision 1 still serves, with 1 of 2 replicas.")
    assert len(status.sentence) <= 481


def test_pods_whose_workload_is_being_made_again_still_serve() -> None:
    ready = [pod(i, ready=True) for i in range(2)]
    status = judge(seen(*ready, gone=True, wanted=spec(2), last_phase=Phase.SERVING), NOW)
    assert status.phase is Phase.UPDATING
    assert status.sentence == "2 of 2 replicas ready. Their workload is not there: Slipway writes it again."
