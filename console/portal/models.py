"""The models of an organisation: all of them as cards, and one with what it takes to call it."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.access import sees_platform
from console.http import Request, page
from console.portal.meters import meters_of
from console.portal.shared import SharedModel, models_of
from console.visiting import Visit, in_portal, visit_of


@require_safe
@login_required
def listed(request: Request) -> HttpResponse:
    """Where tenants come in; who belongs to no organisation yet learns that here."""
    visit = visit_of(request)
    if visit is None:
        if sees_platform(request.user):
            raise Http404
        return page(request, "portal/no_organization.html", {})
    models = models_of(visit, timezone.now())
    context = {
        "visit": visit,
        "cards": [
            {"model": model, "limits": model.limits(visit.organization.name), "prices": model.prices}
            for model in models
        ],
        "can_talk": any(model.talks for model in models),
    }
    return page(request, "portal/models.html", context)


@require_safe
@in_portal
def one(request: Request, name: str) -> HttpResponse:
    now = timezone.now()
    model = find(request.visit, name, now)
    context = {
        "visit": request.visit,
        "model": model,
        "prices": model.prices,
        "limits": model.limits(request.visit.organization.name),
        "meters": meters_of(request.visit, model, now),
        "now": now,
    }
    return page(request, "portal/model.html", context)


def find(visit: Visit, name: str, now: datetime) -> SharedModel:
    """Raises Http404 for what is not there, and for what is not shared with this organisation."""
    found = next((model for model in models_of(visit, now) if model.name == name), None)
    if found is None:
        raise Http404
    return found
