"""One replica more first: in a cluster that lives, with revisions, stops and deaths in the middle (E2, E3, E9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deployments import desired
from deployments.kube.client import Cluster as Connection
from deployments.models import Deployment
from deployments.reconciler import reconcile
from deployments.spec import Variable
from tests.deployments.rollouts.driving import (
    drive,
    is_rolled,
    numbers,
    pods,
    ready,
    replacing,
    settle,
    surging,
    turn,
)
from tests.deployments.rollouts.test_faults import ASK, Killed
from tests.deployments.rollouts.world import WORKLOAD, World

OLD, NEW, NEWER = "v0.33.0", "v0.33.1", "v0.32.0"
CLAIMS = [f"PersistentVolumeClaim/data-md-chat-{number}" for number in range(4)]


def serving(world: World, replicas: int = 2, **more: Any) -> Deployment:
    deployment = world.create(surging(world.spec(replicas=replicas, **more)))
    drive(world, deployment, is_rolled(world, deployment, 1))
    return settle(world, deployment)


def writes(world: World, work: Callable[[], object]) -> int:
    """Writes to workloads during the work."""
    world.sandbox.ask("DELETE", "/sandbox/requests")
    work()
    _status, told, _headers = world.sandbox.ask("GET", "/sandbox/requests")
    return sum(
        each["count"]
        for each in told["requests"]
        if each["resource"] == "statefulsets" and each["verb"] not in ("get", "list", "watch")
    )


def watched(world: World, least: int) -> Callable[[], bool]:
    """Never holds; fails when fewer replicas serve."""

    def holds() -> bool:
        assert ready(world) >= least, pods(world)
        return False

    return holds


def test_a_change_takes_three_writes_and_as_many_as_before_serve_all_the_time(living: World) -> None:
    deployment = serving(living)
    living.revise(deployment, surging(living.spec(replicas=2, tag=NEW)))
    enough, done = watched(living, 2), is_rolled(living, deployment, 2)
    assert writes(living, lambda: drive(living, deployment, lambda: enough() or done())) == 3
    assert pods(living) == {"md-chat-0": (NEW, True), "md-chat-1": (NEW, True)}
    assert numbers(living) == (2, 0, "")
    settle(living, deployment)
    assert [*living.objects("PersistentVolumeClaim")] == CLAIMS[:2]
    assert living.written(lambda: living.look(deployment)) == 0


def test_in_place_one_variable_costs_exactly_one_write_to_the_workload(living: World) -> None:
    deployment = serving(living)
    from dataclasses import replace

    changed = replace(
        replacing(living.spec(replicas=2)), environment=(Variable("VLLM_LOGGING_LEVEL", "DEBUG"),)
    )
    living.revise(deployment, changed)
    done = is_rolled(living, deployment, 2)
    assert living.written(lambda: drive(living, deployment, done)) == 1


@pytest.mark.parametrize("after", [1, 3])
def test_replicas_that_come_or_go_with_the_revision_are_the_spare_ones(living: World, after: int) -> None:
    deployment = serving(living)
    living.revise(deployment, surging(living.spec(replicas=after, tag=NEW)))
    enough, done = watched(living, min(after, 2)), is_rolled(living, deployment, 2)
    seen = drive(living, deployment, lambda: enough() or done())
    assert {name: tag for name, (tag, _) in pods(living).items()} == {
        f"md-chat-{number}": NEW for number in range(after)
    }
    assert max(body["spec"]["replicas"] for body in seen if body) == max(2, after)
    assert numbers(living) == (after, 0, "")


def test_an_extra_replica_that_fails_changes_nothing_for_the_old_ones_and_a_new_revision_heals(
    living: World,
) -> None:
    """E9: an image that cannot be pulled; the old replicas keep serving, before and after the roll back."""
    deployment = serving(living)
    living.revise(deployment, surging(living.spec(replicas=2, tag="v0.0.0-none")))
    drive(living, deployment, lambda: "md-chat-2" in pods(living))
    for _ in range(20):
        turn(living, deployment)
    assert pods(living)["md-chat-0"] == pods(living)["md-chat-1"] == (OLD, True)
    assert numbers(living) == (3, 2, "extra")
    uids = {name: body["metadata"]["uid"] for name, body in living.objects("Pod").items()}
    living.revise(deployment, surging(living.spec(replicas=2)))
    drive(living, deployment, is_rolled(living, deployment, 3))
    assert numbers(living) == (2, 0, "")
    after = living.objects("Pod")
    assert {name: body["metadata"]["uid"] for name, body in after.items()} == {
        name: uid for name, uid in uids.items() if name != "Pod/md-chat-2"
    }


def test_an_extra_replica_without_a_place_waits_and_replacing_in_place_ends_the_waiting(
    living: World,
) -> None:
    """E9: no GPU is free for it."""
    deployment = serving(living, gpus=6)
    living.revise(deployment, surging(living.spec(replicas=2, gpus=6, tag=NEW)))
    drive(living, deployment, lambda: "md-chat-2" in pods(living))
    for _ in range(10):
        turn(living, deployment)
    assert pods(living) == {"md-chat-0": (OLD, True), "md-chat-1": (OLD, True), "md-chat-2": (NEW, False)}
    living.revise(deployment, replacing(living.spec(replicas=2, gpus=6, tag=NEW)))
    drive(living, deployment, is_rolled(living, deployment, 3), 120)
    assert {tag for tag, _ in pods(living).values()} == {NEW}
    settle(living, deployment)
    assert [*living.objects("PersistentVolumeClaim")] == CLAIMS[:2]


def test_a_further_revision_in_the_middle_ends_with_the_newest_and_enough_serve(living: World) -> None:
    deployment = serving(living)
    living.revise(deployment, surging(living.spec(replicas=2, tag=NEW)))
    drive(living, deployment, lambda: pods(living).get("md-chat-2") == (NEW, True))
    living.revise(deployment, surging(living.spec(replicas=2, tag=NEWER)))
    enough, done = watched(living, 2), is_rolled(living, deployment, 3)
    drive(living, deployment, lambda: enough() or done())
    assert {tag for tag, _ in pods(living).values()} == {NEWER}
    assert numbers(living) == (2, 0, "")


def test_a_stop_in_the_middle_stops_and_a_start_runs_the_new_revision(living: World) -> None:
    deployment = serving(living)
    living.revise(deployment, surging(living.spec(replicas=2, tag=NEW)))
    drive(living, deployment, lambda: "md-chat-2" in pods(living))
    desired.stop(deployment, author=None)
    drive(living, deployment, lambda: not pods(living))
    assert numbers(living) == (0, 0, "")
    assert [*living.objects("PersistentVolumeClaim")] == CLAIMS[:2]
    desired.start(deployment, author=None)
    drive(living, deployment, is_rolled(living, deployment, 2))
    assert numbers(living) == (2, 0, "")


def test_a_deletion_in_the_middle_leaves_nothing(living: World) -> None:
    deployment = serving(living)
    living.revise(deployment, surging(living.spec(replicas=2, tag=NEW)))
    drive(living, deployment, lambda: "md-chat-2" in pods(living))
    desired.delete(deployment, author=None)
    drive(living, deployment, lambda: not Deployment.objects.exists() or living.look(deployment) is None)
    assert living.objects() == {}


def test_a_worker_that_dies_at_any_step_of_the_rollout_is_followed_by_one_that_finishes(
    living: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E2: before and after each write of the rollout."""
    deployment = serving(living, replicas=1)
    for number, after in enumerate((False, True), start=2):
        living.revise(deployment, surging(living.spec(tag=NEW if number == 2 else OLD)))
        deaths = 0
        killed: set[int] = set()

        def counted(
            self: Connection,
            method: str,
            *arguments: Any,
            after: bool = after,
            killed: set[int] = killed,
            **more: Any,
        ) -> Any:
            if method not in ("PATCH", "DELETE"):
                return ASK(self, method, *arguments, **more)
            stage = hash((method, arguments[0], numbers(living)))
            if stage in killed:
                return ASK(self, method, *arguments, **more)
            killed.add(stage)
            if after:
                ASK(self, method, *arguments, **more)
            raise Killed

        monkeypatch.setattr(Connection, "_ask", counted)
        done = is_rolled(living, deployment, number)
        while not done():
            try:
                drive(living, deployment, done)
            except Killed:
                deaths += 1
                Deployment.objects.update(claimed_until=None, reconcile_due_at=deployment.changed_at)
        monkeypatch.setattr(Connection, "_ask", ASK)
        assert deaths >= 3
        assert numbers(living) == (1, 0, "")
        settle(living, deployment)
        assert [*living.objects("PersistentVolumeClaim")] == CLAIMS[:1]


def test_looks_that_come_too_often_write_nothing_more(living: World) -> None:
    """E3: the same message over and over while the extra replica starts."""
    deployment = serving(living)
    living.revise(deployment, surging(living.spec(replicas=2, tag="v0.0.0-none")))
    assert living.written(lambda: [living.look(deployment) for _ in range(4)]) == 1
    assert reconcile(deployment.pk) is None
    assert living.objects("StatefulSet")[WORKLOAD]["spec"]["replicas"] == 3
