"""A world with one of everything, and callers with access keys."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from console.access import Permission, Role
from console.access_key import AccessKey
from console.api import issuing
from console.models import User
from tests.deployments.pages import world
from tests.metering.ledger.conftest import own_partitions, place

__all__ = ["own_partitions", "place"]


@dataclass
class Caller:
    """A program with an access key."""

    user: User
    key: AccessKey
    text: str

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """`headers` by their names in small letters with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("authorization", f"Bearer {self.text}")
        raw = body if isinstance(body, str | bytes) else "" if body is None else json.dumps(body)
        return Client().generic(method, f"/api/v1{path}", raw, content_type="application/json", headers=sent)


def caller(
    role: Role = Role.ADMINISTRATOR, scopes: Iterable[Permission] = tuple(Permission), email: str = ""
) -> Caller:
    user = world.person(email or f"{role}@example.com", role)
    held = [each for each in scopes if each in _rights(role)]
    key, text = issuing.issue(owner=user, name="test", scopes=held, life=timedelta(days=1), by=user)
    return Caller(user, key, text)


def _rights(role: Role) -> frozenset[Permission]:
    from console.access import MATRIX

    return MATRIX[role]


@pytest.fixture
def admin(db: None, valkey: Any) -> Caller:
    return caller()


def problem(answer: HttpResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    said: dict[str, Any] = json.loads(answer.content)
    assert said["status"] == status
    return said
