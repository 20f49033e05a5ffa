"""What is not there, in whatever way, is answered in the same words."""

from __future__ import annotations

import pytest

from tests.console.api.conftest import Caller, caller, problem
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path",
    [
        "/deployments/none",
        "/models/none",
        "/clusters/none",
        "/endpoints/none",
        "/organizations/none",
        "/api-keys/1",
        "/api-keys/99999999999999999999999",
        "/usage/by-colour/",
        "/no/such/thing",
        "/models/a/b/c",
        "/",
    ],
)
def test_what_is_not_there_is_a_problem_document(admin: Caller, path: str) -> None:
    assert problem(admin("GET", path), 404) == {
        "type": "not-found",
        "title": "There is no such thing",
        "status": 404,
    }


def test_somebody_elses_access_key_is_as_absent_as_none(admin: Caller) -> None:
    from console.access import Role

    who = caller(Role.VIEWER, [], "vic@example.com")
    theirs = who("DELETE", f"/access-keys/{admin.key.pk}")
    never = who("DELETE", "/access-keys/987654321")
    assert (theirs.status_code, theirs.content) == (never.status_code, never.content)
    assert theirs.status_code == 404


def test_a_tenant_finds_nothing_and_is_told_nothing(admin: Caller) -> None:
    world.deployment("chat")
    client = world.signed_in(world.tenant("bea@acme.example", "acme"))
    there, never = (client.get(f"/api/v1/deployments/{name}") for name in ("chat", "none"))
    assert (there.status_code, there.content) == (never.status_code, never.content)
    assert there.status_code == 404


def test_a_nul_in_the_address_is_refused_as_a_problem(admin: Caller) -> None:
    problem(admin("GET", "/models/%00"), 400)
