"""Where it may be asked, a password that is known from a breach is refused, and nobody outside learns a password."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from pytest_django import Settings

from console import passwords
from console.models import User
from tests.deployments.pages import world
from tests.faults.server import Answer, FaultyServer, faulty_server, resets, says, swallows

PASSWORD = "a canary in every coal mine"
DIGEST = hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).hexdigest().upper()
ON = {"NAME": "console.passwords.NotBreached"}


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    settings.AUTH_PASSWORD_VALIDATORS = [*settings.AUTH_PASSWORD_VALIDATORS, ON]
    with faulty_server(says(200, f"{DIGEST[5:]}:3\r\n{'0' * 35}:0\r\n".encode())) as server:
        monkeypatch.setattr(passwords.service(), "api_endpoint", f"{server.url}/range/")
        yield server


def test_a_known_one_is_refused_with_the_reason(server: FaultyServer) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_password(PASSWORD, User(email="ada@example.com"))
    assert "known from a breach" in " ".join(refused.value.messages)


def test_five_digits_of_a_digest_leave_and_nothing_else(server: FaultyServer) -> None:
    with pytest.raises(ValidationError):
        validate_password(PASSWORD, User(email="ada@example.com"))
    (asked,) = server.requests
    assert asked.path == f"/range/{DIGEST[:5]}"
    assert asked.headers["add-padding"] == "true"
    everything = f"{asked.path} {asked.headers} {asked.body!r}"
    assert PASSWORD not in everything
    assert DIGEST[5:] not in everything
    assert "ada" not in everything


def test_one_that_only_pads_the_answer_is_taken(server: FaultyServer) -> None:
    server.script = [says(200, f"{DIGEST[5:]}:0\r\n".encode())]
    validate_password(PASSWORD)


@pytest.mark.parametrize("answer", [says(503), says(200, b"not:a number"), resets, swallows(1.5)])
def test_without_an_answer_people_can_still_change_theirs(
    server: FaultyServer, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = [answer]
    with caplog.at_level(logging.DEBUG):
        validate_password(PASSWORD)
    said = "\n".join(f"{each.getMessage()} {each.__dict__}" for each in caplog.records)
    assert "Pwned Passwords" in said or "check password" in said
    assert PASSWORD not in said
    assert DIGEST not in said
    with pytest.raises(ValidationError):
        validate_password("password1234")


@pytest.mark.django_db
def test_the_page_says_it_beside_the_field(server: FaultyServer) -> None:
    web: Client = world.signed_in(world.person())
    given = {"oldpassword": "a long enough password", "password1": PASSWORD, "password2": PASSWORD}
    page = web.post("/accounts/password/change/", given)
    assert page.status_code == 200  # as allauth answers forms with mistakes
    assert "known from a breach" in page.text
    assert PASSWORD not in page.text
    assert not User.objects.get().check_password(PASSWORD)


def test_nobody_is_asked_unless_it_was_switched_on(settings: Settings) -> None:
    assert ON not in settings.AUTH_PASSWORD_VALIDATORS
    assert settings.CHECK_BREACHED_PASSWORDS is False
