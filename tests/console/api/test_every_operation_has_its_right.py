"""Every operation x every role, and x a key without the right for it (E19): the table is docs/access.md."""

from __future__ import annotations

import re
from typing import Any

import pytest

from console.access import MATRIX, Permission, Role
from console.api.application import described
from tests.console.api.conftest import Caller, caller
from tests.console.people.rights import OPERATIONS
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db

EVERY = [
    (f"{method.upper()} {path.removeprefix('/api/v1')}", operation)
    for path, operations in described()["paths"].items()
    for method, operation in operations.items()
]


def needed(operation: str) -> Permission:
    return OPERATIONS.get(operation, Permission.VIEW)


def status(who: Caller, operation: str) -> int:
    """Of asking for what is not there, with what says nothing: rights are looked at before either."""
    method, path = operation.split(" ")
    path = re.sub(r"\{\w+\}", "999999999", path)
    return int(who(method, path, {} if method in {"POST", "PUT", "PATCH"} else None).status_code)


def test_the_table_names_operations_that_are_there() -> None:
    assert set(OPERATIONS) <= {operation for operation, _ in EVERY}
    assert {operation for operation, _ in EVERY if not operation.startswith("GET ")} <= set(OPERATIONS)


@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_the_table_says(role: Role, valkey: Any) -> None:
    world.person("root@example.com")  # so that nobody is the last
    who = caller(role)
    wrong = {
        operation: found
        for operation, _ in EVERY
        if ((found := status(who, operation)) == 403) is (needed(operation) in MATRIX[role])
    }
    assert wrong == {}


def test_a_key_may_nothing_that_it_was_not_made_for(valkey: Any) -> None:
    for permission in Permission:
        others = [each for each in Permission if each is not permission]
        who = caller(Role.ADMINISTRATOR, others, f"{permission}@example.com")
        for operation, _ in EVERY:
            if permission is not Permission.VIEW:
                assert (status(who, operation) == 403) is (needed(operation) is permission), operation


def test_a_tenant_finds_no_api(valkey: Any) -> None:
    client = world.signed_in(world.tenant("bea@acme.example", "acme"))
    for operation, _ in EVERY:
        method, path = operation.split(" ")
        path = re.sub(r"\{\w+\}", "7", path)
        assert client.generic(method, f"/api/v1{path}").status_code == 404, operation
