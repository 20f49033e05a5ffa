"""OIDC_ONLY: passwords are off, except for superusers, who get in when the provider is away."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from console.models import User
from tests.console.accounts.browser import is_in, sign_in
from tests.console.accounts.provider import Provider
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"


@pytest.fixture(autouse=True)
def only(provider: Provider, settings: Settings) -> None:
    settings.OIDC_ONLY = True


def by_password(email: str, password: str = PASSWORD) -> tuple[bool, str]:
    client = Client()
    page = client.post("/sign-in/", {"login": email, "password": password}).text
    return is_in(client), page.replace(email, "").partition("csrfmiddlewaretoken")[0]


def test_the_page_offers_the_provider_alone() -> None:
    page = Client().get("/sign-in/").text
    assert "Sign in with Example ID" in page
    assert 'type="password"' not in page
    assert "Forgot the password?" not in page


def test_the_form_is_there_for_an_emergency() -> None:
    assert 'type="password"' in Client().get("/sign-in/?with=password").text


def test_an_administrator_does_not_get_in_by_password() -> None:
    world.person()
    got_in, page = by_password("ada@example.com")
    assert not got_in
    assert page == by_password("nobody@example.com")[1]


def test_a_superuser_does() -> None:
    User.objects.create_superuser("boss@example.com", PASSWORD)
    assert by_password("boss@example.com")[0]
    assert not by_password("boss@example.com", "wrong")[0]


def test_the_provider_lets_everybody_else_in(provider: Provider) -> None:
    world.person()
    provider.groups = ["admins"]
    client = Client()
    sign_in(client)
    assert is_in(client)
