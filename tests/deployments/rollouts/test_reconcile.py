"""One deployment made as it is wanted: created, left alone, changed, repaired, refused, stopped, deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deployments import desired
from deployments.models import Deployment, Revision
from deployments.reconciler import due, reconcile
from deployments.vocabulary import DesiredState
from tests.deployments.rollouts.world import WORKLOAD, World


def test_everything_that_is_wanted_is_made_and_then_left_alone(world: World) -> None:
    deployment = world.create(world.spec(secret=True))
    world.rest(deployment)
    made = world.objects()
    assert [*made] == [
        WORKLOAD,
        "Service/md-chat",
        "Service/md-chat--pods",
        "Secret/md-chat--env",
        "Ingress/md-chat",
    ]
    deployment.refresh_from_db()
    assert (deployment.applied_revision, deployment.refusal, deployment.attempts) == (1, None, 0)
    assert world.written(lambda: world.look(deployment)) == 0
    assert world.objects() == made


def test_looks_at_rest_cost_a_fixed_number_of_requests(world: World) -> None:
    first = world.create()
    world.rest(first)
    alone = world.requests(lambda: world.look(first))
    for number in range(3):
        world.rest(world.create(world.spec(f"other-{number}")))
    assert world.requests(lambda: world.look(first)) == alone <= 7


def test_a_look_that_is_not_due_does_nothing(world: World) -> None:
    deployment = world.create()
    world.rest(deployment)
    assert world.requests(lambda: reconcile(deployment.pk)) == 0
    assert reconcile(deployment.pk) is None
    assert due(timezone.now(), 10) == []


def test_a_deployment_that_another_worker_holds_is_left_to_it(world: World) -> None:
    """E3."""
    deployment = world.create()
    Deployment.objects.update(claimed_until=timezone.now() + timedelta(seconds=30))
    assert reconcile(deployment.pk) is None
    assert due(timezone.now(), 10) == []
    later = timezone.now() + timedelta(seconds=31)
    assert due(later, 10) == [deployment.pk]


def test_a_new_revision_changes_only_the_workload(world: World) -> None:
    deployment = world.create()
    world.rest(deployment)
    world.revise(deployment, world.spec(arguments=("--max-model-len", "1024")))
    assert world.written(lambda: world.rest(deployment)) == 1
    workload = world.objects("StatefulSet")[WORKLOAD]
    assert "1024" in workload["spec"]["template"]["spec"]["containers"][0]["args"]
    assert workload["metadata"]["labels"]["slipway/revision"] == "2"


def test_a_new_value_of_a_secret_reaches_the_secret_and_restarts_the_replicas(world: World) -> None:
    deployment = world.create(world.spec(secret=True))
    world.rest(deployment)
    before = world.objects("Secret", "StatefulSet")
    deployment.refresh_from_db()
    desired.revise(
        deployment, world.spec(secret=True), author=None, expected=1, secrets={"API_TOKEN": "another"}
    )
    world.rest(deployment)
    after = world.objects("Secret", "StatefulSet")
    assert before["Secret/md-chat--env"]["data"] != after["Secret/md-chat--env"]["data"]
    templates = [objects[WORKLOAD]["spec"]["template"]["metadata"] for objects in (before, after)]
    assert templates[0] != templates[1]


def test_no_secret_stands_anywhere_but_in_the_secret(world: World) -> None:
    world.rest(world.create(world.spec(secret=True)))
    others = {title: item for title, item in world.objects().items() if not title.startswith("Secret/")}
    assert "canary" not in repr(others)
    assert "Y2FuYXJ5" not in repr(others)


@pytest.mark.parametrize(
    ("title", "patch"),
    [
        (WORKLOAD, {"spec": {"replicas": 7}}),
        (WORKLOAD, {"metadata": {"labels": {"slipway/revision": "99"}}}),
        ("Service/md-chat", {"spec": {"selector": {"slipway/deployment": "other"}}}),
        ("Secret/md-chat--env", {"data": {"API_TOKEN": "b3RoZXI="}}),
        ("Ingress/md-chat", {"spec": {"rules": []}}),
    ],
)
def test_an_edit_by_somebody_else_is_repaired(world: World, title: str, patch: dict[str, Any]) -> None:
    """E11."""
    deployment = world.create(world.spec(secret=True))
    world.rest(deployment)
    before = world.state()
    world.change(title, patch)
    assert world.state() != before
    world.rest(deployment)
    assert world.state() == before


@pytest.mark.parametrize("title", [WORKLOAD, "Service/md-chat", "Secret/md-chat--env", "Ingress/md-chat"])
def test_an_object_that_somebody_deleted_is_made_again(world: World, title: str) -> None:
    """E11."""
    deployment = world.create(world.spec(secret=True))
    world.rest(deployment)
    before = world.state()
    world.remove(title)
    world.rest(deployment)
    assert world.state() == before


def test_what_somebody_else_made_under_our_name_is_refused_and_untouched(world: World) -> None:
    """E8."""
    world.make("Service/md-chat", {"spec": {"ports": [{"port": 1}]}})
    before = world.objects()
    deployment = world.create()
    world.look(deployment)
    deployment.refresh_from_db()
    assert deployment.refusal is not None
    assert deployment.refusal["terminal"] is True
    assert deployment.refusal["code"] == "foreign-object"
    assert "Service md-chat" in deployment.refusal["sentence"]
    assert world.objects() == before
    world.remove("Service/md-chat")
    world.rest(deployment)
    deployment.refresh_from_db()
    assert (deployment.refusal, deployment.applied_revision) == (None, 1)


def test_a_namespace_that_does_not_exist_is_named_with_the_remedy(world: World) -> None:
    world.endpoint.namespace = "nowhere"
    world.endpoint.save()
    deployment = world.create()
    world.look(deployment)
    deployment.refresh_from_db()
    assert deployment.refusal is not None
    assert deployment.refusal["terminal"] is True
    assert deployment.refusal["remedy"] == "Create the namespace nowhere."


def test_the_autoscaler_gets_the_replicas_without_a_collapse_and_gives_them_back(world: World) -> None:
    deployment = world.create(world.spec(replicas=3))
    world.rest(deployment)
    world.revise(deployment, world.spec(replicas=3, autoscaling=True))
    world.rest(deployment)
    assert world.objects("StatefulSet")[WORKLOAD]["spec"]["replicas"] == 3
    assert "HorizontalPodAutoscaler/md-chat" in world.objects("HorizontalPodAutoscaler")
    world.change(WORKLOAD, {"spec": {"replicas": 2}})
    assert world.written(lambda: world.look(deployment)) == 0
    world.revise(deployment, world.spec(replicas=1))
    world.rest(deployment)
    assert world.objects("StatefulSet")[WORKLOAD]["spec"]["replicas"] == 1
    assert world.objects("HorizontalPodAutoscaler") == {}


def test_a_stop_keeps_everything_but_the_replicas_and_a_start_brings_them_back(world: World) -> None:
    deployment = world.create(world.spec(autoscaling=True))
    world.rest(deployment)
    desired.stop(deployment, author=None)
    world.rest(deployment)
    assert world.objects("StatefulSet")[WORKLOAD]["spec"]["replicas"] == 0
    desired.start(deployment, author=None)
    world.rest(deployment)
    assert world.objects("StatefulSet")[WORKLOAD]["spec"]["replicas"] == 2


def test_a_deletion_leaves_nothing_in_the_cluster_and_no_record(world: World) -> None:
    deployment = world.create(world.spec(secret=True, autoscaling=True))
    other = world.create(world.spec("other"))
    world.rest(deployment)
    world.rest(other)
    desired.delete(deployment, author=None)
    world.rest(deployment)
    assert not Deployment.objects.filter(pk=deployment.pk).exists()
    assert not Revision.objects.filter(deployment_id=deployment.pk).exists()
    assert {title.split("/")[1].split("--")[0] for title in world.objects()} == {"md-other"}


def test_a_deployment_that_never_reached_the_cluster_can_be_deleted(world: World) -> None:
    deployment = world.create()
    desired.delete(deployment, author=None)
    world.rest(deployment)
    assert not Deployment.objects.exists()


def test_objects_of_others_survive_the_deletion(world: World) -> None:
    deployment = world.create()
    world.rest(deployment)
    world.change("Ingress/md-chat", {"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}})
    desired.delete(deployment, author=None)
    world.rest(deployment)
    assert [*world.objects()] == ["Ingress/md-chat"]


def test_a_wish_that_comes_while_a_worker_is_busy_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E3."""
    from deployments import reconciler

    deployment = world.create()
    finish = reconciler._finish

    def wish_first(*arguments: Any) -> float:
        desired.stop(deployment, author=None)
        return finish(*arguments)

    monkeypatch.setattr(reconciler, "_finish", wish_first)
    assert world.look(deployment) == 0
    monkeypatch.undo()
    assert reconcile(deployment.pk) is not None
    assert world.objects("StatefulSet")[WORKLOAD]["spec"]["replicas"] == 0


