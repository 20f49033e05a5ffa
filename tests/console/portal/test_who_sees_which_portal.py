"""The portal as each kind of person: of one organisation, of several, of none, and people of the platform."""

from __future__ import annotations

import pytest
from django.test import Client

from console.access import Role
from console.models import Membership
from deployments.vocabulary import Sharing
from tests.deployments.pages import world
from tests.metering.keys.people import owner

pytestmark = pytest.mark.django_db
MEMBERS = {
    *("/portal/", "/portal/models/chat/", "/portal/playground/", "/portal/usage/"),
    *("/portal/keys/", "/portal/keys/new/"),
}
OWNERS = {"/portal/bill/2026-11/"}


@pytest.fixture(autouse=True)
def chat(db: None) -> None:
    world.deployment("chat", sharing=world.shared(Sharing.ALL))


def found(client: Client) -> set[str]:
    """Those of the portal's pages that are there for this person."""
    statuses = {address: client.get(address).status_code for address in MEMBERS | OWNERS}
    assert set(statuses.values()) <= {200, 404}
    return {address for address, status in statuses.items() if status == 200}


def test_owners_see_all_of_it_and_members_no_bill() -> None:
    assert found(world.signed_in(owner())) == MEMBERS | OWNERS
    bea = world.signed_in(world.tenant("bea@acme.example", "acme"))
    assert found(bea) == MEMBERS
    assert "/portal/bill/" not in bea.get("/portal/").content.decode()


@pytest.mark.parametrize("role", list(Role))
def test_people_of_the_platform_have_no_portal_of_their_own(role: Role) -> None:
    assert found(world.signed_in(world.person(role=role))) == set()


def test_who_belongs_to_no_organisation_sees_why_there_is_nothing() -> None:
    assert found(world.signed_in(world.tenant("new@example.com"))) == {"/portal/"}


def test_who_belongs_to_both_can_go_to_both() -> None:
    ada = world.person()
    Membership.objects.create(user=ada, organization=world.organization("acme"))
    client = world.signed_in(ada)
    assert found(client) == MEMBERS
    assert 'href="/portal/"' in client.get("/models/").content.decode()
    assert 'href="/"' in client.get("/portal/").content.decode()
    assert (
        'href="/portal/"'
        not in world.signed_in(world.person("op@example.com")).get("/models/").content.decode()
    )


def test_every_page_of_the_portal_has_its_bar_and_no_sidebar() -> None:
    bob = world.signed_in(owner())
    for address in MEMBERS | OWNERS | {"/portal/models/nothing/", "/accounts/password/change/"}:
        page = bob.get(address).content.decode()
        if address == "/portal/models/nothing/":  # error pages stand alone
            continue
        assert 'class="portal-bar"' in page, address
        assert 'id="sidebar"' not in page, address


def test_a_person_of_several_organisations_chooses_one_by_post() -> None:
    both = world.tenant("gus@example.com", "acme", "globex")
    world.deployment("for-globex", sharing=world.shared(Sharing.SELECTED, "globex"))
    client = world.signed_in(both)
    assert "for-globex" not in client.get("/portal/").content.decode(), "the first by name"
    assert client.get("/portal/organization/?organization=globex").status_code == 405
    assert client.post("/portal/organization/", {"organization": "globex"}).status_code == 302
    page = client.get("/portal/").content.decode()
    assert "for-globex" in page
    assert "Go to Acme" in page
    both.memberships.filter(organization__slug="globex").delete()
    assert "for-globex" not in client.get("/portal/").content.decode(), "whoever has left is out at once"


@pytest.mark.parametrize("slug", ["initech", "nothing", "", "a" * 500])
def test_nobody_chooses_an_organisation_of_others(slug: str) -> None:
    world.organization("initech")
    client = world.signed_in(world.tenant("bea@acme.example", "acme"))
    assert client.post("/portal/organization/", {"organization": slug}).status_code == 404
    assert "Initech" not in client.get("/portal/").content.decode()


def test_a_suspended_organisation_is_told_on_every_page() -> None:
    bob = world.signed_in(owner())
    world.Organization.objects.update(suspended_at=world.ago(days=1), suspension_reason="The bill is open.")
    for address in MEMBERS:
        page = bob.get(address).content.decode()
        assert "Your organisation is suspended" in page, address
        assert "The bill is open." in page, address
