"""Signing in by e-mail, and what it withstands."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import redis
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

import console
from console.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
SIGN_IN = "/sign-in/"


@pytest.fixture(autouse=True)
def alice(db: None) -> User:
    return User.objects.create_user("Alice@Example.com", PASSWORD, name="Alice Berg")


def sign_in(client: Client, login: str = "alice@example.com", password: str = PASSWORD, **extra: str) -> bool:
    client.post(SIGN_IN, {"login": login, "password": password}, **extra)
    return "_auth_user_id" in client.session


@pytest.mark.parametrize("login", ["alice@example.com", "ALICE@EXAMPLE.COM", "Alice@example.Com "])
def test_the_address_is_known_in_any_case(client: Client, login: str) -> None:
    assert sign_in(client, login)


def test_two_people_never_differ_in_case_only(alice: User) -> None:
    assert alice.email == "alice@example.com"
    with pytest.raises(Exception, match="user_email_ignores_case"):
        User.objects.create(email="ALICE@example.com")


def test_the_session_gets_a_new_key_at_sign_in(client: Client) -> None:
    client.session.save()
    session = client.session
    session["planted"] = "yes"
    session.save()
    client.cookies["session"] = session.session_key
    before = session.session_key
    assert sign_in(client)
    assert client.session.session_key != before
    assert not client.session.exists(before)


def test_who_was_deactivated_does_not_get_in(client: Client, alice: User) -> None:
    alice.is_active = False
    alice.save()
    assert not sign_in(client)


def test_the_answer_does_not_tell_whether_an_address_is_known(client: Client) -> None:
    def answer(login: str) -> str:
        page = client.post(SIGN_IN, {"login": login, "password": "wrong"}).content.decode()
        return page.replace(login, "").split("csrfmiddlewaretoken")[0]

    assert answer("alice@example.com") == answer("nobody@example.com")


@pytest.mark.parametrize("valkey_is", ["there", "away"])
def test_wrong_passwords_are_throttled(
    client: Client, monkeypatch: pytest.MonkeyPatch, valkey_is: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise redis.ConnectionError("Valkey is away.")

    if valkey_is == "away":
        monkeypatch.setattr(redis.connection.AbstractConnection, "connect", refuse)
    for _ in range(5):
        assert not sign_in(client, password="wrong")
    assert not sign_in(client)
    assert "Too many failed login attempts" in _answer(client)


def test_throttling_follows_the_account_across_addresses_and_case(client: Client) -> None:
    for number in range(5):
        sign_in(client, "aLiCe@example.com" if number % 2 else "alice@example.com", "wrong")
    assert not sign_in(client, "ALICE@example.com", REMOTE_ADDR="192.0.2.77")


def walk(client: Client, forwarded: str) -> list[bool]:
    """21 wrong passwords for as many accounts, then the right one; whether each got in."""
    header = {"HTTP_X_FORWARDED_FOR": forwarded}
    tries = [sign_in(client, f"nobody-{number}@example.com", "wrong", **header) for number in range(21)]
    return [*tries, sign_in(client, **header)]


def test_one_address_may_not_try_many_accounts(client: Client) -> None:
    assert not any(walk(client, "192.0.2.1"))


def test_a_forged_address_does_not_help(client: Client) -> None:
    walk(client, "192.0.2.1")
    assert not sign_in(client, HTTP_X_FORWARDED_FOR="192.0.2.2")


def test_behind_a_proxy_people_do_not_share_one_limit(client: Client, settings: Settings) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert not any(walk(client, "203.0.113.9, 192.0.2.1"))
    assert not sign_in(client, HTTP_X_FORWARDED_FOR="203.0.113.10, 192.0.2.1")
    assert sign_in(client, HTTP_X_FORWARDED_FOR="203.0.113.9, 192.0.2.2")


@pytest.mark.parametrize(("value", "count"), [("true", 1), ("false", 0)])
def test_a_proxy_is_trusted_only_where_one_is_declared(
    monkeypatch: pytest.MonkeyPatch, value: str, count: int
) -> None:
    monkeypatch.setenv("BEHIND_PROXY", value)
    found = runpy.run_path(str(Path(console.__file__).with_name("settings.py")))
    assert found["ALLAUTH_TRUSTED_PROXY_COUNT"] == count
    assert bool(found["SECURE_PROXY_SSL_HEADER"]) is bool(count)


def test_one_throttled_account_does_not_close_another(client: Client) -> None:
    User.objects.create_user("bea@example.com", PASSWORD)
    for _ in range(6):
        sign_in(client, password="wrong")
    assert sign_in(client, "bea@example.com")


def test_the_admin_of_django_is_no_way_around_the_throttle(client: Client, alice: User) -> None:
    alice.is_staff = True
    alice.save()
    client.post("/admin/login/", {"username": alice.email, "password": PASSWORD})
    assert "_auth_user_id" not in client.session


def test_nobody_can_sign_up(client: Client) -> None:
    form = {"email": "mallory@example.com", "password1": PASSWORD, "password2": PASSWORD}
    page = client.post(reverse("account_signup"), form)
    assert page.status_code == 200
    assert "<form" not in page.content.decode().partition("<main")[2]
    assert not User.objects.filter(email="mallory@example.com").exists()
    assert client.post("/accounts/signup/", form).status_code == 404


def test_signing_out_takes_a_post(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get("/sign-out/").status_code == 200
    assert "_auth_user_id" in client.session
    answer = client.post("/sign-out/")
    assert (answer.status_code, answer["Location"]) == (302, SIGN_IN)
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_site(client: Client, target: str) -> None:
    answer = client.post(SIGN_IN, {"login": "alice@example.com", "password": PASSWORD, "next": target})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_a_sign_in_needs_the_token_of_its_form() -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post(SIGN_IN, {"login": "alice@example.com", "password": PASSWORD})
    assert answer.status_code == 403


def _answer(client: Client) -> str:
    form = {"login": "alice@example.com", "password": PASSWORD}
    return client.post(SIGN_IN, form).content.decode()
