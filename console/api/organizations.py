"""Organisations and their members."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Query, Router, Schema, Status

from console.access import Permission
from console.api.authentication import Asking, needs
from console.api.idempotency import once
from console.api.paging import MOST, USUAL, Page, paged
from console.api.problems import Problem, of_form
from console.api.reading import Given
from console.models import Membership, Organization
from console.organizations import changing, inviting, members
from console.organizations.forms import InviteForm, NameForm, NewForm, RoleForm, SuspendForm

router = Router(tags=["Organisations"])


class OrganizationOut(Schema):
    slug: str
    name: str
    created_at: str
    suspended_at: str | None
    suspension_reason: str


class OrganizationNew(Given):
    slug: str
    name: str


class OrganizationEdit(Given):
    name: str


class Suspension(Given):
    reason: str


class MemberOut(Schema):
    id: int
    email: str
    name: str
    role: str
    is_active: bool


class RoleSet(Given):
    role: str


class InvitationNew(Given):
    email: str
    role: str = "member"


class InvitationOut(Schema):
    email: str
    role: str
    expires_at: str
    was_sent: bool


class Organizations(Page):
    items: list[OrganizationOut]


class Members(Page):
    items: list[MemberOut]


@router.get("/organizations", response=Organizations)
def list_organizations(
    request: Asking, response: HttpResponse, limit: int = Query(USUAL, ge=1, le=MOST), cursor: str = ""
) -> dict[str, Any]:
    rows = Organization.objects.all()
    return paged(request, response, rows, "slug", _shown, limit=limit, cursor=cursor)


@router.get("/organizations/{slug}", response=OrganizationOut)
def get_organization(request: Asking, slug: str) -> dict[str, Any]:
    return _shown(_find(slug))


@router.post("/organizations", response={201: OrganizationOut}, auth=needs(Permission.ORGANIZATIONS))
@once()
def create_organization(request: Asking, given: OrganizationNew) -> Status[dict[str, Any]]:
    said = _valid(NewForm(given.dict()))
    try:
        return Status(201, _shown(changing.create(said["slug"], said["name"])))
    except changing.Taken:
        raise Problem(409, "There is such an organisation already.") from None


@router.patch("/organizations/{slug}", response=OrganizationOut, auth=needs(Permission.ORGANIZATIONS))
def edit_organization(request: Asking, slug: str, given: OrganizationEdit) -> dict[str, Any]:
    found = _find(slug)
    changing.rename(found, _valid(NameForm(given.dict()))["name"])
    return _shown(_find(slug))


@router.post("/organizations/{slug}/suspend", response=OrganizationOut, auth=needs(Permission.ORGANIZATIONS))
def suspend(request: Asking, slug: str, given: Suspension) -> dict[str, Any]:
    """No gateway takes its API keys any more, within a second."""
    user = request.auth.user
    found = _find(slug)
    changing.suspend(found, reason=_valid(SuspendForm(given.dict()))["reason"], by=user)
    return _shown(_find(slug))


@router.post("/organizations/{slug}/resume", response=OrganizationOut, auth=needs(Permission.ORGANIZATIONS))
def resume(request: Asking, slug: str) -> dict[str, Any]:
    changing.resume(_find(slug))
    return _shown(_find(slug))


@router.get("/organizations/{slug}/members", response=Members)
def list_members(
    request: Asking,
    response: HttpResponse,
    slug: str,
    limit: int = Query(USUAL, ge=1, le=MOST),
    cursor: str = "",
) -> dict[str, Any]:
    rows = _find(slug).memberships.select_related("user")
    return paged(request, response, rows, "id", _member, limit=limit, cursor=cursor)


@router.put(
    "/organizations/{slug}/members/{number}", response=MemberOut, auth=needs(Permission.ORGANIZATIONS)
)
def set_role(request: Asking, slug: str, number: int, given: RoleSet) -> dict[str, Any]:
    """Signs the person out everywhere."""
    found = _membership(slug, number)
    role = _valid(RoleForm(given.dict()))["role"]
    try:
        members.change_role(found, role)
    except members.LastOwner:
        raise Problem(409, f"{found.user.email} is its only owner.") from None
    return _member(_membership(slug, number))


@router.delete(
    "/organizations/{slug}/members/{number}", response={204: None}, auth=needs(Permission.ORGANIZATIONS)
)
def remove_member(request: Asking, slug: str, number: int) -> Status[None]:
    """Their API keys for it stop within a second."""
    found = _membership(slug, number)
    try:
        members.remove(found)
    except members.LastOwner:
        raise Problem(409, f"{found.user.email} is its only owner.") from None
    return Status(204, None)


@router.post(
    "/organizations/{slug}/invitations", response={201: InvitationOut}, auth=needs(Permission.ORGANIZATIONS)
)
@once()
def invite(request: Asking, slug: str, given: InvitationNew) -> Status[dict[str, Any]]:
    """Sends a message with a link that counts once, for a week."""
    user = request.auth.user
    said = _valid(InviteForm(given.dict()))
    try:
        made, token = inviting.invite(_find(slug), said["email"], said["role"], user)
    except inviting.Refused as refused:
        raise Problem(409, str(refused)) from None
    link = request.build_absolute_uri(reverse("invitation_follow", args=[token]))
    told = {
        "email": made.email,
        "role": made.role,
        "expires_at": made.expires_at.isoformat(),
        "was_sent": inviting.send(made, link, user),
    }
    return Status(201, told)


def _valid(form: Any) -> dict[str, Any]:
    if not form.is_valid():
        raise of_form(form)
    cleaned: dict[str, Any] = form.cleaned_data
    return cleaned


def _find(slug: str) -> Organization:
    return get_object_or_404(Organization, slug=slug)


def _membership(slug: str, number: int) -> Membership:
    if not 0 < number < 2**63:
        raise Problem(404)
    return get_object_or_404(_find(slug).memberships.select_related("user", "organization"), pk=number)


def _shown(organization: Organization) -> dict[str, Any]:
    return {
        "slug": organization.slug,
        "name": organization.name,
        "created_at": organization.created_at.isoformat(),
        "suspended_at": organization.suspended_at.isoformat() if organization.suspended_at else None,
        "suspension_reason": organization.suspension_reason,
    }


def _member(membership: Membership) -> dict[str, Any]:
    user = membership.user
    return {
        "id": membership.pk,
        "email": user.email,
        "name": user.name,
        "role": str(membership.role),
        "is_active": user.is_active,
    }
