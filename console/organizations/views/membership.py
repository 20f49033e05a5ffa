"""Members and invitations of an organisation: for administrators in the console, and for its owners in the portal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from console.access import Permission, TenantRight, can, requires
from console.http import Request, page
from console.models import Membership, Organization
from console.organizations import inviting, members
from console.organizations.forms import InviteForm, RoleForm
from console.organizations.invitation import Invitation
from console.organizations.views.console import find, head
from console.pages import paginate
from console.visiting import in_portal

MOST_INVITATIONS = 100
_ONLY_OWNER = "{} is its only owner, and stays one. Make somebody else an owner first."


@dataclass(frozen=True, slots=True)
class Place:
    """Where these pages are shown, and about whom."""

    organization: Organization
    is_portal: bool
    may_change: bool

    @property
    def address(self) -> str:
        return (
            reverse("portal_members")
            if self.is_portal
            else reverse("organization_members", args=[self.organization.slug])
        )


View = Callable[[Request, Place], HttpResponse]


def _in_both(view: View) -> tuple[Callable[..., HttpResponse], Callable[..., HttpResponse]]:
    """The same page in the console and in the portal."""

    @require_http_methods(["GET", "HEAD", "POST"])
    @requires(Permission.VIEW)
    @wraps(view)
    def in_the_console(request: Request, slug: str) -> HttpResponse:
        may_change = can(request.user, Permission.ORGANIZATIONS)
        return view(request, Place(find(slug), is_portal=False, may_change=may_change))

    @require_http_methods(["GET", "HEAD", "POST"])
    @in_portal
    @wraps(view)
    def in_the_portal(request: Request) -> HttpResponse:
        visit = request.visit
        may_change = visit.may(TenantRight.MEMBERS) and not visit.is_looking
        return view(request, Place(visit.organization, is_portal=True, may_change=may_change))

    return in_the_console, in_the_portal


def _members(request: Request, place: Place) -> HttpResponse:
    """GET shows; POST `do` = invite, again, revoke, role or remove. Members without a right to change see the list."""
    form = InviteForm()
    if request.method == "POST":
        if not place.may_change:
            raise PermissionDenied
        do = request.POST.get("do", "")
        if do != "invite":
            if do in _DOES:
                _DOES[do](request, place)
            return redirect(place.address)
        form = InviteForm(request.POST)
        if form.is_valid() and _invite(request, place, form):
            return redirect(place.address)
    search = request.GET.get("q", "").strip()[:100]
    found = place.organization.memberships.select_related("user").order_by("user__name", "user__email")
    if search:
        found = found.filter(Q(user__name__icontains=search) | Q(user__email__icontains=search))
    context: dict[str, Any] = {
        "place": place,
        "organization": place.organization,
        "page": paginate(request, found),
        "search": search,
        "roles": Membership.Role.choices,
        "form": form,
        "invitations": _open_invitations(place) if place.may_change else [],
        "now": timezone.now(),
    }
    if not place.is_portal:
        context |= head(place.organization, "organization_members")
    template = "portal/members.html" if place.is_portal else "organizations/members.html"
    return page(request, template, context, status=422 if form.errors else 200)


def _open_invitations(place: Place) -> list[Invitation]:
    found = place.organization.invitations.filter(accepted_at__isnull=True, revoked_at__isnull=True)
    return list(found.select_related("created_by")[:MOST_INVITATIONS])


def _invite(request: Request, place: Place, form: InviteForm) -> bool:
    said = form.cleaned_data
    try:
        made, token = inviting.invite(place.organization, said["email"], said["role"], request.user)
    except inviting.Refused as refusal:
        form.add_error("email", str(refusal))
        return False
    _send(request, made, token)
    return True


def _again(request: Request, place: Place) -> None:
    invitation = _invitation(request, place)
    try:
        token = inviting.renew(invitation)
    except inviting.Refused as refusal:
        messages.error(request, str(refusal))
    else:
        _send(request, invitation, token)


def _send(request: Request, invitation: Invitation, token: str) -> None:
    link = request.build_absolute_uri(reverse("invitation_follow", args=[token]))
    if inviting.send(invitation, link, request.user):
        messages.success(request, f"{invitation.email} gets a message with a link, which counts for a week.")
    else:
        messages.error(
            request, f"The message to {invitation.email} could not be sent. Send it again when mail works."
        )


def _revoke(request: Request, place: Place) -> None:
    invitation = _invitation(request, place)
    inviting.revoke(invitation)
    messages.success(request, f"The invitation of {invitation.email} is taken back.")


def _role(request: Request, place: Place) -> None:
    membership, form = _membership(request, place), RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "There is no such role.")
        return
    try:
        if members.change_role(membership, form.cleaned_data["role"]):
            role = Membership.Role(form.cleaned_data["role"]).label.lower()
            messages.success(
                request, f"{membership.user} is {_article(role)} {role} now, and was signed out."
            )
    except members.LastOwner:
        messages.error(request, _ONLY_OWNER.format(membership.user))


def _remove(request: Request, place: Place) -> None:
    membership = _membership(request, place)
    try:
        if members.remove(membership):
            messages.success(
                request,
                f"{membership.user} does not belong to {place.organization} any more; their keys stop.",
            )
    except members.LastOwner:
        messages.error(request, _ONLY_OWNER.format(membership.user))


_DOES = {"again": _again, "revoke": _revoke, "role": _role, "remove": _remove}


def _membership(request: Request, place: Place) -> Membership:
    """Raises Http404 for one of another organisation."""
    return get_object_or_404(
        place.organization.memberships.select_related("user"), pk=_number(request, "member")
    )


def _invitation(request: Request, place: Place) -> Invitation:
    return get_object_or_404(
        place.organization.invitations.select_related("organization"), pk=_number(request, "invitation")
    )


def _number(request: Request, name: str) -> int:
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


members_in_console, members_in_portal = _in_both(_members)
