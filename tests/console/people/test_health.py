"""/healthz says that the process lives, /readyz that it can work and what is missing."""

from __future__ import annotations

import time

import pytest
import redis
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from console import health
from console.tasks import heartbeat

pytestmark = pytest.mark.django_db


def test_a_process_is_alive_without_a_session_or_servers(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nonexistent/valkey.sock"
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
    assert "no-store" in answer["Cache-Control"]
    assert not answer.cookies


def test_ready_with_database_valkey_and_a_worker(client: Client, valkey: redis.Redis) -> None:
    heartbeat()
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"database": True, "valkey": True, "worker": True}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(("age", "status"), [(health.HEARTBEAT_MAX_AGE - 5, 200), (31, 503), (3600, 503)])
def test_a_worker_is_known_by_its_last_heartbeat(
    client: Client, valkey: redis.Redis, age: int, status: int
) -> None:
    valkey.set(health.HEARTBEAT_KEY, int(time.time()) - age)
    answer = client.get("/readyz")
    assert answer.status_code == status
    assert answer.json()["worker"] is (status == 200)


def test_without_a_heartbeat_only_the_worker_is_missing(client: Client, valkey: redis.Redis) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"database": True, "valkey": True, "worker": False}


def test_a_heartbeat_does_not_stay_for_ever(valkey: redis.Redis) -> None:
    health.beat()
    assert 0 < valkey.ttl(health.HEARTBEAT_KEY) <= 10 * health.HEARTBEAT_MAX_AGE


def test_without_valkey_it_is_named_and_nothing_more(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nonexistent/valkey.sock"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"database": True, "valkey": False, "worker": False}


def test_without_a_database_it_is_named_and_nothing_more(
    client: Client, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        def cursor(self) -> None:
            raise OperationalError("host db.internal is gone")

    monkeypatch.setattr(health, "connection", Gone())
    heartbeat()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"database": False, "valkey": True, "worker": True}


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_health_is_read_only(client: Client, address: str) -> None:
    assert client.post(address).status_code == 405
