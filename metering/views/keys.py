"""API keys: listed, looked at, revoked. The same pages for administrators, and for tenants with their own keys."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from console.access import TenantRight
from console.http import Request, page
from console.pages import paginate
from deployments.tenancy import open_to
from metering import issuing
from metering.models import ApiKey
from metering.standing import state_of
from metering.views.place import Place

_STATES = {"": "All", "live": "Working", "ended": "Not working"}
_MOST_MODELS = 200


def listed(request: Request, place: Place) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405)
    now = timezone.now()
    state, search = request.GET.get("state", ""), request.GET.get("q", "").strip()[:100]
    keys = place.keys(request).order_by("-created_at", "-id")
    if search:
        words = Q(name__icontains=search) | Q(prefix__icontains=search) | Q(user__email__icontains=search)
        keys = keys.filter(words | Q(user__name__icontains=search) | Q(organization__name__icontains=search))
    working = ApiKey.objects.live(now)
    if state == "live":
        keys = keys.filter(pk__in=working.values("pk"))
    elif state == "ended":
        keys = keys.exclude(pk__in=working.values("pk"))
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
        **_columns(request, place),
    }
    return page(request, "metering/keys/list.html", context, fragment="table")


def _columns(request: Request, place: Place) -> dict[str, bool]:
    """Whose keys they are is said to people who see those of others, and for whom, where there is more than one."""
    if not place.is_portal:
        return {"owns": True, "shows_organization": True}
    return {"owns": request.visit.may(TenantRight.ALL_KEYS), "shows_organization": False}


def detail(request: Request, place: Place, number: int) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405)
    key = place.key(request, number)
    chosen = list(key.deployments.order_by("name")[:_MOST_MODELS]) if not key.all_deployments else []
    context = {
        "place": place,
        "key": key,
        "state": state_of(key, timezone.now()),
        "chosen": chosen,
        "open": list(open_to(key.organization)[:_MOST_MODELS]),
        "may_change": place.may_change(request),
        "successor": ApiKey.objects.filter(replaces=key).first(),
    }
    return page(request, "metering/keys/detail.html", context)


def revoke(request: Request, place: Place, number: int) -> HttpResponse:
    place.require_change(request)
    key = place.key(request, number)
    if request.method == "POST":
        issuing.revoke(key, by=request.user)
        messages.success(request, f"{key.name} is revoked. No gateway takes it any more.")
        return redirect(place.url("list"))
    return page(request, "metering/keys/revoke.html", {"place": place, "key": key})
