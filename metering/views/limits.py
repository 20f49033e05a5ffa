"""The limits of one deployment: those of its spec, exceptions for organisations, and whether they are enforced."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from console.access import Permission, can, requires
from console.http import Request, page
from console.models import Organization
from deployments.models import Deployment
from deployments.views.frame import find, head
from deployments.vocabulary import LimitScope
from metering import limit_changes
from metering.limit_forms import ExceptionForm
from metering.models import LimitMode, LimitOverride

MOST_SHOWN = 500


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.VIEW)
def manage(request: Request, name: str) -> HttpResponse:
    """GET shows; POST `do` = shadow, enforce, save or remove."""
    deployment, standing, now = find(request, name)
    may_change = can(request.user, Permission.PRICES)
    form = ExceptionForm()
    status = 200
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied
        answer = _change(request, deployment)
        if not isinstance(answer, ExceptionForm):
            return answer
        form, status = answer, 422
    context = head(deployment, standing, "deployment_limits", now) | {
        "general": _rows(deployment.spec.rate_limits.by_scope()),
        "exceptions": _exceptions(deployment),
        "is_shadow": LimitMode.objects.filter(deployment=deployment, shadow=True).exists(),
        "may_change": may_change,
        "form": form,
    }
    return page(request, "metering/limits.html", context, status=status)


def _change(request: Request, deployment: Deployment) -> HttpResponse | ExceptionForm:
    """Does what was asked; the form, when there is something wrong with it."""
    do = request.POST.get("do", "")
    if do in ("shadow", "enforce"):
        limit_changes.set_shadow(deployment, do == "shadow")
        said = "are counted and refuse nobody" if do == "shadow" else "are enforced"
        messages.success(request, f"The limits of {deployment.name} {said}.")
    elif do == "remove":
        organization = get_object_or_404(Organization, slug=request.POST.get("organization", ""))
        limit_changes.remove_exception(deployment, organization)
        messages.success(request, f"{organization} has the same limits as the others.")
    else:
        form = ExceptionForm(request.POST)
        if not form.is_valid():
            return form
        organization = form.cleaned_data["organization"]
        limit_changes.set_exception(deployment, organization, form.amounts())
        messages.success(request, f"{organization} has limits of its own.")
    return redirect("deployment_limits", deployment.name)


def _rows(limits: dict[LimitScope, Any]) -> list[tuple[str, int | None, int | None]]:
    return [
        (
            scope.label,
            limits[scope].requests_per_minute if scope in limits else None,
            limits[scope].tokens_per_minute if scope in limits else None,
        )
        for scope in LimitScope
    ]


def _exceptions(
    deployment: Deployment,
) -> list[tuple[Organization, list[tuple[str, int | None, int | None]]]]:
    """By organisation: only the scopes that differ."""
    found: dict[Organization, list[tuple[str, int | None, int | None]]] = {}
    overrides = LimitOverride.objects.filter(deployment=deployment).select_related("organization")
    for each in overrides.order_by("organization__name", "scope")[:MOST_SHOWN]:
        row = (LimitScope(each.scope).label, each.requests_per_minute, each.tokens_per_minute)
        found.setdefault(each.organization, []).append(row)
    return list(found.items())
