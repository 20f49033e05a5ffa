"""What every test shares. The servers themselves are started by tests/servers.py."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection

pytest_plugins = ["tests.network", "tests.browser", "tests.kube_contract.report"]


@pytest.fixture(autouse=True, scope="session")
def quick_passwords() -> Iterator[None]:
    """Password hashing is slow on purpose; no test is about its slowness."""
    patch = pytest.MonkeyPatch()
    patch.setattr(settings, "PASSWORD_HASHERS", ["django.contrib.auth.hashers.MD5PasswordHasher"])
    yield
    patch.undo()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Tests that commit are cleaned up by TRUNCATE, which the audit refuses in every other database."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in ("console_auditentry", "console_audithead"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER never_truncated")


@pytest.fixture
def valkey() -> Iterator["redis.Redis"]:
    """A client of the run's Valkey, which is emptied first."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushall()
    yield client
    client.close()
