"""Who is signed in uses the API with the session; to change something also with a CSRF token."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from django.test import Client

from console.access_key import AccessKey
from console.models import Organization, User
from deployments.models import Cluster
from tests.console.api.conftest import problem
from tests.console.people.rights import OPERATIONS
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


def signed_in(email: str = "ada@example.com", ago: float = 0) -> Client:
    """Somebody who proved who they are so many seconds ago."""
    client = Client(enforce_csrf_checks=True)
    user = world.person(email)
    client.force_login(user)
    world.confirm(client, user, time.time() - ago)
    return client


def token_of(client: Client) -> str:
    page = client.get("/organizations/new/").content.decode()
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found is not None
    return found.group(1)


def test_a_session_reads(valkey: Any) -> None:
    world.deployment("chat")
    assert signed_in().get("/api/v1/deployments/chat").json()["name"] == "chat"


def test_a_session_changes_nothing_without_the_token(valkey: Any) -> None:
    client = signed_in()
    body = {"slug": "acme", "name": "Acme"}
    problem(client.post("/api/v1/organizations", body, content_type="application/json"), 403)
    assert not Organization.objects.exists()
    answer = client.post(
        "/api/v1/organizations",
        body,
        content_type="application/json",
        headers={"X-CSRFToken": token_of(client)},
    )
    assert answer.status_code == 201, answer.content
    assert Organization.objects.get().slug == "acme"


CHANGES = [operation for operation in OPERATIONS if not operation.startswith("GET ")]


def test_an_old_session_changes_nothing_before_its_person_confirmed_who_they_are(valkey: Any) -> None:
    client = signed_in(ago=3600)
    token = token_of(client)
    for operation in CHANGES:
        method, path = operation.split(" ")
        said = problem(
            client.generic(
                method,
                "/api/v1" + re.sub(r"\{\w+\}", "7", path),
                "{}",
                content_type="application/json",
                headers={"X-CSRFToken": token},
            ),
            403,
        )
        assert said["type"] == "not-confirmed", operation
        assert "/accounts/reauthenticate/" in said["detail"]
    # Looking needs no proof.
    assert client.get("/api/v1/models").status_code == 200


def test_an_old_session_deletes_no_cluster_and_makes_no_key(valkey: Any) -> None:
    world.endpoint().delete()
    client = signed_in(ago=3600)
    headers = {"X-CSRFToken": token_of(client)}
    problem(client.delete("/api/v1/clusters/fra-1", headers=headers), 403)
    body = {"name": "mine", "scopes": []}
    problem(client.post("/api/v1/access-keys", body, content_type="application/json", headers=headers), 403)
    assert Cluster.objects.exists()
    assert not AccessKey.objects.exists()
    world.confirm(client, User.objects.get())
    headers = {"X-CSRFToken": token_of(client)}
    assert client.delete("/api/v1/clusters/fra-1", headers=headers).status_code == 204
    assert not Cluster.objects.exists()


def test_a_wrong_key_is_not_mended_by_a_session(valkey: Any) -> None:
    problem(signed_in().get("/api/v1/models", headers={"Authorization": "Bearer nonsense"}), 401)


def test_the_description_and_its_page_are_for_people_of_the_platform(valkey: Any) -> None:
    client = signed_in()
    described = client.get("/api/v1/openapi.json").json()
    assert described["openapi"].startswith("3.")
    page = client.get("/api/v1/reference/").content.decode()
    for path in described["paths"]:
        assert path in page
    # What is taken and given is there as well, of forms and of schemas.
    for word in ("kubeconfig_text", "Idempotency-Key", "If-Match", "suspension_reason", "tls_certificate"):
        assert f"<code>{word}</code>" in page
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


def test_the_description_says_what_a_form_takes(valkey: Any) -> None:
    described = signed_in().get("/api/v1/openapi.json").json()["paths"]

    def taken(path: str, method: str) -> dict[str, Any]:
        body: dict[str, Any] = described[path][method]["requestBody"]["content"]["application/json"]["schema"]
        return body

    new = taken("/api/v1/clusters", "post")
    assert new["required"] == ["name", "slug"]
    assert new["additionalProperties"] is False
    assert new["properties"]["kind"]["enum"] == ["kubeconfig", "in-cluster", "sandbox"]
    assert "kubeconfig_file" not in new["properties"], "JSON holds no files"
    assert "required" not in taken("/api/v1/clusters/{slug}", "patch")
