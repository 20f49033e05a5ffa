"""Messages are hints: they carry ids, may be lost, and nothing depends on them."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest
from kombu import Connection

from deployments import tasks
from deployments.models import Cluster
from tests.deployments.rollouts.world import World


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """The messages that would be sent."""
    messages: list[tuple[str, Any]] = []
    for name in ("reconcile_one", "observe_one", "check_cluster"):

        def note(arguments: Any, name: str = name, **options: Any) -> None:
            messages.append((name, arguments[0]))

        monkeypatch.setattr(getattr(tasks, name), "apply_async", note)
    return messages


def test_the_tick_asks_for_what_is_due_by_its_id(world: World, sent: list[tuple[str, Any]]) -> None:
    deployment = world.create()
    tasks.reconcile_due()
    tasks.observe_due()
    assert sent == [("reconcile_one", deployment.pk), ("observe_one", world.cluster.pk)]
    world.rest(deployment)
    sent.clear()
    tasks.reconcile_due()
    assert sent == []


def test_a_lost_hint_is_made_up_for_by_the_tick(world: World, sent: list[tuple[str, Any]]) -> None:
    """E1."""
    deployment = world.create()
    sent.clear()
    tasks.reconcile_due()
    for _name, deployment_id in sent:
        tasks.reconcile_one(deployment_id)
    deployment.refresh_from_db()
    assert deployment.applied_revision == 1


def test_a_look_that_has_to_be_followed_soon_is_followed_by_a_message(
    world: World, sent: list[tuple[str, Any]]
) -> None:
    deployment = world.create()
    world.sandbox.ask("POST", "/sandbox/faults", {"match": {"method": "PATCH"}, "status": 500, "times": 3})
    tasks.reconcile_one(deployment.pk)
    assert sent == [("reconcile_one", deployment.pk)]


def test_an_observed_cluster_is_checked_when_its_facts_are_old(
    world: World, sent: list[tuple[str, Any]]
) -> None:
    tasks.observe_one(world.cluster.pk)
    assert sent == [("check_cluster", world.cluster.pk)]
    tasks.check_cluster(world.cluster.pk)
    assert Cluster.objects.get().facts is not None
    sent.clear()
    Cluster.objects.update(observe_due_at=None)
    tasks.observe_one(world.cluster.pk)
    assert sent == []


def test_tasks_for_what_is_gone_do_nothing(db: None, sent: list[tuple[str, Any]]) -> None:
    tasks.reconcile_one(12345)
    tasks.observe_one(12345)
    tasks.check_cluster(12345)
    assert sent == []


def test_a_hint_without_a_broker_is_no_error_and_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    send, warnings = tasks.reconcile_one.apply_async, []
    nowhere = Connection("redis://127.0.0.1:1/0", connect_timeout=2)
    monkeypatch.setattr(tasks.reconcile_one, "apply_async", partial(send, connection=nowhere))
    monkeypatch.setattr(tasks.logger, "warning", lambda *said: warnings.append(said))
    began = time.monotonic()
    tasks.send_hint(1)
    assert time.monotonic() - began < 10
    assert [said[1] for said in warnings] == [1]
