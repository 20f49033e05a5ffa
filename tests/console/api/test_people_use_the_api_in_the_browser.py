"""Who is signed in uses the API with the session; to change something also with a CSRF token."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from console.models import Organization
from tests.console.api.conftest import problem
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


def signed_in(email: str = "ada@example.com") -> Client:
    client = Client(enforce_csrf_checks=True)
    user = world.person(email)
    client.force_login(user)
    world.confirm(client, user)
    return client


def test_a_session_reads(valkey: Any) -> None:
    world.deployment("chat")
    assert signed_in().get("/api/v1/deployments/chat").json()["name"] == "chat"


def test_a_session_changes_nothing_without_the_token(valkey: Any) -> None:
    client = signed_in()
    body = {"slug": "acme", "name": "Acme"}
    problem(client.post("/api/v1/organizations", body, content_type="application/json"), 403)
    assert not Organization.objects.exists()
    page = client.get("/organizations/new/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    answer = client.post(
        "/api/v1/organizations",
        body,
        content_type="application/json",
        headers={"X-CSRFToken": token.group(1)},
    )
    assert answer.status_code == 201, answer.content
    assert Organization.objects.get().slug == "acme"


def test_a_wrong_key_is_not_mended_by_a_session(valkey: Any) -> None:
    problem(signed_in().get("/api/v1/models", headers={"Authorization": "Bearer nonsense"}), 401)


def test_the_description_and_its_page_are_for_people_of_the_platform(valkey: Any) -> None:
    client = signed_in()
    described = client.get("/api/v1/openapi.json").json()
    assert described["openapi"].startswith("3.")
    page = client.get("/api/v1/reference/").content.decode()
    for path in described["paths"]:
        assert path.replace("{", "{") in page
    assert Client().get("/api/v1/openapi.json").status_code == 401
    tenant = world.signed_in(world.tenant("bea@acme.example", "acme"))
    assert tenant.get("/api/v1/openapi.json").status_code == 404


def test_the_list_of_keys_says_in_words_what_they_may(valkey: Any) -> None:
    client = world.signed_in(world.person())
    given = {"name": "Nightly rollout", "days": "90", "scopes": ["manage_deployments"]}
    shown = client.post("/accounts/access-keys/new/", given).content.decode()
    assert re.search(r"slipway_access_\w{40}", shown)
    page = client.get("/accounts/access-keys/").content.decode()
    assert "Deploy, change, stop and delete" in page
    assert "manage_deployments" not in page
