"""For whom a key is made: searched by administrators, chosen by people of several organisations, and watched after."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.models import Membership, User
from deployments.spec import SharingSpec
from deployments.vocabulary import Sharing
from metering.models import ApiKey
from tests.deployments.pages import world
from tests.metering.keys.people import make, owner, wish

pytestmark = pytest.mark.django_db


@pytest.fixture
def bob() -> User:
    return owner()


@pytest.fixture
def admin() -> Client:
    return world.signed_in(world.person())


def test_an_administrator_finds_the_person_first(bob: User, admin: Client) -> None:
    bea = world.tenant("bea@acme.example", "acme")
    page = admin.get("/keys/new/").content.decode()
    assert "bob@acme.example" in page
    assert "bea@acme.example" in page
    found = admin.get("/keys/new/?q=bea").content.decode()
    assert "bob@acme.example" not in found
    address = f"/keys/new/?membership={bea.memberships.get().pk}"
    assert address in found
    assert "For Bea, Acme" in admin.get(address).content.decode()
    make(admin, bea, address=address)
    assert ApiKey.objects.get().user == bea


def test_the_search_reaches_everybody_however_many_there_are(bob: User, admin: Client) -> None:
    many = [User(email=f"p{number}@acme.example", name=f"Person {number:03}") for number in range(60)]
    User.objects.bulk_create(many)
    acme = bob.organizations.get()
    Membership.objects.bulk_create([Membership(user=user, organization=acme) for user in many])
    first = admin.get("/keys/new/").content.decode()
    assert "The first 20. A search finds the others." in first
    assert "p59@acme.example" not in first
    assert "p59@acme.example" in admin.get("/keys/new/?q=person+059").content.decode()
    assert "Nobody matches" in admin.get("/keys/new/?q=nobody-like-it").content.decode()


def test_a_person_of_several_organisations_says_which_one_pays(bob: User) -> None:
    globex = world.organization("globex")
    other = Membership.objects.create(user=bob, organization=globex)
    world.deployment("theirs", sharing=SharingSpec(Sharing.SELECTED, ("globex",)))
    client = world.signed_in(bob)
    page = client.get("/portal/keys/new/").content.decode()
    assert "For Acme" in page
    assert "theirs" not in page
    assert client.get(f"/portal/keys/new/?membership={other.pk}").status_code == 404, "another portal"
    client.post("/portal/organization/", {"organization": "globex"})
    assert "theirs" in client.get("/portal/keys/new/").content.decode()
    body = {"name": "CI", "expires": "", "reach": "all", "nonce": "12345678123456781234567812345678"}
    assert client.post("/portal/keys/new/", body).status_code == 200
    assert ApiKey.objects.get().organization == globex
    assert "CI" in client.get("/portal/keys/").content.decode()
    client.post("/portal/organization/", {"organization": "acme"})
    assert "CI</a>" not in client.get("/portal/keys/").content.decode()


def test_who_was_disabled_gets_no_key(bob: User, admin: Client) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert "bob@acme.example" not in admin.get("/keys/new/").content.decode()
    assert admin.post("/keys/new/", wish(bob)).status_code == 404


@pytest.mark.parametrize("how", ["disabled", "left"])
def test_a_key_of_somebody_who_is_out_is_shown_as_suspended(bob: User, admin: Client, how: str) -> None:
    """What no gateway admits is never shown as active (E25)."""
    make(world.signed_in(bob), bob)
    key = ApiKey.objects.get()
    assert "Active" in admin.get("/keys/").content.decode()
    if how == "disabled":
        User.objects.filter(pk=bob.pk).update(is_active=False)
    else:
        bob.memberships.all().delete()
    page = admin.get("/keys/").content.decode()
    assert "Suspended" in page
    assert "Active" not in page
    assert not ApiKey.objects.live(timezone.now()).exists()
    assert f"/keys/{key.pk}/" not in admin.get("/keys/?state=live").content.decode()
    detail = admin.get(f"/keys/{key.pk}/").content.decode()
    assert "No gateway takes it at present" in detail
    assert "Rotate…" not in detail
    assert "Revoke…" in detail
    admin.post(f"/keys/{key.pk}/revoke/")
    assert "Revoked" in admin.get("/keys/").content.decode()


def test_a_key_that_is_not_there_and_one_of_others_get_the_same_answer(bob: User) -> None:
    """E19."""
    make(world.signed_in(bob), bob)
    stranger = world.signed_in(world.tenant("charlie@globex.example", "globex"))
    key = ApiKey.objects.get()
    for rest in ("", "rotate/", "revoke/"):
        theirs = stranger.get(f"/portal/keys/{key.pk}/{rest}")
        nobodys = stranger.get(f"/portal/keys/{key.pk + 1000}/{rest}")
        assert theirs.status_code == nobodys.status_code == 404
        assert without_token(theirs) == without_token(nobodys)


def without_token(answer: Any) -> str:
    """Forms carry a token against forgery that is another one each time."""
    return re.sub(r"[0-9A-Za-z]{64}", "", answer.content.decode())


def test_a_tenant_sees_how_to_call_a_model(bob: User) -> None:
    client = world.signed_in(bob)
    assert "Call a model" not in client.get("/portal/").content.decode()
    world.deployment("chat", sharing=SharingSpec(Sharing.ALL))
    page = client.get("/portal/").content.decode()
    assert "http://127.0.0.1:8001/v1/chat/completions" in page
    assert "&quot;model&quot;: &quot;chat&quot;" in page or '"model": "chat"' in page
    assert "$SLIPWAY_API_KEY" in page
