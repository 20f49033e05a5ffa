"""E24 for API keys: the text is in the one answer that makes it, and nowhere else, ever."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.models import User
from deployments.spec import SharingSpec
from deployments.vocabulary import Sharing
from metering.models import ApiKey
from tests.deployments.pages import world
from tests.metering.keys.people import KEY, make, owner, wish

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob() -> User:
    world.deployment("chat", sharing=SharingSpec(Sharing.ALL))
    return owner()


@pytest.fixture
def secrets(bob: User) -> list[str]:
    """What no place may hold."""
    return use(bob)


def use(bob: User) -> list[str]:
    """The secret parts of keys that were made and rotated, and of forms that were refused in between."""
    client = world.signed_in(bob)
    body = wish(bob)
    made = client.post("/portal/keys/new/", body).content.decode()
    client.post("/portal/keys/new/", body, follow=True)
    client.post("/portal/keys/new/", wish(bob, name=""))
    key = ApiKey.objects.get()
    rotated = client.post(f"/portal/keys/{key.pk}/rotate/", {"overlap": "3600"}).content.decode()
    client.post(f"/portal/keys/{key.pk}/rotate/", {"overlap": "3600"}, follow=True)
    client.post(f"/portal/keys/{key.pk}/revoke/", follow=True)
    by_an_administrator = make(world.signed_in(world.person()), bob, address="/keys/new/")
    texts = {*KEY.findall(made), *KEY.findall(rotated), by_an_administrator}
    assert len(texts) == 3
    return [text[16:] for text in texts]


def test_no_log_line_has_it(bob: User, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        caplog.at_level(logging.DEBUG, "django"),
        CaptureQueriesContext(connection),
    ):
        secrets = use(bob)
    digest = ApiKey.objects.earliest("id").digest
    assert any(digest in record.getMessage() for record in caplog.records), "statements are in the log, too"
    for record in caplog.records:
        line = f"{record.getMessage()} {record.__dict__}"
        assert not any(secret in line for secret in secrets), record.name


def test_no_table_has_it(secrets: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        for (table,) in cursor.fetchall():
            for secret in secrets:
                cursor.execute(
                    f'SELECT count(*) FROM "{table}" AS row WHERE row::text LIKE %s', [f"%{secret}%"]
                )
                assert cursor.fetchone() == (0,), table


def test_no_session_has_it(secrets: list[str]) -> None:
    """Sessions are packed in their table, messages with them."""
    contents = [str(session.get_decoded()) for session in Session.objects.all()]
    assert contents
    assert not any(secret in content for content in contents for secret in secrets)


def test_nothing_in_valkey_has_it(valkey: Any, bob: User) -> None:
    secret = make(world.signed_in(bob), bob)[16:].encode()
    held = [name + (valkey.dump(name) or b"") for name in valkey.keys("*")]
    assert not any(secret in each for each in held)


def test_no_later_page_has_it(secrets: list[str], bob: User) -> None:
    parts = [f"{key.pk}/{page}" for key in ApiKey.objects.all() for page in ("", "rotate/", "revoke/")]
    for client, root in (
        (world.signed_in(bob), "/portal/keys/"),
        (world.signed_in(world.person("eve@example.com")), "/keys/"),
    ):
        for address in (root, f"{root}new/", f"{root}?q={secrets[0]}", *(root + part for part in parts)):
            answer = client.get(address)
            page = answer.content.decode()
            assert answer.status_code == 200, address
            if "q=" not in address:
                assert not any(secret in page for secret in secrets), address
            assert not KEY.findall(page), address
