"""*View as organisation*: marked, read-only, in the audit, for those who may change organisations, and for an hour."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from console.access import Role
from console.audit.entry import AuditEntry
from console.models import Organization
from deployments.vocabulary import Sharing
from metering.models import ApiKey
from tests.deployments.pages import world
from tests.metering.keys.people import make, owner

pytestmark = pytest.mark.django_db
LOOK, END = "/organizations/acme/view-as/", "/portal/view-as/end/"
MARK = "as its owner does"


@pytest.fixture
def admin() -> Client:
    bob = owner()
    world.deployment("chat", sharing=world.shared(Sharing.SELECTED, "acme"))
    make(world.signed_in(bob), bob)
    return world.signed_in(world.person())


def actions() -> list[tuple[str, str, str]]:
    rows = AuditEntry.objects.filter(action__startswith="organization.").order_by("number")
    return list(rows.values_list("action", "actor", "object_name"))


def test_they_see_what_the_owner_sees_marked_as_a_look(admin: Client) -> None:
    answer = admin.post(LOOK, follow=True)
    assert answer.redirect_chain[-1][0] == "/portal/"
    for address in (
        "/portal/",
        "/portal/models/chat/",
        "/portal/keys/",
        "/portal/usage/",
        "/portal/bill/2026-11/",
    ):
        page = admin.get(address)
        assert page.status_code == 200, address
        assert MARK in page.content.decode(), address
    assert "CI" in admin.get("/portal/keys/").content.decode(), "keys of everybody in it"
    assert MARK not in admin.get("/deployments/").content.decode()


def test_beginning_and_ending_are_in_the_audit(admin: Client) -> None:
    admin.post(LOOK)
    assert admin.post(END).headers["Location"] == "/organizations/acme/"
    acme = Organization.objects.get()
    assert actions() == [
        ("organization.view_begun", "ada@example.com", str(acme)),
        ("organization.view_ended", "ada@example.com", str(acme)),
    ]
    assert admin.get("/portal/").status_code == 404
    admin.post(END)
    assert len(actions()) == 2, "nothing is ended twice"


def test_nothing_can_be_changed_meanwhile(admin: Client) -> None:
    key = ApiKey.objects.get()
    admin.post(LOOK)
    for address in (
        *("/portal/keys/new/", f"/portal/keys/{key.pk}/rotate/", f"/portal/keys/{key.pk}/revoke/"),
        *("/portal/playground/", "/portal/playground/answer/"),
    ):
        assert admin.post(address, {"model": "chat", "message": "Hello"}).status_code == 403, address
    assert admin.get("/portal/keys/new/").status_code == 403
    key.refresh_from_db()
    assert key.revoked_at is None
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.BILLING, Role.VIEWER])
def test_only_who_may_change_organisations_may_look(admin: Client, role: Role) -> None:
    other = world.signed_in(world.person("other@example.com", role))
    assert other.post(LOOK).status_code == 403
    assert other.get("/portal/").status_code == 404


def test_a_look_is_begun_by_post_at_an_organisation_that_is_there(admin: Client) -> None:
    assert admin.get(LOOK).status_code == 405
    assert admin.post("/organizations/nothing/view-as/").status_code == 404
    assert actions() == []


def test_a_look_ends_with_the_right_to_it_and_after_an_hour(admin: Client) -> None:
    admin.post(LOOK)
    with time_machine.travel(timezone.now() + timedelta(minutes=59), tick=False):
        assert admin.get("/portal/").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=61), tick=False):
        assert admin.get("/portal/").status_code == 404
    ada = world.User.objects.get(email="ada@example.com")
    ada.groups.clear()
    assert MARK not in admin.get("/portal/").content.decode()
