"""What somebody saw stays neither in the browser's cache nor in one on the way (ASVS 14.3.2, 14.2.2)."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.console.api.conftest import Caller
from tests.console.people.test_every_address_is_guarded import ROWS
from tests.deployments.pages import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world_of_rows")]


def client_of(kind: str) -> Client:
    if kind == "stranger":
        return Client()
    is_tenant = kind == "tenant"
    return world.signed_in(
        world.tenant("t@acme.example", "acme") if is_tenant else world.person("eve@example.com")
    )


@pytest.mark.parametrize("kind", ["administrator", "tenant", "stranger"])
def test_every_answer_says_so(kind: str) -> None:
    client = client_of(kind)
    kept = {}
    for name, row in ROWS.items():
        if name == "account_logout":
            continue
        answer = client.get(reverse(name, args=row.args))
        if "no-store" not in answer.get("Cache-Control", ""):
            kept[name] = answer.get("Cache-Control")
    assert kept == {}


def test_the_api_says_so(admin: Caller) -> None:
    for path in ("/models", "/deployments/chat", "/access-keys", "/models/none", "/no-such"):
        assert "no-store" in admin("GET", path)["Cache-Control"]
