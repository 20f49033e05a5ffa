"""Looking at a cluster: what is written, what it costs, and what happens when it does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.models import Notice
from deployments import desired, observer
from deployments.clusters import connections
from deployments.diagnosis import scheduling
from deployments.models import Cluster, Deployment, Observation, Transition
from deployments.vocabulary import Phase
from tests.deployments.rollouts.world import WORKLOAD, World


def look(world: World) -> bool:
    """One pass, due or not."""
    Cluster.objects.update(observe_due_at=None)
    return observer.observe(world.cluster.pk)


def seen(deployment: Deployment) -> Observation:
    return Observation.objects.get(deployment=deployment)


def until(world: World, deployment: Deployment, phase: Phase, seconds: float = 60) -> Observation:
    """Does what the workers do until a phase is seen."""
    end = time.monotonic() + seconds
    while True:
        from deployments.reconciler import reconcile

        reconcile(deployment.pk)
        look(world)
        found = Observation.objects.filter(deployment=deployment).first()
        if found is not None and found.phase == phase:
            return found
        assert time.monotonic() < end, f"{found and (found.phase, found.sentence)} instead of {phase}"
        time.sleep(0.05)


def test_a_deployment_comes_up_and_its_history_tells_the_steps(living: World) -> None:
    deployment = living.create()
    observation = until(living, deployment, Phase.SERVING)
    assert (observation.ready, observation.wanted, observation.revision) == (1, 1, 1)
    assert observation.sentence == "1 of 1 replica ready."
    replica = observation.details["replicas"][0]
    assert (replica["name"], replica["label"], replica["tone"], replica["revision"]) == (
        "md-chat-0",
        "Ready",
        "good",
        1,
    )
    assert replica["node"]
    order = [*Phase]
    steps = [
        order.index(Phase(after))
        for after in Transition.objects.order_by("at", "id").values_list("after", flat=True)
    ]
    assert steps == sorted(set(steps))
    living.rest(deployment)


def test_a_wrong_tag_fails_with_the_sentence_and_an_edit_heals_it(living: World) -> None:
    deployment = living.create(living.spec(tag="v0.0.0-none"))
    failed = until(living, deployment, Phase.FAILED)
    assert failed.sentence == "Cannot pull vllm/vllm-openai:v0.0.0-none: the image or tag does not exist."
    assert failed.remedy
    change = Transition.objects.filter(deployment=deployment, after=Phase.FAILED).latest("at")
    assert any(event["reason"] == "Failed" for event in change.evidence["events"])
    living.revise(deployment, living.spec())
    assert until(living, deployment, Phase.SERVING).revision == 2
    told = Notice.objects.order_by("at").values_list("kind", "subject", "remedy")
    assert list(told) == [
        ("deployment.failed", deployment.name, failed.remedy),
        ("deployment.recovered", deployment.name, ""),
    ]


def test_too_many_gpus_are_told_with_the_number(living: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "GRACE", timedelta(0))
    deployment = living.create(living.spec("large", gpus=16))
    failed = until(living, deployment, Phase.FAILED)
    assert failed.sentence.startswith("Not enough GPUs: a replica needs 16 GPUs free on one node")
    desired.delete(deployment, author=None)
    living.rest(deployment)


def test_a_stop_and_a_deletion_are_followed_to_their_end(living: World) -> None:
    deployment = living.create()
    until(living, deployment, Phase.SERVING)
    desired.stop(deployment, author=None)
    stopped = until(living, deployment, Phase.STOPPED, 90)
    assert stopped.ready == 0
    desired.delete(deployment, author=None)
    end = time.monotonic() + 90
    while Deployment.objects.exists():
        living.look(deployment)
        assert time.monotonic() < end
        time.sleep(0.1)
    assert living.objects() == {}


def test_a_workload_that_somebody_deleted_or_edited_comes_back_by_itself(living: World) -> None:
    deployment = living.create()
    until(living, deployment, Phase.SERVING)
    living.rest(deployment)
    for disturb in (
        lambda: living.remove(WORKLOAD),
        lambda: living.change(WORKLOAD, {"spec": {"replicas": 2}}),
    ):
        look(living)
        Deployment.objects.update(reconcile_due_at=timezone.now() + timedelta(hours=1))
        disturb()
        look(living)
        assert Deployment.objects.filter(reconcile_due_at__lte=timezone.now()).exists()
        until(living, deployment, Phase.SERVING, 90)
        assert living.objects("StatefulSet")[WORKLOAD]["spec"]["replicas"] == 1


def many(world: World, count: int) -> None:
    """Deployments with their observation, and a workload each in the cluster."""
    from deployments.document import to_mapping
    from deployments.models import Revision

    now = timezone.now()
    made = Deployment.objects.bulk_create(
        Deployment(name=f"many-{i}", model=world.model, endpoint=world.endpoint, applied_revision=1)
        for i in range(count)
    )
    revisions = Revision.objects.bulk_create(
        Revision(deployment=each, number=1, document=to_mapping(world.spec(each.name)), source={})
        for each in made
    )
    for each, revision in zip(made, revisions, strict=True):
        each.current = revision
    Deployment.objects.bulk_update(made, ["current"])
    Observation.objects.bulk_create(Observation(deployment=each, phase_since=now) for each in made)


def cost(world: World) -> tuple[int, int]:
    """(SQL statements, API requests) of one pass."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        requests = world.requests(lambda: look(world))
    return len(queries), requests


