"""Whatever fails, and whenever: the rollout converges to the same end, with nothing twice and no storm of retries."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from deployments import desired, reconciler
from deployments.kube import client as client_module
from deployments.kube.client import Cluster as Connection
from deployments.models import Deployment
from deployments.reconciler import due, reconcile
from tests.deployments.rollouts.world import WORKLOAD, World
from tests.deployments.sandbox_api.cluster import Cluster as Sandbox
from tests.deployments.sandbox_api.conftest import make_namespace

ASK = Connection._ask


class Killed(BaseException):
    """The worker dies: nothing after this line runs, and nothing is cleaned up."""


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, bool], None]:
    """Lets the worker die at its n-th request, before it is sent or after it was answered."""

    def at(number: int, after: bool) -> None:
        sent = 0

        def counted(self: Connection, *arguments: Any, **more: Any) -> Any:
            nonlocal sent
            sent += 1
            if sent == number and not after:
                raise Killed
            try:
                return ASK(self, *arguments, **more)
            finally:
                if sent == number:
                    raise Killed

        monkeypatch.setattr(Connection, "_ask", counted)

    return at


def again_from_nothing(world: World, deployment: Deployment | None = None) -> Deployment:
    """The same deployment, of which the cluster knows nothing yet."""
    if deployment is not None:
        desired.delete(deployment, author=None)
        world.rest(deployment)
        assert world.objects() == {}
    made = world.create(world.spec(secret=True))
    # Each deployment has its own key, which shows in the checksum of its secrets.
    Deployment.objects.update(digest_key="0" * 64)
    return made


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_worker_that_dies_at_any_request_is_followed_by_one_that_finishes(
    world: World, dies: Callable[[int, bool], None], monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """E2, E8."""
    deployment = again_from_nothing(world)
    most = world.requests(lambda: world.look(deployment))
    whole = world.state()
    for number in range(1 + after, most + 1, 2):
        deployment = again_from_nothing(world, deployment)
        dies(number, after)
        with pytest.raises(Killed):
            reconcile(deployment.pk)
        monkeypatch.setattr(Connection, "_ask", ASK)
        assert due(timezone.now(), 10) == [], "the dead worker still holds it"
        assert due(timezone.now() + reconciler.CLAIM_FOR, 10) == [deployment.pk]
        world.rest(deployment)
        assert world.state() == whole
        assert world.written(partial(world.look, deployment)) == 0


def test_a_deletion_that_dies_at_any_request_still_leaves_nothing(
    world: World, dies: Callable[[int, bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """E2."""

    def looks() -> None:
        for _ in range(5):
            world.look(deployment)

    for number in range(1, 14, 3):
        deployment = world.create(world.spec(secret=True))
        world.rest(deployment)
        desired.delete(deployment, author=None)
        dies(number, number % 2 == 0)
        with pytest.raises(Killed):
            looks()
        monkeypatch.setattr(Connection, "_ask", ASK)
        world.rest(deployment)
        assert world.objects() == {}
        assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    "failure", [{"status": 500}, {"status": 503}, {"drop": "before"}, {"drop": "after"}, {"status": 409}]
)
def test_each_write_may_fail_once_or_be_applied_without_an_answer(
    world: World, fault: Callable[..., None], failure: dict[str, Any]
) -> None:
    """E7, E8."""
    calm = world.create(world.spec("calm", secret=True))
    world.rest(calm)
    for resource in ("secrets", "services", "statefulsets", "ingresses"):
        fault(match={"method": "PATCH", "path": resource}, times=1, **failure)
    deployment = world.create(world.spec(secret=True))
    world.rest(deployment)
    deployment.refresh_from_db()
    assert (deployment.refusal, deployment.attempts, deployment.applied_revision) == (None, 0, 1)
    renamed = {title.replace("calm", "chat") for title in world.objects() if "calm" in title}
    assert {title for title in world.objects() if "chat" in title} == renamed
    assert world.written(lambda: world.look(deployment)) == 0


def test_retries_wait_longer_and_longer_and_honour_the_servers_wish(
    world: World, fault: Callable[..., None]
) -> None:
    """E7."""
    fault(match={"method": "PATCH"}, status=429, retryAfter=40)
    deployment = world.create()
    assert (world.look(deployment) or 0) >= 40
    deployment.refresh_from_db()
    assert deployment.attempts == 1
    assert deployment.refusal is not None
    assert deployment.refusal["terminal"] is False
    world.sandbox.ask("DELETE", "/sandbox/faults")
    fault(match={"method": "PATCH"}, status=500)
    waits = [world.look(deployment) or 0 for _ in range(9)]
    assert waits[0] < waits[4] < waits[8] <= 1.25 * reconciler.LONGEST_RETRY
    world.sandbox.ask("DELETE", "/sandbox/faults")
    world.rest(deployment)
    deployment.refresh_from_db()
    assert (deployment.refusal, deployment.attempts) == (None, 0)


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (
            {"admission": "statefulsets", "message": 'admission webhook "p" denied the request: no'},
            "admission",
            "denied",
        ),
        (
            {"match": {"method": "PATCH"}, "status": 403, "message": "exceeded quota: gpus"},
            "quota",
            "exceeded quota",
        ),
        (
            {"match": {"method": "PATCH"}, "status": 403, "message": "user cannot patch"},
            "forbidden",
            "cannot patch",
        ),
        (
            {"match": {"method": "PATCH"}, "status": 422, "message": "spec: Invalid value"},
            "invalid",
            "Invalid value",
        ),
    ],
)
def test_what_a_person_has_to_change_is_told_and_not_tried_in_a_storm(
    world: World, fault: Callable[..., None], failure: dict[str, Any], code: str, words: str
) -> None:
    """E9."""
    fault(**failure)
    deployment = world.create()
    assert (world.look(deployment) or 0) > 60
    deployment.refresh_from_db()
    assert deployment.refusal is not None
    assert (deployment.refusal["code"], deployment.refusal["terminal"]) == (code, True)
    assert words in deployment.refusal["sentence"]
    assert deployment.refusal["remedy"]
    assert due(timezone.now(), 10) == []


@pytest.mark.parametrize("failure", [{"status": 401}, {"status": 403}])
def test_a_cluster_that_does_not_know_us_any_more_fails_no_deployment(
    world: World, fault: Callable[..., None], failure: dict[str, Any]
) -> None:
    deployment = world.create()
    world.rest(deployment)
    fault(match={"method": "GET"}, **failure)
    world.look(deployment)
    deployment.refresh_from_db()
    assert deployment.refusal is not None
    assert deployment.refusal["terminal"] is (failure["status"] == 403)


def test_a_message_that_comes_three_times_changes_nothing_more(world: World) -> None:
    """E3."""
    deployment = world.create()
    assert world.written(lambda: [reconcile(deployment.pk) for _ in range(3)]) == 4
    later = timezone.now() + timedelta(hours=1)
    assert world.written(lambda: reconcile(deployment.pk, later)) == 0


def test_a_cluster_that_falls_silent_holds_a_worker_for_a_bounded_time(
    world: World, fault: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """E10: a silent hang."""
    monkeypatch.setattr(client_module, "READ_SECONDS", 0.3)
    deployment = world.create()
    fault(match={"method": "GET"}, delay=5)
    began = time.monotonic()
    assert world.look(deployment) is not None
    assert time.monotonic() - began < 10
    deployment.refresh_from_db()
    assert deployment.refusal is not None
    assert deployment.refusal["code"] == "unreachable"


@pytest.fixture
def shared_world(transactional_db: None, still_sandbox: Sandbox) -> Iterator[World]:
    """A world whose rows another process sees."""
    yield World(still_sandbox, make_namespace(still_sandbox))
    still_sandbox.ask("DELETE", "/sandbox/faults")


_WORKER = """
import django; django.setup()
import sys
from deployments.reconciler import reconcile
reconcile(int(sys.argv[1]))
"""


def test_a_worker_process_that_is_killed_in_the_middle_of_a_write_leaves_no_trace(
    shared_world: World,
) -> None:
    """E2, with a real process."""
    world = shared_world
    deployment = world.create(world.spec(secret=True))
    fault = {"match": {"method": "PATCH", "path": "statefulsets"}, "delay": 5}
    world.sandbox.ask("POST", "/sandbox/faults", fault)
    name = str(connection.settings_dict["NAME"])
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    command = [sys.executable, "-c", _WORKER, str(deployment.pk)]
    worker = subprocess.Popen(command, env=os.environ | {"DATABASE_URL": url})
    try:
        end = time.monotonic() + 60
        while "Service/md-chat" not in world.objects("Service"):
            assert worker.poll() is None, "the worker ended by itself"
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    world.sandbox.ask("DELETE", "/sandbox/faults")
    assert due(timezone.now() + reconciler.CLAIM_FOR, 10) == [deployment.pk]
    world.rest(deployment)
    assert WORKLOAD in world.objects("StatefulSet")
    assert world.written(lambda: world.look(deployment)) == 0
