"""Organisations in the console: made, renamed, suspended and resumed; who may, and what is told of each."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access import Role
from console.audit.entry import AuditEntry
from console.models import Organization
from console.organizations import changing
from deployments.vocabulary import LimitScope, Sharing
from metering import issuing
from metering.limit_changes import Amounts, set_exception
from metering.models import ApiKey, UsageHour
from metering.standing import SUSPENDED, state_of
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def web(db: None) -> Client:
    return world.signed_in(world.person())


def used(organization: Organization, requests: int, amount: str = "1.239", currency: str = "USD") -> None:
    UsageHour.objects.create(
        hour=timezone.now().replace(minute=0, second=0, microsecond=0),
        deployment_id=1,
        deployment="chat",
        model="m",
        organization_id=organization.pk,
        user_id=1,
        api_key_id=organization.pk,
        status="completed",
        input_tokens=1,
        cached_tokens=0,
        output_tokens=1,
        currency=currency,
        price_id=ord(currency[0]),
        requests=requests,
        estimated_requests=0,
        amount=Decimal(amount),
    )


def test_one_is_made_and_its_first_owner_is_asked_for(web: Client) -> None:
    answer = web.post("/organizations/new/", {"name": "Initech", "slug": "initech"}, follow=True)
    assert answer.redirect_chain == [("/organizations/initech/members/", 302)]
    assert "Invite its first owner." in answer.content.decode()
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert (entry.action, entry.object_name) == ("organization.created", "Initech")


@pytest.mark.parametrize(
    ("slug", "said"),
    [
        ("acme", "There is an organisation acme already"),
        ("Acme", "small letters"),
        ("-a", "small letters"),
        ("a" * 64, "63"),
        ("a\n", "small letters"),
        ("", "required"),
    ],
)
def test_a_short_name_is_new_and_fits_everywhere(web: Client, slug: str, said: str) -> None:
    world.organization("acme")
    answer = web.post("/organizations/new/", {"name": "X", "slug": slug})
    if slug == "a\n":  # a browser's field loses it, and so does the form
        assert answer.status_code == 302
        return
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert Organization.objects.count() == 1


def test_a_name_changes_and_the_short_name_stays(web: Client) -> None:
    world.organization("acme")
    web.post("/organizations/acme/edit/", {"name": "Acme Corporation", "slug": "other"})
    assert list(Organization.objects.values_list("slug", "name")) == [("acme", "Acme Corporation")]


def test_suspending_says_what_stops_and_resuming_brings_it_back(web: Client) -> None:
    bob = world.tenant("bob@acme.example", "acme")
    acme = bob.organizations.get()
    key, _ = issuing.issue(user=bob, organization=acme, name="k", by=bob)
    used(acme, 7)
    asked = web.get("/organizations/acme/suspend/").content.decode()
    assert "1 API key of 1 member, which made 7 requests" in asked
    assert web.post("/organizations/acme/suspend/", {"reason": ""}).status_code == 422
    page = web.post(
        "/organizations/acme/suspend/", {"reason": "Invoice is late."}, follow=True
    ).content.decode()
    assert "Suspended: no gateway takes its API keys" in page
    (shown,) = ApiKey.objects.with_owners()
    assert state_of(shown, timezone.now()) is SUSPENDED
    with pytest.raises(issuing.Refused, match="suspended"):
        issuing.issue(user=bob, organization=acme, name="another", by=bob)
    portal = world.signed_in(bob).get("/portal/").content.decode()
    assert "Your organisation is suspended" in portal
    assert "Invoice is late." in portal
    web.post("/organizations/acme/resume/")
    assert "suspended" not in world.signed_in(bob).get("/portal/").content.decode()
    about = AuditEntry.objects.filter(object_kind="organization").order_by("number")
    assert list(about.values_list("action", flat=True)) == ["organization.suspended", "organization.resumed"]
    assert key.pk == shown.pk


def test_suspending_twice_keeps_the_first_reason() -> None:
    bob = world.tenant("bob@acme.example", "acme")
    acme = bob.organizations.get()
    assert changing.suspend(acme, reason="First.", by=bob)
    assert not changing.suspend(acme, reason="Second.", by=bob)
    acme.refresh_from_db()
    assert acme.suspension_reason == "First."
    assert changing.resume(acme)
    assert not changing.resume(acme)


def test_a_page_tells_of_models_limits_and_money(web: Client) -> None:
    acme = world.tenant("bob@acme.example", "acme").organizations.get()
    chat = world.deployment("chat", sharing=world.shared(Sharing.SELECTED, "acme"))
    world.deployment("open", sharing=world.shared(Sharing.ALL))
    world.deployment("nobodys")
    set_exception(chat, acme, {LimitScope.USER: Amounts(5, None)})
    used(acme, 3)
    used(acme, 2, "2.005", "EUR")
    page = web.get("/organizations/acme/").content.decode()
    for text in ("chat", "open", "$1.24", "€2.01"):
        assert text in page
    assert "nobodys" not in page
    limits = web.get("/organizations/acme/limits/").content.decode()
    assert "5 requests" in limits
    assert limits.count('class="tag">Own') == 1
    listed = web.get("/organizations/").content.decode()
    assert "$1.24" in listed


def test_money_is_for_those_who_may_see_usage() -> None:
    used(world.organization("acme"), 3)
    viewer = world.signed_in(world.person("vic@example.com", Role.VIEWER))
    assert "$1.24" not in viewer.get("/organizations/").content.decode()
    assert "$1.24" not in viewer.get("/organizations/acme/").content.decode()


def test_lists_are_searched_and_cost_the_same_at_any_size(web: Client) -> None:
    for number in range(3):
        world.tenant(f"t{number}@example.com", f"tenant-{number}")

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert web.get(address).status_code == 200
        return len(captured)

    web.get("/organizations/")  # the first request notes the session
    few = {address: queries(address) for address in ("/organizations/", "/organizations/tenant-1/")}
    for number in range(3, 50):
        world.tenant(f"t{number}@example.com", f"tenant-{number}")
        used(world.organization(f"tenant-{number}"), 1)
        world.deployment(f"d-{number}", sharing=world.shared(Sharing.ALL))
    assert {address: queries(address) for address in few} == few
    assert max(few.values()) <= 12
    found = web.get("/organizations/?q=tenant-47").content.decode()
    assert "tenant-47" in found
    assert "tenant-46" not in found
    changing.suspend(world.organization("tenant-9"), reason="x", by=world.person("op@example.com"))
    shown = web.get("/organizations/?state=suspended").content.decode()
    assert ("tenant-9" in shown, "tenant-10" in shown) == (True, False)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.BILLING, Role.VIEWER])
def test_others_of_the_platform_look_and_change_nothing(role: Role) -> None:
    world.organization("acme")
    other: Any = world.signed_in(world.person("op@example.com", role))
    assert other.get("/organizations/acme/").status_code == 200
    for path, given in (
        ("/organizations/new/", {"name": "X", "slug": "x"}),
        ("/organizations/acme/edit/", {"name": "X"}),
        ("/organizations/acme/suspend/", {"reason": "x"}),
        ("/organizations/acme/members/", {"do": "invite", "email": "x@example.com", "role": "owner"}),
    ):
        assert other.post(path, given).status_code == 403
    assert list(Organization.objects.values_list("name", "suspended_at")) == [("Acme", None)]
