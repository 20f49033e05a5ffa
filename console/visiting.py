"""For which organisation somebody is in the portal, and as what.

Who belongs to several organisations chooses one, which the session keeps. People of the platform with the right to
change organisations may look at the portal of any of them as its owner sees it: for an hour at most, and changing
nothing. Which pages are shown to whom follows from here; console.access decides who may look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from console.access import IN_ORGANIZATION, Permission, TenantRight, can
from console.models import Membership, Organization, User

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

MOST_CHOICES = 200
LONGEST_LOOK = timedelta(hours=1)
_CHOSEN, _LOOK = "portal_organization", "portal_look"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_ASKED = object()
_Response = TypeVar("_Response", bound=HttpResponseBase)


@dataclass(frozen=True, slots=True)
class Visit:
    """One person in the portal of one organisation."""

    user: User
    organization: Organization
    role: Membership.Role
    is_looking: bool = False
    """A person of the platform sees what an owner sees, and changes nothing."""
    choices: tuple[Organization, ...] = ()
    """All that the person belongs to, by name; fewer than two: there is nothing to choose."""

    @property
    def is_owner(self) -> bool:
        return self.role is Membership.Role.OWNER

    def may(self, right: TenantRight) -> bool:
        return right in IN_ORGANIZATION[self.role]


def visit_of(request: HttpRequest) -> Visit | None:
    """None: whoever asks has no portal. At most one query, and none the second time."""
    found = getattr(request, "_visit", _NOT_ASKED)
    if found is _NOT_ASKED:
        found = _visit(request)
        request._visit = found  # type: ignore[attr-defined]
    return found  # type: ignore[return-value]


def choose(request: HttpRequest, organization: Organization) -> None:
    """From now on the portal is about this one; a look at another organisation's ends."""
    request.session.pop(_LOOK, None)
    request.session[_CHOSEN] = organization.pk


def begin_look(request: HttpRequest, organization: Organization) -> None:
    until = timezone.now() + LONGEST_LOOK
    request.session[_LOOK] = {"organization": organization.pk, "until": int(until.timestamp())}


def end_look(request: HttpRequest) -> Organization | None:
    """The organisation that was looked at; None: nobody looked. One whose hour has passed is ended like any other."""
    look = request.session.pop(_LOOK, None)
    return Organization.objects.filter(pk=look["organization"]).first() if look else None


def in_portal(view: Callable[..., _Response]) -> Callable[..., _Response]:
    """A page of the portal. Who belongs to no organisation finds none (404); who only looks changes nothing (403)."""

    @login_required
    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> _Response:
        visit = visit_of(request)
        if visit is None:
            raise Http404
        if visit.is_looking and request.method not in _SAFE:
            raise PermissionDenied
        request.visit = visit  # type: ignore[attr-defined]
        return view(request, *args, **kwargs)

    return shown


def _visit(request: HttpRequest) -> Visit | None:
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        return None
    session: SessionBase | dict[str, Any] = getattr(request, "session", {})
    if (look := session.get(_LOOK)) and can(user, Permission.ORGANIZATIONS):
        organization = Organization.objects.filter(pk=look["organization"]).first()
        if organization is not None and timezone.now().timestamp() < look["until"]:
            return Visit(user, organization, Membership.Role.OWNER, is_looking=True)
    memberships = list(
        user.memberships.select_related("organization").order_by("organization__name", "pk")[:MOST_CHOICES]
    )
    if not memberships:
        return None
    chosen = session.get(_CHOSEN)
    here = next((each for each in memberships if each.organization_id == chosen), memberships[0])
    return Visit(
        user,
        here.organization,
        Membership.Role(here.role),
        choices=tuple(each.organization for each in memberships),
    )
