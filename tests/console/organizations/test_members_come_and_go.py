"""Members: invited by e-mail, changed and removed by owners in the portal or administrators in the console."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import Client
from django.utils import timezone

from console.audit.entry import AuditEntry
from console.models import Invitation, Membership, User
from console.organizations import changing, inviting, members
from metering import issuing
from metering.models import ApiKey
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
PASSWORD = "four words in a row"
PORTAL = "/portal/members/"


def owner(email: str = "olga@acme.example", organization: str = "acme") -> User:
    user = world.tenant(email, organization)
    Membership.objects.filter(user=user).update(role=Membership.Role.OWNER)
    return user


def invite(web: Client, email: str = "new@acme.example", role: str = "member", page: str = PORTAL) -> str:
    """The path of the link in the message."""
    before = len(mail.outbox)
    assert web.post(page, {"do": "invite", "email": email, "role": role}).status_code == 302
    assert len(mail.outbox) == before + 1
    (link,) = re.findall(r"http://testserver(/invitations/\S+)", mail.outbox[-1].body)
    return link


def belongs(email: str) -> str | None:
    return (
        Membership.objects.filter(user__email=email, organization__slug="acme")
        .values_list("role", flat=True)
        .first()
    )


@pytest.mark.parametrize("place", ["portal", "console"])
def test_somebody_new_is_invited_joins_and_signs_in(place: str) -> None:
    olga = owner()
    web = world.signed_in(olga if place == "portal" else world.person())
    link = invite(web, page=PORTAL if place == "portal" else "/organizations/acme/members/")
    visitor = Client()
    assert visitor.get(link)["Location"] == "/invitations/join/"
    assert "You sign in as new@acme.example" in visitor.get("/invitations/join/").content.decode()
    given = {"name": "Nora New", "password": PASSWORD}
    assert visitor.post("/invitations/join/", given)["Location"] == "/sign-in/"
    assert belongs("new@acme.example") == "member"
    assert User.objects.get(email="new@acme.example").check_password(PASSWORD)
    again = Client()
    again.get(link)
    assert again.post("/invitations/join/", given).status_code == 410


def test_the_secret_of_the_link_is_kept_nowhere() -> None:
    link = invite(world.signed_in(owner()))
    token = link.split("/")[2]
    invitation = Invitation.objects.get()
    assert token not in str(vars(invitation))
    assert not [entry for entry in AuditEntry.objects.all() if token in str(entry.content)]


def test_somebody_who_is_known_signs_in_and_accepts() -> None:
    charlie = world.tenant("charlie@globex.example", "globex")
    link = invite(world.signed_in(owner()), charlie.email, "owner")
    visitor = Client()
    visitor.get(link)
    shown = visitor.get("/invitations/join/").content.decode()
    assert "has an account already" in shown
    assert visitor.post("/invitations/join/", {"name": "X", "password": PASSWORD}).status_code == 200
    assert belongs(charlie.email) is None  # only who signs in as that person joins
    visitor.force_login(charlie)
    visitor.get(link)
    assert "Join Acme" in visitor.get("/invitations/join/").content.decode()
    assert visitor.post("/invitations/join/")["Location"] == "/portal/"
    assert belongs(charlie.email) == "owner"


def test_a_link_is_for_one_person_whoever_follows_it() -> None:
    link = invite(world.signed_in(owner()))
    thief = world.signed_in(world.tenant("thief@globex.example", "globex"))
    thief.get(link)
    for answer in (thief.get("/invitations/join/"), thief.post("/invitations/join/")):
        assert answer.status_code == 403
    assert not User.objects.filter(email="new@acme.example").exists()
    assert belongs("thief@globex.example") is None


def test_who_invites_does_not_learn_who_has_an_account() -> None:
    world.tenant("known@globex.example", "globex")
    web = world.signed_in(owner())
    pages = []
    for email in ("known@globex.example", "unknown@globex.example"):
        invite(web, email)
        pages.append(re.sub(r"\d+|un(?=known)|csrf\w+|value=\"\w+\"", "", web.get(PORTAL).content.decode()))
        assert "invites you to Acme" in mail.outbox[-1].body
        Invitation.objects.update(revoked_at=timezone.now())
    first, second = ([line for line in page.splitlines() if "known@" in line] for page in pages)
    assert first == second != []


def test_an_invitation_runs_out_is_renewed_and_taken_back() -> None:
    web = world.signed_in(owner())
    old = invite(web)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "Ran out" in web.get(PORTAL).content.decode()
    visitor = Client()
    visitor.get(old)
    assert visitor.get("/invitations/join/").status_code == 410
    number = Invitation.objects.get().pk
    web.post(PORTAL, {"do": "again", "invitation": number})
    (fresh,) = re.findall(r"http://testserver(/invitations/\S+)", mail.outbox[-1].body)
    assert fresh != old
    visitor.get(old)
    assert visitor.get("/invitations/join/").status_code == 410
    visitor.get(fresh)
    assert visitor.get("/invitations/join/").status_code == 200
    web.post(PORTAL, {"do": "revoke", "invitation": number})
    assert visitor.get("/invitations/join/").status_code == 410
    invite(web)  # and again for the same address


def test_of_a_suspended_organisation_nobody_joins() -> None:
    olga = owner()
    visitor = Client()
    visitor.get(invite(world.signed_in(olga)))
    changing.suspend(olga.organizations.get(), reason="x", by=olga)
    assert visitor.post("/invitations/join/", {"name": "N", "password": PASSWORD}).status_code == 410


def test_a_weak_password_is_refused_with_the_reason() -> None:
    visitor = Client()
    visitor.get(invite(world.signed_in(owner())))
    answer = visitor.post("/invitations/join/", {"name": "N", "password": "short"})
    assert answer.status_code == 422
    assert not User.objects.filter(email="new@acme.example").exists()


def test_mail_that_cannot_be_sent_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise ConnectionRefusedError

    monkeypatch.setattr(EmailBackend, "send_messages", fail)
    web = world.signed_in(owner())
    page = web.post(PORTAL, {"do": "invite", "email": "n@acme.example", "role": "member"}, follow=True)
    assert "could not be sent" in page.content.decode()
    assert "Not sent" in page.content.decode()


@pytest.mark.parametrize(
    "given",
    [
        {"email": "not an address", "role": "member"},
        {"email": "a@b.example\nBcc: all@b.example", "role": "member"},
        {"email": "n@acme.example", "role": "administrator"},
        {"email": "olga@acme.example", "role": "member"},
        {"email": "n@acme.example"},
    ],
)
def test_odd_invitations_are_refused(given: dict[str, str]) -> None:
    web = world.signed_in(owner())
    assert web.post(PORTAL, {"do": "invite", **given}).status_code == 422
    assert (Invitation.objects.count(), len(mail.outbox)) == (0, 0)


def test_messages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inviting, "MOST_A_DAY", 2)
    web = world.signed_in(owner())
    invite(web, "a@acme.example")
    invite(web, "b@acme.example")
    answer = web.post(PORTAL, {"do": "invite", "email": "c@acme.example", "role": "member"})
    assert "within a day" in answer.content.decode()
    assert len(mail.outbox) == 2


def test_an_owner_changes_roles_and_the_person_is_signed_out() -> None:
    olga, bea = owner(), world.tenant("bea@acme.example", "acme")
    her = world.signed_in(bea)
    web = world.signed_in(olga)
    number = Membership.objects.get(user=bea).pk
    page = web.post(PORTAL, {"do": "role", "member": number, "role": "owner"}, follow=True).content.decode()
    assert "is an owner now" in page
    assert belongs(bea.email) == "owner"
    assert her.get("/portal/").status_code == 302
    web.post(PORTAL, {"do": "role", "member": number, "role": "root"})
    assert belongs(bea.email) == "owner"


def test_a_member_who_goes_loses_keys_and_sessions() -> None:
    olga, bea = owner(), world.tenant("bea@acme.example", "acme")
    key, _ = issuing.issue(user=bea, organization=bea.organizations.get(), name="k", by=bea)
    her = world.signed_in(bea)
    web = world.signed_in(olga)
    web.post(PORTAL, {"do": "remove", "member": Membership.objects.get(user=bea).pk})
    assert belongs(bea.email) is None
    assert her.get("/portal/").status_code == 302
    assert not ApiKey.objects.live(timezone.now()).filter(pk=key.pk).exists()
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert (entry.action, entry.changes["person"], entry.organization) == (
        "member.removed",
        ["bea@acme.example", None],
        "acme",
    )


@pytest.mark.parametrize("do", ["role", "remove"])
def test_the_last_owner_stays(do: str) -> None:
    olga = owner()
    world.tenant("bea@acme.example", "acme")
    given = {"do": do, "member": Membership.objects.get(user=olga).pk, "role": "member"}
    page = world.signed_in(olga).post(PORTAL, given, follow=True).content.decode()
    assert "is its only owner" in page
    assert belongs(olga.email) == "owner"


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_lower_each_other_leave_one() -> None:
    people = [owner("a@acme.example"), owner("b@acme.example")]
    rows = [Membership.objects.get(user=person) for person in people]
    start = threading.Barrier(2)
    refused: list[Membership] = []

    def lower(row: Membership) -> None:
        start.wait()
        try:
            members.change_role(row, "member")
        except members.LastOwner:
            refused.append(row)
        connection.close()

    threads = [threading.Thread(target=lower, args=[row]) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert Membership.objects.filter(role="owner").count() == 1


def test_members_see_who_belongs_and_change_nothing() -> None:
    olga, bea = owner(), world.tenant("bea@acme.example", "acme")
    web = world.signed_in(bea)
    shown = web.get(PORTAL).content.decode()
    assert olga.email in shown
    assert "Send invitation" not in shown
    for given in (
        {"do": "invite", "email": "x@acme.example", "role": "owner"},
        {"do": "role", "member": Membership.objects.get(user=bea).pk, "role": "owner"},
        {"do": "remove", "member": Membership.objects.get(user=olga).pk},
    ):
        assert web.post(PORTAL, given).status_code == 403
    assert (belongs(bea.email), belongs(olga.email)) == ("member", "owner")


@pytest.mark.parametrize("do", ["role", "remove", "again", "revoke"])
def test_nothing_of_another_organisation_is_reached_by_its_number(do: str) -> None:
    """E20: ids of another organisation in a form."""
    carl = owner("carl@globex.example", "globex")
    invitation, _ = inviting.invite(carl.organizations.get(), "n@globex.example", "member", carl)
    web = world.signed_in(owner())
    for number in (Membership.objects.get(user=carl).pk, invitation.pk, 0, 10**30, "x"):
        given = {"do": do, "member": number, "invitation": number, "role": "member"}
        assert web.post(PORTAL, given).status_code == 404
    assert Membership.objects.get(user=carl).role == "owner"
    invitation.refresh_from_db()
    assert invitation.revoked_at is None
