"""Who signed in and out and from where, who failed to, and whose password changed; never what was typed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.core import mail
from django.test import Client

from console.audit.entry import AuditEntry
from console.audit.sign_ins import NO_ADDRESS
from console.models import User
from tests.console.audit.conftest import Since

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
SIGN_IN = "/sign-in/"


@pytest.fixture(autouse=True)
def alice(db: None) -> User:
    return User.objects.create_user("alice@example.com", PASSWORD, name="Alice Berg")


def test_signing_in_and_out(client: Client, alice: User, since: Callable[[], Since]) -> None:
    new = since()
    client.post(SIGN_IN, {"login": "Alice@example.com", "password": PASSWORD}, REMOTE_ADDR="192.0.2.7")
    client.post("/sign-out/", REMOTE_ADDR="192.0.2.7")
    entries = new()
    assert [entry.action for entry in entries] == ["person.signed_in", "person.signed_out"]
    for entry in entries:
        assert (entry.actor_kind, entry.actor, entry.actor_id) == ("person", alice.email, alice.pk)
        assert (entry.object_kind, entry.object_name, entry.address) == ("person", alice.email, "192.0.2.7")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("alice@example.com", "alice@example.com"),
        ("nobody@example.com", "nobody@example.com"),
        (PASSWORD, NO_ADDRESS),
        ("x" * 300 + "@example.com", "x" * 254),
    ],
)
def test_a_wrong_password_is_a_refusal(
    client: Client, since: Callable[[], Since], typed: str, kept: str
) -> None:
    new = since()
    client.post(SIGN_IN, {"login": typed, "password": "my other secret"})
    entries = new()
    assert [(entry.action, entry.object_name, entry.refused) for entry in entries] in (
        [("sign_in.failed", kept, True)],
        [],  # a form that refuses the name does not try it
    )
    assert all(entry.actor_kind == "nobody" for entry in entries)
    said = str(list(AuditEntry.objects.values_list()))
    assert "my other secret" not in said
    assert PASSWORD not in said


def test_many_wrong_passwords_are_few_entries(client: Client, since: Callable[[], Since]) -> None:
    new = since()
    for _ in range(20):
        client.post(SIGN_IN, {"login": "alice@example.com", "password": "wrong"})
    assert len(new()) == 1


def test_resetting_a_password_by_mail(client: Client, alice: User, since: Callable[[], Since]) -> None:
    client.post("/accounts/password/reset/", {"email": alice.email})
    link = re.search(r"/accounts/password/reset/key/[^/\s]+/", str(mail.outbox[0].body))
    assert link
    form = client.get(link[0], follow=True).redirect_chain[-1][0]
    new = since()
    other = "another-horse-battery"
    assert client.post(form, {"password1": other, "password2": other}).status_code == 302
    assert [(entry.action, entry.actor) for entry in new()] == [("person.password_reset", alice.email)]


def test_changing_a_password(client: Client, alice: User, since: Callable[[], Since]) -> None:
    client.force_login(alice)
    new = since()
    other = "another-horse-battery"
    form = {"oldpassword": PASSWORD, "password1": other, "password2": other}
    assert client.post("/accounts/password/change/", form).status_code == 302
    entries = [entry for entry in new() if entry.action == "person.password_changed"]
    assert [(entry.actor, entry.changes) for entry in entries] == [("alice@example.com", {})]
    assert other not in str(list(AuditEntry.objects.values_list()))
