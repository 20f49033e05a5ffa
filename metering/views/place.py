"""Where pages of API keys are shown: in the console for administrators, in the portal for tenants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from console.access import Permission, can, requires
from console.http import Request
from console.models import Membership
from console.visiting import in_portal as portal_page
from metering.models import ApiKey


@dataclass(frozen=True, slots=True)
class Place:
    """The addresses of these pages, and whose keys they are about."""

    prefix: str
    is_portal: bool

    def url(self, name: str) -> str:
        return f"{self.prefix}key_{name}"

    def may_change(self, request: Request) -> bool:
        if self.is_portal:
            return not request.visit.is_looking
        return can(request.user, Permission.ORGANIZATIONS)

    def require_change(self, request: Request) -> None:
        if not self.may_change(request):
            raise PermissionDenied

    def keys(self, request: Request) -> QuerySet[ApiKey]:
        """With what is shown of them; those of the playground are its own business."""
        keys = ApiKey.objects.exclude(kind=ApiKey.Kind.PLAYGROUND)
        keys = keys.of_visit(request.visit) if self.is_portal else keys.visible_to(request.user)
        successor = ApiKey.objects.filter(replaces=OuterRef("pk"))
        return (
            keys.with_owners()
            .annotate(is_replaced=Exists(successor))
            .select_related("user", "organization", "created_by", "revoked_by")
        )

    def key(self, request: Request, number: int) -> ApiKey:
        """Raises Http404 for a key that is not there, and for one of somebody else."""
        found = self.keys(request).filter(pk=number).first()
        if found is None:
            raise Http404
        return found

    def memberships(self, request: Request) -> QuerySet[Membership]:
        """For whom this person may make a key."""
        found = Membership.objects.select_related("user", "organization").filter(user__is_active=True)
        if self.is_portal:
            found = found.filter(user=request.user, organization=request.visit.organization)
        return found.order_by("user__name", "user__email", "organization__name")


CONSOLE, PORTAL = Place("", False), Place("portal_", True)
View = Callable[..., HttpResponse]


def in_console(view: View) -> View:
    @require_http_methods(["GET", "HEAD", "POST"])
    @requires(Permission.VIEW)
    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, CONSOLE, *args, **kwargs)

    return shown


def in_portal(view: View) -> View:
    """For people who belong to an organisation; for others there is no such page."""

    @require_http_methods(["GET", "HEAD", "POST"])
    @portal_page
    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, PORTAL, *args, **kwargs)

    return shown
