"""Mass assignment (E20): a value that an operation does not name is refused, and changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.access_key import AccessKey
from console.models import Membership, Organization, User
from deployments.models import CatalogModel, Cluster
from tests.console.api.conftest import Caller, problem
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
EXTRA: list[dict[str, Any]] = [
    {"id": 1},
    {"pk": 1},
    {"is_staff": True},
    {"is_superuser": True},
    {"created_by": 1},
    {"user": 1},
    {"owner": "root@example.com"},
    {"digest": "0" * 64},
    {"suspended_at": None},
    {"is_legacy_check": True},
    {"__class__": "x"},
]


@pytest.fixture
def before(admin: Caller) -> Caller:
    world.deployment("chat")
    world.organization("acme")
    user = world.tenant("bea@acme.example", "acme")
    assert Membership.objects.filter(user=user).exists()
    return admin


@pytest.mark.parametrize("extra", EXTRA, ids=lambda each: next(iter(each)))
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        (
            "POST",
            "/models",
            {"slug": "llama-70b", "name": "Llama", "provider": "meta", "source_reference": "meta/llama-70b"},
        ),
        ("PATCH", "/models/llama-8b", {"name": "Other"}),
        ("POST", "/providers", {"slug": "new", "name": "New"}),
        ("PATCH", "/clusters/fra-1", {"name": "Other"}),
        ("PATCH", "/endpoints/main", {"name": "Other"}),
        ("POST", "/organizations", {"slug": "new", "name": "New"}),
        ("PATCH", "/organizations/acme", {"name": "Other"}),
        ("POST", "/organizations/acme/suspend", {"reason": "Unpaid"}),
        ("POST", "/organizations/acme/invitations", {"email": "new@acme.example"}),
        ("POST", "/access-keys", {"name": "new"}),
        ("PUT", "/deployments/chat/sharing", {"mode": "all", "organizations": []}),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_value_without_a_name_here_is_refused(
    before: Caller, method: str, path: str, body: dict[str, Any], extra: dict[str, Any]
) -> None:
    def all_rows() -> str:
        kinds: list[Any] = [User, Organization, Membership, AccessKey, CatalogModel, Cluster]
        rows = [
            {key: value for key, value in row.items() if key not in {"last_used_at", "last_login"}}
            for kind in kinds
            for row in kind.objects.order_by("pk").values()
        ]
        return json.dumps(rows, default=str)

    was = all_rows()
    said = problem(before(method, path, {**body, **extra}), 422)
    assert next(iter(extra)) in str(said["errors"])
    assert all_rows() == was