def test_a_pass_costs_the_same_for_ten_and_for_a_thousand_deployments(world: World) -> None:
    many(world, 10)
    observer_state_free(world)
    few = cost(world), cost(world)
    Observation.objects.all().delete()
    Deployment.objects.update(current=None)
    Deployment.objects.all().delete()
    many(world, 1000)
    observer_state_free(world)
    many_cost = cost(world), cost(world)
    assert few == many_cost
    assert many_cost[0][0] <= 12
    assert many_cost[0][1] == 13
    assert Observation.objects.filter(observed_at__isnull=False).count() == 1000


def observer_state_free(world: World) -> None:
    """The connection is there; what is measured is a pass."""
    connections.connect_to(world.cluster).version()


def test_an_unchanged_observation_is_only_seen_again(world: World) -> None:
    deployment = world.create()
    look(world)
    before = seen(deployment)
    with CaptureQueriesContext(connection) as queries:
        look(world)
    after = seen(deployment)
    assert after.observed_at > before.observed_at
    assert (after.phase_since, after.details) == (before.phase_since, before.details)
    assert not any("unnest" in query["sql"] for query in queries)
    assert Transition.objects.count() == 1


def test_an_older_look_does_not_overwrite_a_newer_one(world: World) -> None:
    deployment = world.create()
    future = timezone.now() + timedelta(hours=1)
    Observation.objects.update(observed_at=future, phase=Phase.SERVING)
    look(world)
    assert (seen(deployment).phase, seen(deployment).observed_at) == (Phase.SERVING, future)


def test_a_deployment_that_vanishes_during_the_look_is_no_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, kept = world.create(), world.create(world.spec("kept"))
    write = observer.write

    def delete_first(*arguments: Any) -> None:
        Deployment.objects.filter(pk=gone.pk).update(current=None)
        Deployment.objects.get(pk=gone.pk).delete()
        write(*arguments)

    monkeypatch.setattr(observer, "write", delete_first)
    assert look(world)
    assert [o.deployment_id for o in Observation.objects.filter(observed_at__isnull=False)] == [kept.pk]


def test_only_one_worker_looks_at_a_cluster_at_a_time(world: World) -> None:
    assert look(world)
    assert observer.due(timezone.now()) == []
    assert observer.observe(world.cluster.pk) is False


@pytest.mark.parametrize("failure", [{"status": 500}, {"drop": "before"}, {"status": 401}, {"status": 403}])
def test_a_cluster_that_does_not_answer_leaves_what_was_seen(
    world: World, fault: Callable[..., None], failure: dict[str, Any]
) -> None:
    deployment = world.create()
    look(world)
    before = seen(deployment)
    fault(match={"path": "statefulsets"}, **failure)
    assert look(world) is False
    first = Cluster.objects.get()
    assert first.unreachable_since is not None
    assert first.unreachable_reason.startswith("Cannot list statefulsets")
    assert seen(deployment).observed_at == before.observed_at
    assert look(world) is False
    assert Cluster.objects.get().unreachable_since == first.unreachable_since
    world.sandbox.ask("DELETE", "/sandbox/faults")
    assert look(world)
    assert Cluster.objects.get().unreachable_since is None


def test_a_kubeconfig_that_cannot_be_used_is_a_reason_and_no_crash(world: World) -> None:
    world.cluster.kubeconfig = "kind: Config"
    world.cluster.save()
    assert look(world) is False
    assert "context" in Cluster.objects.get().unreachable_reason


def test_a_new_kubeconfig_takes_effect_at_once(world: World) -> None:
    kept = connections.connect_to(world.cluster)
    assert connections.connect_to(Cluster.objects.get()) is kept
    world.cluster.kubeconfig = world.sandbox.kubeconfig.read_text().replace("token: ", "token: x")
    world.cluster.save()
    assert connections.connect_to(Cluster.objects.get()) is not kept
    with pytest.raises(Exception, match="credentials"):
        connections.connect_to(Cluster.objects.get()).api_groups()
