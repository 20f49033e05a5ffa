"""A volume never shrinks below what the cluster has; what happens to hand-made changes is a wish like any other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from console.models import User
from deployments import desired
from deployments.document import InvalidDocument
from deployments.models import Deployment
from deployments.spec import DeploymentSpec, DynamoSpec
from deployments.vocabulary import DriftPolicy, Engine
from tests.deployments.pages import world
from tests.deployments.pages.world import spec

LEFT: dict[str, Any] = {
    "at": "2026-11-23T12:00:00+00:00",
    "policy": "leave",
    "changes": [],
    "repaired": False,
}


def sized(volume: str) -> DeploymentSpec:
    return replace(spec(), engine=replace(spec().engine, volume=volume))


@pytest.fixture
def applied() -> Deployment:
    """Revision 1, with 100Gi, is in the cluster; nothing is due."""
    made = world.deployment()
    Deployment.objects.update(applied_revision=1, reconcile_due_at=None)
    made.refresh_from_db()
    return made


def revise(deployment: Deployment, wanted: DeploymentSpec) -> None:
    deployment.refresh_from_db()
    assert deployment.current is not None
    desired.revise(deployment, wanted, author=None, expected=deployment.current.number)


def test_a_smaller_volume_is_refused_when_it_is_saved_with_the_way_out(applied: Deployment) -> None:
    with pytest.raises(InvalidDocument) as refused:
        revise(applied, sized("50Gi"))
    [problem] = refused.value.problems
    assert problem.path == "spec.engine.volume"
    assert "from 100Gi to 50Gi" in problem.message
    assert "Set it back to 100Gi" in problem.message


def test_the_same_size_in_other_words_and_a_larger_one_are_saved(applied: Deployment) -> None:
    revise(applied, sized("102400Mi"))
    revise(applied, sized("1Ti"))


def test_a_size_that_the_cluster_never_took_may_be_taken_back(applied: Deployment) -> None:
    revise(applied, sized("200Gi"))
    revise(applied, sized("100Gi"))
    with pytest.raises(InvalidDocument):
        revise(applied, sized("99Gi"))


def test_volumes_that_are_made_with_each_pod_may_shrink(applied: Deployment) -> None:
    engine = replace(spec().engine, kind=Engine.DYNAMO, dynamo=DynamoSpec())
    revise(applied, replace(spec(), engine=engine))
    Deployment.objects.update(applied_revision=2)
    revise(applied, replace(spec(), engine=replace(engine, volume="1Gi")))


def test_a_policy_for_drift_is_kept_and_looked_at_once(
    applied: Deployment, author: User, sent: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        desired.set_drift_policy(applied, DriftPolicy.LEAVE, author=author)
        desired.set_drift_policy(applied, DriftPolicy.LEAVE, author=author)
    applied.refresh_from_db()
    assert (applied.drift_policy, applied.changed_by) == ("leave", author)
    assert applied.reconcile_due_at is not None
    assert applied.reconcile_due_at <= timezone.now()
    assert sent == [applied.pk]


def test_a_repair_can_be_asked_for_where_something_was_left(applied: Deployment) -> None:
    desired.repair_now(applied, author=None)
    applied.refresh_from_db()
    assert (applied.drift, applied.reconcile_due_at) == (None, None)
    Deployment.objects.update(drift=LEFT)
    desired.repair_now(applied, author=None)
    applied.refresh_from_db()
    assert applied.drift == LEFT | {"repair": True}
    assert applied.reconcile_due_at is not None


def test_what_is_repaired_already_is_not_repaired_again(applied: Deployment) -> None:
    Deployment.objects.update(drift=LEFT | {"repaired": True})
    desired.repair_now(applied, author=None)
    applied.refresh_from_db()
    assert applied.reconcile_due_at is None
