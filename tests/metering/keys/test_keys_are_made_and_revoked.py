"""API keys on their pages: shown once, for the right people, and gone when they are revoked."""

from __future__ import annotations

import uuid
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access import Role
from console.models import Membership, User
from deployments.spec import SharingSpec
from deployments.vocabulary import Sharing
from metering import issuing, keys
from metering.models import ApiKey
from tests.deployments.pages import world
from tests.metering.keys.people import KEY, make, owner, wish

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob() -> User:
    return owner()


@pytest.fixture
def bea(bob: User) -> User:
    return world.tenant("bea@acme.example", "acme")


def test_a_tenant_makes_a_key_that_is_shown_once(bob: User) -> None:
    client = world.signed_in(bob)
    text = make(client, bob)
    key = ApiKey.objects.get()
    assert (key.digest, key.prefix, key.user, key.all_deployments) == (
        keys.digest(text),
        text[:16],
        bob,
        True,
    )
    assert key.expires_at is not None
    assert timedelta(days=89) < key.expires_at - timezone.now() <= timedelta(days=90)
    for address in ("/portal/keys/", f"/portal/keys/{key.pk}/", "/"):
        page = client.get(address).content.decode()
        assert text not in page
        assert text[16:] not in page
    assert text[:16] in client.get("/portal/keys/").content.decode()


def test_the_page_with_the_key_is_kept_by_nobody(bob: User) -> None:
    answer = world.signed_in(bob).post("/portal/keys/new/", wish(bob))
    assert "no-store" in answer["Cache-Control"]


def test_a_form_that_is_sent_twice_makes_one_key(bob: User) -> None:
    client, body = world.signed_in(bob), wish(bob)
    client.post("/portal/keys/new/", body)
    answer = client.post("/portal/keys/new/", body, follow=True)
    assert ApiKey.objects.count() == 1
    assert not KEY.findall(answer.content.decode())
    assert "was made already" in answer.content.decode()


def test_chosen_models_have_to_be_shared(bob: User) -> None:
    world.deployment("chat", sharing=SharingSpec(Sharing.SELECTED, ("acme",)))
    world.deployment("secret")
    client = world.signed_in(bob)
    assert "secret" not in client.get("/portal/keys/new/").content.decode()
    refused = client.post("/portal/keys/new/", wish(bob, reach="chosen", deployments=["secret"]))
    assert refused.status_code == 422
    assert client.post("/portal/keys/new/", wish(bob, reach="chosen")).status_code == 422
    make(client, bob, reach="chosen", deployments=["chat"])
    assert [each.name for each in ApiKey.objects.get().deployments.all()] == ["chat"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"description": "x" * 501},
        {"expires": "99999"},
        {"nonce": "no"},
        {"reach": "all", "deployments": ["chat"]},
        {"reach": "none"},
    ],
)
def test_bad_input_is_refused(bob: User, changes: dict[str, Any]) -> None:
    world.deployment("chat", sharing=SharingSpec(Sharing.ALL))
    assert world.signed_in(bob).post("/portal/keys/new/", wish(bob, **changes)).status_code == 422
    assert not ApiKey.objects.exists()


def test_nobody_makes_a_key_for_somebody_else(bob: User, bea: User) -> None:
    """E20: the membership is a field of the form, and those of others are not there."""
    charlie = world.tenant("charlie@globex.example", "globex")
    for client in (world.signed_in(bea), world.signed_in(charlie)):
        for membership in (bob.memberships.get().pk, 10**9, 10**30, "one"):
            body = wish(bob, membership=membership)
            assert client.post("/portal/keys/new/", body).status_code == 404
            assert client.get(f"/portal/keys/new/?membership={membership}").status_code == 404
    assert not ApiKey.objects.exists()


def test_an_owner_sees_the_keys_of_the_organisation_and_a_member_own_ones(bob: User, bea: User) -> None:
    make(world.signed_in(bea), bea, name="Bea's")
    make(world.signed_in(bob), bob, name="Bob's")
    stranger = world.signed_in(world.tenant("charlie@globex.example", "globex"))
    bobs = ApiKey.objects.get(name="Bob's")
    names = {
        who: ["Bob&#x27;s" in page, "Bea&#x27;s" in page]
        for who, page in (
            ("bob", world.signed_in(bob).get("/portal/keys/").content.decode()),
            ("bea", world.signed_in(bea).get("/portal/keys/").content.decode()),
            ("charlie", stranger.get("/portal/keys/").content.decode()),
        )
    }
    assert names == {"bob": [True, True], "bea": [False, True], "charlie": [False, False]}
    for address in ("", "rotate/", "revoke/"):
        for client in (stranger, world.signed_in(bea)):
            assert client.get(f"/portal/keys/{bobs.pk}/{address}").status_code == 404
            assert client.post(f"/portal/keys/{bobs.pk}/{address}").status_code in (404, 405)
    assert ApiKey.objects.filter(revoked_at=None).count() == 2


