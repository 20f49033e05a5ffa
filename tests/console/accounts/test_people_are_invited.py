"""An invitation: an account without a password, and a link that sets one, once."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client

from console.access import Role, role_of
from console.audit.entry import AuditEntry
from console.models import User
from console.people import invitations
from console.people.invitations import _Tokens
from tests.console.accounts.browser import is_in, recorded
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
FORM = {"email": "Olga@Example.com", "name": "Olga Ost", "role": "operator"}
PASSWORD = "four words in a row"


@pytest.fixture
def web(db: None) -> Client:
    return world.signed_in(world.person("root@example.com", name="Rita Root"))


def link() -> str:
    """The path of the link in the newest message."""
    (found,) = re.findall(r"http://testserver(/people/join/\S+)", mail.outbox[-1].body)
    return found


def join(address: str, password: str = PASSWORD, name: str = "Olga Ost") -> int:
    return Client().post(address, {"name": name, "password": password}).status_code


def test_somebody_is_invited_joins_and_signs_in(web: Client) -> None:
    assert web.post("/people/invite/", FORM).status_code == 302
    assert mail.outbox[0].to == ["olga@example.com"]
    assert "Rita Root invites you" in mail.outbox[0].body
    assert "Olga Ost" in Client().get(link()).text
    assert join(link(), name="Olga Osten") == 302
    client = Client()
    client.post("/sign-in/", {"login": "olga@example.com", "password": PASSWORD})
    assert is_in(client)
    olga = User.objects.get(email="olga@example.com")
    assert (olga.name, role_of(olga)) == ("Olga Osten", "Operator")
    assert recorded() == [
        "person.invited",
        "person.joined",
    ]


def test_joining_signs_nobody_in_by_itself(web: Client) -> None:
    web.post("/people/invite/", FORM)
    client = Client()
    client.post(link(), {"name": "Olga", "password": PASSWORD})
    assert not is_in(client)


def test_the_link_counts_once(web: Client) -> None:
    web.post("/people/invite/", FORM)
    assert join(link()) == 302
    assert Client().get(link()).status_code == 410
    assert join(link(), "another long password") == 410
    assert User.objects.get(email="olga@example.com").check_password(PASSWORD)


def test_a_newer_link_makes_the_earlier_one_void(web: Client) -> None:
    web.post("/people/invite/", FORM)
    earlier, olga = link(), User.objects.get(email="olga@example.com")
    assert web.post(f"/people/{olga.pk}/invite-again/").status_code == 302
    assert link() != earlier
    assert join(earlier) == 410
    assert join(link()) == 302


def test_the_link_is_void_after_three_days(web: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    web.post("/people/invite/", FORM)
    monkeypatch.setattr(_Tokens, "_now", lambda self: datetime.now() + timedelta(days=2))  # noqa: DTZ005
    assert Client().get(link()).status_code == 200
    monkeypatch.setattr(_Tokens, "_now", lambda self: datetime.now() + timedelta(days=3, hours=1))  # noqa: DTZ005
    assert Client().get(link()).status_code == 410


def test_the_link_is_void_for_who_was_switched_off(web: Client) -> None:
    web.post("/people/invite/", FORM)
    User.objects.filter(email="olga@example.com").update(is_active=False)
    assert join(link()) == 410


def test_a_link_of_one_person_opens_nobody_else(web: Client) -> None:
    web.post("/people/invite/", FORM)
    web.post("/people/invite/", {**FORM, "email": "otto@example.com"})
    olga = User.objects.get(email="olga@example.com")
    who, _ = invitations.token_of(olga)
    proof = link().rstrip("/").rpartition("/")[2]
    assert join(f"/people/join/{who}/{proof}/") == 410


@pytest.mark.parametrize("who", ["MQ", "x", "9" * 60, "LTE", "é"])
def test_a_made_up_link_is_void(web: Client, who: str) -> None:
    assert Client().get(f"/people/join/{who}/made-up/").status_code == 410


def test_nothing_of_the_link_is_stored(web: Client) -> None:
    web.post("/people/invite/", FORM)
    proof = link().rstrip("/").rpartition("/")[2]
    olga = User.objects.get(email="olga@example.com")
    assert not olga.has_usable_password()
    assert proof not in str(vars(olga)) + str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize("password", ["short", "password1234", "olga@example.com", "slipway-slipway"])
def test_a_weak_password_is_refused(web: Client, password: str) -> None:
    web.post("/people/invite/", FORM)
    assert join(link(), password) == 422
    assert not User.objects.get(email="olga@example.com").has_usable_password()


def test_somebody_who_has_an_account_is_not_invited(web: Client) -> None:
    world.tenant("olga@example.com", "acme")
    answer = web.post("/people/invite/", FORM)
    assert answer.status_code == 422
    assert "has an account already" in answer.text
    assert mail.outbox == []


@pytest.mark.parametrize("role", ["", "superuser", "owner"])
def test_an_invitation_needs_a_role_that_exists(web: Client, role: str) -> None:
    assert web.post("/people/invite/", {**FORM, "role": role}).status_code == 422
    assert not User.objects.filter(email="olga@example.com").exists()


def test_who_came_in_is_not_invited_again(web: Client) -> None:
    olga = world.person("olga@example.com", Role.OPERATOR)
    answer = web.post(f"/people/{olga.pk}/invite-again/", follow=True)
    assert "came in already" in answer.text
    assert mail.outbox == []


def test_a_mail_server_that_is_away_is_told_and_the_account_stays(
    web: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    answer = web.post("/people/invite/", FORM, follow=True)
    assert "the mail server did not take the message" in answer.text
    assert User.objects.filter(email="olga@example.com").exists()
