"""What a program did stands in the audit with its key, and never with the key's text."""

from __future__ import annotations

import json

import pytest

from console.audit.entry import AuditEntry
from tests.console.api.conftest import Caller

pytestmark = pytest.mark.django_db


def test_a_change_by_a_key_is_its_own(admin: Caller) -> None:
    assert admin("POST", "/organizations", {"slug": "acme", "name": "Acme"}).status_code == 201
    entry = AuditEntry.objects.filter(action="organization.created").get()
    assert entry.actor_kind == "access_key"
    assert admin.user.email in entry.actor
    assert admin.key.name in entry.actor
    kept = json.dumps([*AuditEntry.objects.values()], default=str)
    assert admin.text not in kept


def test_looking_leaves_no_entry(admin: Caller) -> None:
    before = AuditEntry.objects.count()
    admin("GET", "/models")
    admin("GET", "/access-keys")
    assert AuditEntry.objects.count() == before


def test_making_and_ending_a_key_are_entries(admin: Caller) -> None:
    number = admin("POST", "/access-keys", {"name": "ci"}).json()["id"]
    admin("DELETE", f"/access-keys/{number}")
    admin("DELETE", f"/access-keys/{number}")
    actions = [
        entry.action
        for entry in AuditEntry.objects.filter(object_id=str(number), action__startswith="access_key")
    ]
    assert sorted(actions) == ["access_key.issued", "access_key.revoked"]
