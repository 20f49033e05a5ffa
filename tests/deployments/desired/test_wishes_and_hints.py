"""Stop, start and delete are wishes that the worker finds; the hint to look at once may get lost."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from django.db import transaction
from django.utils import timezone

from console.models import User
from deployments import desired, tasks
from deployments.models import Deployment
from deployments.reconciler import due
from deployments.vocabulary import DesiredState
from tests.deployments.desired.test_revise import at_rest, change
from tests.deployments.pages.world import spec

WISHES = {
    DesiredState.STOPPED: desired.stop,
    DesiredState.RUNNING: desired.start,
    DesiredState.DELETED: desired.delete,
}


@pytest.fixture
def made() -> Deployment:
    return desired.create(spec(), author=None)


def is_due(deployment: Deployment) -> bool:
    return deployment.pk in due(timezone.now(), 10)


@pytest.mark.django_db
def test_stop_start_and_delete_change_the_wish_and_queue_it(made: Deployment, author: User) -> None:
    for state in (DesiredState.STOPPED, DesiredState.RUNNING, DesiredState.STOPPED, DesiredState.DELETED):
        at_rest(made)
        assert not is_due(made)
        WISHES[state](made, author=author)
        made.refresh_from_db()
        assert (made.desired_state, made.changed_by) == (state, author)
        assert (made.attempts, made.refusal, is_due(made)) == (0, None, True)
    assert (made.revisions.count(), made.current.number) == (1, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("state", list(WISHES))
def test_a_wish_that_is_already_so_changes_nothing(
    made: Deployment, state: DesiredState, author: User
) -> None:
    """E13: a double click."""
    WISHES[state](made, author=None)
    at_rest(made)
    before = Deployment.objects.values().get()
    WISHES[state](made, author=author)
    assert Deployment.objects.values().get() == before


@pytest.mark.django_db
@pytest.mark.parametrize("wish", [desired.stop, desired.start])
def test_there_is_no_way_back_from_delete(made: Deployment, wish: Callable[..., None]) -> None:
    desired.delete(made, author=None)
    wish(made, author=None)
    made.refresh_from_db()
    assert made.desired_state == DesiredState.DELETED


@pytest.mark.django_db
def test_a_stopped_deployment_can_be_revised_and_stays_stopped(made: Deployment) -> None:
    desired.stop(made, author=None)
    change(made, spec(description="x"))
    made.refresh_from_db()
    assert (made.desired_state, made.current.number) == (DesiredState.STOPPED, 2)


@pytest.mark.django_db
def test_looking_again_forgets_the_refusal_and_wants_nothing_new(made: Deployment) -> None:
    at_rest(made)
    before = made.changed_at
    desired.look_again(made)
    made.refresh_from_db()
    assert (made.attempts, made.refusal, is_due(made), made.changed_at) == (0, None, True, before)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "act",
    [
        lambda made: change(made, spec(description="x")),
        lambda made: desired.stop(made, author=None),
        lambda made: desired.delete(made, author=None),
        lambda made: desired.look_again(made),
    ],
    ids=["revise", "stop", "delete", "look-again"],
)
def test_a_hint_is_sent_after_the_commit_and_only_then(
    made: Deployment, act: Callable[[Deployment], object], sent: list[int]
) -> None:
    assert sent == [made.pk]
    with transaction.atomic():
        act(made)
        assert sent == [made.pk]
    assert sent == [made.pk, made.pk]


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_sends_no_hint(sent: list[int]) -> None:
    """E1: before the commit."""
    with transaction.atomic():
        desired.create(spec(), author=None)
        transaction.set_rollback(True)
    assert sent == []
    assert not Deployment.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_the_change_is_saved_and_found_by_the_tick(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """E1."""

    def dead(*arguments: object, **options: object) -> None:
        raise ConnectionRefusedError("redis://:a-password@valkey:6379")

    monkeypatch.setattr(tasks.reconcile_one, "apply_async", dead)
    with caplog.at_level(logging.WARNING):
        made = desired.create(spec(), author=None)
        desired.stop(made, author=None)
    made = Deployment.objects.get()
    assert (made.desired_state, is_due(made)) == (DesiredState.STOPPED, True)
    assert f"No hint could be sent for deployment {made.pk}: ConnectionRefusedError" in caplog.text
    assert "a-password" not in caplog.text
