"""API keys: listed, made, rotated, revoked. The same pages for administrators, and for tenants with their own keys.

A key's text is in one answer only, that of the request that made it: never in a message, a session or an address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache

from console.access import Permission, can, requires
from console.http import Request, page
from console.models import Membership
from console.pages import paginate
from deployments.models import Deployment
from deployments.tenancy import open_to
from metering import issuing
from metering.forms import MOST_PEOPLE, KeyForm, RotateForm
from metering.models import ApiKey
from metering.standing import state_of

_STATES = {"": "All", "live": "Working", "ended": "Ended"}
_MOST_CHOICES = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where these pages are shown: their addresses, and whose keys they are about."""

    prefix: str
    is_portal: bool

    def keys(self, request: Request) -> QuerySet[ApiKey]:
        keys = ApiKey.objects.all()
        return keys.in_portal_of(request.user) if self.is_portal else keys.visible_to(request.user)

    def may_change(self, request: Request) -> bool:
        return self.is_portal or can(request.user, Permission.ORGANIZATIONS)

    def memberships(self, request: Request) -> QuerySet[Membership]:
        """For whom this person may make a key."""
        found = Membership.objects.select_related("user", "organization").filter(user__is_active=True)
        found = found.filter(user=request.user) if self.is_portal else found
        return found.order_by("organization__name", "user__name")[:MOST_PEOPLE]

    def url(self, name: str) -> str:
        return f"{self.prefix}key_{name}"


CONSOLE, PORTAL = Place("", False), Place("portal_", True)
_View = Callable[..., HttpResponse]


def in_console(view: _View) -> _View:
    @requires(Permission.VIEW)
    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, CONSOLE, *args, **kwargs)

    return shown


def in_portal(view: _View) -> _View:
    """For people who belong to an organisation; for others there is no such page."""

    @login_required
    @wraps(view)
    def shown(request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.memberships.exists():
            raise Http404
        return view(request, PORTAL, *args, **kwargs)

    return shown


def listed(request: Request, place: Place) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405)
    now = timezone.now()
    state, search = request.GET.get("state", ""), request.GET.get("q", "").strip()[:100]
    keys = _with_facts(place.keys(request)).order_by("-created_at", "-id")
    if search:
        words = Q(name__icontains=search) | Q(prefix__icontains=search) | Q(user__email__icontains=search)
        keys = keys.filter(words | Q(user__name__icontains=search) | Q(organization__name__icontains=search))
    working = ApiKey.objects.live(now)
    if state == "live":
        keys = keys.filter(pk__in=working)
    elif state == "ended":
        keys = keys.exclude(pk__in=working)
    shown = paginate(request, keys)
    for key in shown:
        key.state = state_of(key, now)  # type: ignore[attr-defined]
    context = {
        "place": place,
        "page": shown,
        "search": search,
        "state": state,
        "states": _STATES.items(),
        "filtered": bool(search or state),
        "may_change": place.may_change(request),
        "owns": not place.is_portal or request.user.memberships.filter(role=Membership.Role.OWNER).exists(),
    }
    return page(request, "metering/keys/list.html", context, fragment="table")


@never_cache
def create(request: Request, place: Place) -> HttpResponse:
    if not place.may_change(request):
        raise PermissionDenied
    memberships = place.memberships(request)
    form = KeyForm(memberships, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            key, text = issuing.issue(**form.wish(), by=request.user)
        except issuing.Refused as refused:
            form.add_error(refused.field, str(refused))
        except issuing.MadeAlready as made:
            return _cannot_be_shown(request, place, made.key)
        else:
            return _shown_once(request, place, key, text)
    context = {"place": place, "form": form}
    return page(request, "metering/keys/form.html", context, status=422 if form.errors else 200)


def detail(request: Request, place: Place, number: int) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405)
    key = _find(request, place, number)
    chosen = list(key.deployments.order_by("name")[:_MOST_CHOICES]) if not key.all_deployments else []
    context = {
        "place": place,
        "key": key,
        "state": state_of(key, timezone.now()),
        "chosen": chosen,
        "open": list(open_to(key.organization)[:_MOST_CHOICES]),
        "may_change": place.may_change(request),
        "successor": ApiKey.objects.filter(replaces=key).first(),
    }
    return page(request, "metering/keys/detail.html", context)


@never_cache
def rotate(request: Request, place: Place, number: int) -> HttpResponse:
    key = _find(request, place, number, to_change=True)
    form = RotateForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            fresh, text = issuing.rotate(key, overlap=form.seconds(), by=request.user)
        except issuing.Refused as refused:
            messages.error(request, str(refused))
            return redirect(place.url("detail"), key.pk)
        return _shown_once(request, place, fresh, text)
    return page(request, "metering/keys/rotate.html", {"place": place, "key": key, "form": form})


def revoke(request: Request, place: Place, number: int) -> HttpResponse:
    key = _find(request, place, number, to_change=True)
    if request.method == "POST":
        issuing.revoke(key, by=request.user)
        messages.success(request, f"{key.name} is revoked. No gateway takes it any more.")
        return redirect(place.url("list"))
    return page(request, "metering/keys/revoke.html", {"place": place, "key": key})


def _find(request: Request, place: Place, number: int, *, to_change: bool = False) -> ApiKey:
    if to_change and not place.may_change(request):
        raise PermissionDenied
    key = _with_facts(place.keys(request)).filter(pk=number).first()
    if key is None:
        raise Http404
    return key


def _with_facts(keys: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
    successor = ApiKey.objects.filter(replaces=OuterRef("pk"))
    return keys.select_related("user", "organization", "created_by", "revoked_by").annotate(
        is_replaced=Exists(successor)
    )


def _shown_once(request: Request, place: Place, key: ApiKey, text: str) -> HttpResponse:
    """The one answer that has the key in it."""
    usable = open_to(key.organization) if key.all_deployments else key.deployments.order_by("name")
    first: Deployment | None = usable.first()
    context = {
        "place": place,
        "key": key,
        "text": text,
        "model": first.name if first else "",
        "address": f"{settings.GATEWAY_URL.rstrip('/')}/v1",
    }
    return page(request, "metering/keys/made.html", context)


def _cannot_be_shown(request: Request, place: Place, key: ApiKey) -> HttpResponse:
    messages.warning(
        request, f"{key.name} was made already, and a key is shown once only. Rotate it if it was not copied."
    )
    return redirect(place.url("detail"), key.pk)
