"""Deliveries through real sockets: whatever receivers, networks and workers do, a message is sent until it arrived."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from console.notices import delivering, posting, subscribing
from console.notices.announcing import announce
from console.notices.kinds import DeliveryState
from console.notices.rows import Delivery, Notice, Subscription
from tests.console.notices import world
from tests.faults.postgres import database_url
from tests.faults.proxy import Fault, fault_proxy
from tests.faults.server import Answer, FaultyServer, cuts, drips, faulty_server, resets, says, swallows

pytestmark = pytest.mark.django_db(transaction=True)
PROJECT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def loopback_is_allowed(settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def receiver() -> Iterator[FaultyServer]:
    with faulty_server(says(200)) as server:
        yield server


def one(url: str) -> Delivery:
    world.webhook(url)
    announce(world.failed())
    return Delivery.objects.get()


def try_now(delivery: Delivery) -> Delivery:
    world.make_due()
    assert delivering.deliver(delivery.pk)
    delivery.refresh_from_db()
    return delivery


def test_a_message_arrives_once_and_is_done(receiver: FaultyServer) -> None:
    delivery = try_now(one(f"{receiver.url}/hook?team=a"))
    assert (delivery.state, delivery.attempts, delivery.error) == (DeliveryState.DELIVERED, 1, "")
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/hook?team=a")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == str(delivery.notice_id)
    body = json.loads(request.body)
    assert body["type"] == "deployment.failed"
    assert body["data"]["sentence"] == "Cannot pull image X: 401 unauthorised."
    assert body["data"]["url"] == "http://localhost:8000/deployments/chat/"
    assert not delivering.deliver(delivery.pk)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (says(500), "answered 500"),
        (says(404), "answered 404"),
        (says(302, Location="http://127.0.0.1:1/"), "Redirects are not followed"),
        (resets, "cut"),
        (cuts(b"x" * 1000, 10), "cut short"),
        (swallows(3), "did not answer in time"),
        (drips(0.05), "did not answer in time"),
        (lambda connection, _: connection.sendall(b"SSH-2.0-OpenSSH\r\n"), "no HTTP|in time|cut"),
    ],
    ids=["500", "404", "redirect", "reset", "cut", "silent", "dripping", "no HTTP"],
)
def test_what_went_wrong_is_said_and_it_is_sent_again(
    answer: Answer, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "READ_SECONDS", 0.5)
    monkeypatch.setattr(posting, "ALL_SECONDS", 1.0)
    with faulty_server(answer, says(200)) as server:
        delivery = one(server.url)
        before = timezone.now()
        delivery = try_now(delivery)
        assert delivery.state == DeliveryState.WAITING
        assert any(word in delivery.error for word in said.split("|")), delivery.error
        assert delivery.due_at > before + timedelta(seconds=5)
        assert Subscription.objects.get().failing_since is not None
        delivery = try_now(delivery)
        assert (delivery.state, delivery.attempts, delivery.error) == (DeliveryState.DELIVERED, 2, "")
        assert Subscription.objects.get().failing_since is None
        first, second = server.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.SWALLOW, Fault.DRIP])
def test_a_network_that_misbehaves_only_delays(
    fault: Fault, receiver: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "READ_SECONDS", 0.3)
    monkeypatch.setattr(posting, "ALL_SECONDS", 0.6)
    parts = urlsplit(receiver.url)
    with fault_proxy((str(parts.hostname), parts.port or 0)) as proxy:
        delivery = one(f"http://127.0.0.1:{proxy.port}/")
        proxy.set(fault, delay=0.05)
        assert try_now(delivery).state == DeliveryState.WAITING
        proxy.set(Fault.PASS)
        assert try_now(delivery).state == DeliveryState.DELIVERED
        proxy.cut_after(5)
    assert receiver.requests


@pytest.mark.parametrize(
    ("asked", "seconds"), [("120", 120), ("999999999", 6 * 3600), ("soon", 5), ("-5", 5), ("1e9", 5)]
)
def test_a_receiver_may_ask_for_patience(asked: str, seconds: int) -> None:
    with faulty_server(says(429, Retry_After=asked)) as server:
        delivery = one(server.url)
        before = timezone.now()
        waits = try_now(delivery).due_at - before
        assert timedelta(seconds=seconds) <= waits <= timedelta(seconds=seconds + 10)


def test_after_a_day_it_is_given_up_and_said(receiver: FaultyServer) -> None:
    receiver.script[:] = [says(503)]
    delivery = one(receiver.url)
    Delivery.objects.update(since=timezone.now() - timedelta(hours=24), attempts=30)
    delivery = try_now(delivery)
    assert delivery.state == DeliveryState.GIVEN_UP
    assert "Given up." in delivery.error
    receiver.script[:] = [says(200)]
    subscribing.deliver_again(delivery)
    assert try_now(delivery).state == DeliveryState.DELIVERED


def test_a_mistake_of_ours_is_said_and_ends_too(
    receiver: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(delivering.wording, "payload", fail)
    delivery = try_now(one(receiver.url))
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 1)
    assert "because of a mistake in Slipway (ZeroDivisionError)" in delivery.error
    Delivery.objects.update(attempts=delivering.MOST_ATTEMPTS)
    delivery = try_now(delivery)
    assert (delivery.state, delivery.error) == (
        DeliveryState.GIVEN_UP,
        "No attempt came to an end. Given up.",
    )


def test_an_answer_without_end_is_read_within_bounds(receiver: FaultyServer) -> None:
    receiver.script[:] = [says(200, b"x" * 5_000_000)]
    assert try_now(one(receiver.url)).state == DeliveryState.DELIVERED


def test_many_workers_at_once_send_it_once(receiver: FaultyServer) -> None:
    delivery = one(receiver.url)
    world.make_due()
    gate, done = threading.Barrier(6), list[bool]()

    def work() -> None:
        try:
            gate.wait()
            done.append(delivering.deliver(delivery.pk))
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (sum(done), len(receiver.requests)) == (1, 1)


def test_a_worker_killed_between_sending_and_noting_it_loses_nothing(receiver: FaultyServer) -> None:
    delivery = one(receiver.url)
    world.make_due()
    code = (
        "import django, os, signal; django.setup(); from console.notices import delivering; "
        "delivering._note_success = lambda *_: os.kill(os.getpid(), signal.SIGKILL); "
        f"delivering.deliver({delivery.pk})"
    )
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "PYTHONPATH": str(PROJECT),
        "WEBHOOK_NETWORKS": "127.0.0.0/8",
    }
    killed = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environment, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    delivery.refresh_from_db()
    assert (delivery.state, len(receiver.requests)) == (DeliveryState.WAITING, 1)
    # Nobody else takes it while that worker might still be at it; then anybody does.
    assert delivering.due(timezone.now()) == []
    assert delivering.due(timezone.now() + delivering.CLAIM_FOR) == [delivery.pk]
    assert try_now(delivery).state == DeliveryState.DELIVERED
    assert {each.headers["webhook-id"] for each in receiver.requests} == {str(delivery.notice_id)}


def test_one_that_fails_is_tried_one_at_a_time_and_keeps_nobody_waiting(receiver: FaultyServer) -> None:
    world.webhook(receiver.url, name="broken", failing_since=timezone.now())
    well = world.webhook(receiver.url, name="well")
    announce(*(world.failed(f"{number}") for number in range(30)))
    due = delivering.due(timezone.now())
    found = list(Delivery.objects.filter(pk__in=due).values_list("subscription_id", flat=True))
    assert found.count(well.pk) == delivering.MOST_PER_SUBSCRIPTION
    assert len(found) == delivering.MOST_PER_SUBSCRIPTION + 1


def test_an_attempt_costs_as_many_statements_whatever_there_is(receiver: FaultyServer) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            delivery = Delivery.objects.get(pk=delivering.due(timezone.now())[0])
            delivering.deliver(delivery.pk)
        return len(captured)

    world.webhook(receiver.url)
    announce(world.failed("first"))
    few = statements()
    announce(*(world.failed(f"{number}") for number in range(100)))
    assert statements() == few


def test_what_is_old_is_forgotten_with_its_deliveries(receiver: FaultyServer) -> None:
    one(receiver.url)
    delivering.forget_old(timezone.now())
    assert Delivery.objects.count() == 1
    delivering.forget_old(timezone.now() + timedelta(days=91))
    assert not Notice.objects.exists()


def test_no_port_and_no_host_are_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    assert "nobody listens" in try_now(one(f"http://127.0.0.1:{free}/")).error

    def nowhere(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    Subscription.objects.update(url="https://hooks.example.com/")
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    assert "leads nowhere" in try_now(Delivery.objects.get()).error