def test_a_wish_that_comes_between_reading_and_writing_stops_the_writing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E3."""
    from deployments import reconciler

    deployment = world.create()
    plan = reconciler.plan

    def wish_first(*arguments: Any, **more: Any) -> Any:
        world.revise(deployment, world.spec(arguments=("--seed", "1")))
        return plan(*arguments, **more)

    monkeypatch.setattr(reconciler, "plan", wish_first)
    assert world.look(deployment) == 0
    assert world.objects() == {}
    monkeypatch.undo()
    assert reconcile(deployment.pk) is not None
    assert world.objects("StatefulSet")[WORKLOAD]["metadata"]["labels"]["slipway/revision"] == "2"


def test_a_claim_that_ran_out_writes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """E2, E3."""
    from deployments import reconciler

    deployment = world.create()
    monkeypatch.setattr(reconciler, "LAST_REQUEST", timedelta(0))
    assert world.written(lambda: world.look(deployment)) == 0
    deployment.refresh_from_db()
    assert deployment.claimed_until is not None
    assert deployment.applied_revision == 0


def test_a_slow_worker_renews_its_claim(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from deployments import reconciler

    deployment = world.create()
    monkeypatch.setattr(reconciler, "RENEW_AFTER", timedelta(0))
    world.look(deployment)
    deployment.refresh_from_db()
    assert (deployment.applied_revision, deployment.claimed_until) == (1, None)


def test_an_engine_that_cannot_be_rendered_is_refused_with_its_sentence(world: World) -> None:
    world.model.source_kind = "ngc"
    world.model.save()
    deployment = world.create()
    world.look(deployment)
    deployment.refresh_from_db()
    assert deployment.refusal is not None
    assert deployment.refusal["terminal"] is True
    assert "NGC" in deployment.refusal["sentence"]


def test_a_deletion_wins_over_a_refusal(world: World) -> None:
    deployment = world.create()
    world.rest(deployment)
    world.revise(deployment, world.spec(volume="20Gi"))
    world.look(deployment)
    desired.delete(deployment, author=None)
    world.rest(deployment)
    assert not Deployment.objects.filter(desired_state=DesiredState.DELETED).exists()
    assert world.objects() == {}