def test_a_key_is_revoked_after_a_question(bob: User) -> None:
    client = world.signed_in(bob)
    make(client, bob)
    key = ApiKey.objects.get()
    assert client.get(f"/portal/keys/{key.pk}/revoke/").status_code == 200
    key.refresh_from_db()
    assert key.revoked_at is None, "E22: asking changes nothing"
    client.post(f"/portal/keys/{key.pk}/revoke/")
    key.refresh_from_db()
    assert (key.revoked_by, key.revoked_at is not None) == (bob, True)
    assert "Revoked" in client.get("/portal/keys/").content.decode()


def test_a_post_without_its_token_changes_nothing(bob: User) -> None:
    """E22."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)
    assert client.post("/portal/keys/new/", wish(bob)).status_code == 403
    assert not ApiKey.objects.exists()


def test_an_administrator_makes_a_key_for_a_member(bob: User) -> None:
    admin = world.signed_in(world.person())
    make(admin, bob, address="/keys/new/")
    key = ApiKey.objects.get()
    assert key.user == bob
    assert key.created_by is not None
    assert key.created_by.email == "ada@example.com"
    assert admin.get(f"/keys/{key.pk}/").status_code == 200
    assert (
        world.signed_in(world.person("vic@example.com", Role.VIEWER))
        .post(f"/keys/{key.pk}/revoke/")
        .status_code
        == 403
    )


def test_keys_are_found_by_name_key_and_person(bob: User, bea: User) -> None:
    make(world.signed_in(bob), bob, name="Search")
    make(world.signed_in(bea), bea, name="Build")
    admin = world.signed_in(world.person())

    def found(query: str) -> list[bool]:
        page = admin.get(f"/keys/?{query}").content.decode()
        return ["Search</a>" in page, "Build</a>" in page]

    assert found("q=sear") == [True, False]
    assert found("q=bea@") == [False, True]
    assert found("q=" + ApiKey.objects.get(name="Search").prefix) == [True, False]
    issuing.revoke(ApiKey.objects.get(name="Build"), by=bob)
    assert found("state=live") == [True, False]
    assert found("state=ended") == [False, True]
    assert found("q=nothing-like-it") == [False, False]


@pytest.mark.parametrize("query", ["", "?q=x&state=live", "?state=ended&page=3"])
def test_the_list_costs_the_same_for_few_and_for_five_thousand(bob: User, query: str) -> None:
    clients = {"/keys/": world.signed_in(world.person()), "/portal/keys/": world.signed_in(bob)}
    acme, counts = bob.organizations.get(), []
    for more in (2, 5000):
        ApiKey.objects.bulk_create(
            ApiKey(user=bob, organization=acme, name="x", prefix="slipway_", digest=uuid.uuid4().hex)
            for _ in range(more)
        )
        for address, client in clients.items():
            with CaptureQueriesContext(connection) as captured:
                assert client.get(address + query).status_code == 200
            counts.append(len(captured))
    assert counts[:2] == counts[2:]
    assert max(counts) <= 8


def test_a_person_has_two_hundred_keys_at_most(bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "MOST_LIVE", 2)
    client = world.signed_in(bob)
    for _ in range(2):
        make(client, bob)
    assert "Revoke one" in client.post("/portal/keys/new/", wish(bob)).content.decode()


def test_the_command_prints_the_key_and_nothing_else(bob: User) -> None:
    out = StringIO()
    call_command("mint_key", "bob@acme.example", "--name=ci", "--expires=30d", stdout=out)
    text = out.getvalue().strip()
    assert keys.is_whole(text)
    assert ApiKey.objects.get().digest == keys.digest(text)
    Membership.objects.create(user=bob, organization=world.organization("globex"))
    with pytest.raises(CommandError, match="several organisations"):
        call_command("mint_key", "bob@acme.example", "--name=ci")
    call_command("mint_key", "bob@acme.example", "--name=ci", "--organization=globex", stdout=StringIO())
    with pytest.raises(CommandError, match="nobody"):
        call_command("mint_key", "no@one.example", "--name=ci")
    with pytest.raises(CommandError, match="a name of at most 100"):
        call_command("mint_key", "bob@acme.example", "--name= ", "--organization=acme")
    with pytest.raises(CommandError, match="is no duration"):
        call_command("mint_key", "bob@acme.example", "--name=ci", "--expires=soon")
