"""An answer that is not exactly what was asked for lets nobody in."""

from __future__ import annotations

import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from console.models import User
from tests.console.accounts.browser import is_in, leave, sent_back, sign_in
from tests.console.accounts.provider import CLIENT, Provider
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def would_get_in(db: None, provider: Provider) -> None:
    """Everything else is right, so that only the lie can be the reason."""
    world.sync_roles()
    provider.groups = ["admins"]


def assert_kept_out(client: Client, answer: Any) -> None:
    assert answer.status_code == 401
    assert "The sign-in did not work" in answer.text
    assert not is_in(client)
    assert not User.objects.exists()


NOW = int(time.time())
LIES = {
    "wrong nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "wrong issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "wrong audience": {"aud": "another-client"},
    "no audience": {"aud": None},
    "many audiences and no authorised party": {"aud": [CLIENT, "another-client"]},
    "another authorised party": {"aud": [CLIENT, "another-client"], "azp": "another-client"},
    "expired": {"exp": NOW - 3600},
    "never expires": {"exp": None},
    "issued in the future": {"iat": NOW + 3600},
    "not valid yet": {"nbf": NOW + 3600},
    "no subject": {"sub": None},
    "endless subject": {"sub": "u" * 192},
    "empty subject": {"sub": ""},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_claim_that_lies_keeps_out(provider: Provider, lie: dict[str, Any]) -> None:
    provider.claims.update(lie)
    client = Client()
    assert_kept_out(client, sign_in(client))


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_signature_without_a_private_key_keeps_out(provider: Provider, algorithm: str) -> None:
    provider.lies["algorithm"] = algorithm
    client = Client()
    assert_kept_out(client, sign_in(client))


def test_a_signature_of_somebody_else_keeps_out(provider: Provider) -> None:
    provider.lies["key"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    client = Client()
    assert_kept_out(client, sign_in(client))


def test_an_answer_counts_once(provider: Provider) -> None:
    client = Client()
    back = sent_back(leave(client))
    assert client.get(back).status_code == 302
    client.post("/sign-out/")
    answer = client.get(back)
    assert answer.status_code == 401
    assert not is_in(client)


def test_an_answer_in_another_browser_counts_for_nothing(provider: Provider) -> None:
    back = sent_back(leave(Client()))
    victim = Client()
    assert_kept_out(victim, victim.get(back))


def test_a_state_that_was_never_given_out_counts_for_nothing(provider: Provider) -> None:
    client = Client()
    leave(client)
    assert_kept_out(client, client.get("/accounts/single-sign-on/return/?code=x&state=made-up"))


def test_a_code_needs_the_secret_of_the_browser_that_asked(provider: Provider) -> None:
    """A stolen code, put into an exchange of one's own: its challenge does not fit."""
    mine, theirs = Client(), Client()
    my_state = sent_back(leave(mine)).partition("state=")[2]
    stolen = sent_back(leave(theirs)).partition("code=")[2].partition("&")[0]
    assert_kept_out(mine, mine.get(f"/accounts/single-sign-on/return/?code={stolen}&state={my_state}"))


def test_an_answer_that_names_another_issuer_keeps_out(provider: Provider) -> None:
    client = Client()
    assert_kept_out(client, client.get(sent_back(leave(client)) + "&iss=https://evil.example"))


def test_a_discovery_document_of_somebody_else_leads_nowhere(provider: Provider) -> None:
    provider.discovery["issuer"] = "https://evil.example"
    answer = Client().post("/accounts/single-sign-on/")
    assert answer.status_code == 401
    assert "evil.example" not in answer.text


def test_userinfo_about_somebody_else_keeps_out(provider: Provider) -> None:
    provider.userinfo["sub"] = "u-2"
    client = Client()
    assert_kept_out(client, sign_in(client))


@pytest.mark.parametrize("keys", [{}, {"keys": []}, [], {"keys": [{"kty": "RSA"}]}, "no keys"])
def test_keys_that_make_no_sense_keep_out(
    provider: Provider, keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Provider, "keys", lambda self: keys)
    client = Client()
    assert_kept_out(client, sign_in(client))


def test_the_signed_claims_win_over_what_userinfo_says(provider: Provider) -> None:
    provider.groups = ["viewers"]
    provider.userinfo["groups"] = ["admins"]
    sign_in(Client())
    assert [group.name for group in User.objects.get().groups.all()] == ["viewer"]
