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
from deployments.tenancy import open_to
from deployments.views.frame import find, head
from deployments.vocabulary import LimitScope
from metering import limit_changes
from metering.limit_changes import Amounts
from metering.limit_forms import ExceptionForm, OrganizationForm, in_words
from metering.own_limits import own_limits

MOST_SUGGESTED = 900
"""Organisations to choose from; any other can be typed."""


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.VIEW)
def manage(request: Request, name: str) -> HttpResponse:
    """GET shows, with `?organization=` the form of its exception; POST `do` = shadow, enforce, save or remove."""
    deployment, standing, now = find(request, name)
    may_change = can(request.user, Permission.PRICES)
    if request.method == "POST" and not may_change:
        raise PermissionDenied
    if request.method == "POST" and request.POST.get("do") in _SIMPLE:
        _SIMPLE[request.POST["do"]](request, deployment)
        return redirect("deployment_limits", deployment.name)
    general = _general(deployment)
    editing: dict[str, Any] = {}
    if may_change:
        given = request.POST if request.method == "POST" else request.GET
        choice = OrganizationForm(given if "organization" in given or request.method == "POST" else None)
        editing = {"choice": choice}
        if choice.is_valid():
            organization = choice.cleaned_data["organization"]
            form = ExceptionForm(
                general,
                limit_changes.exception_of(deployment, organization),
                request.POST if request.method == "POST" else None,
            )
            if request.method == "POST" and form.is_valid():
                limit_changes.set_exception(deployment, organization, form.amounts())
                messages.success(request, _effect(organization, form.amounts()))
                return redirect("deployment_limits", deployment.name)
            editing |= {
                "form": form,
                "organization": organization,
                "is_shared": open_to(organization).filter(pk=deployment.pk).exists(),
            }
        else:
            editing["suggested"] = Organization.objects.order_by("name")[:MOST_SUGGESTED]
    context = head(deployment, standing, "deployment_limits", now) | {
        "general": [(scope.label, general.get(scope, Amounts())) for scope in LimitScope],
        "exceptions": own_limits(deployment),
        "is_shadow": limit_changes.is_shadow(deployment),
        "may_change": may_change,
        **editing,
    }
    return page(request, "metering/limits.html", context, status=422 if request.method == "POST" else 200)


def _shadow(request: Request, deployment: Deployment) -> None:
    limit_changes.set_shadow(deployment, shadow=True)
    messages.success(request, f"The limits of {deployment.name} are counted and refuse nobody.")


def _enforce(request: Request, deployment: Deployment) -> None:
    limit_changes.set_shadow(deployment, shadow=False)
    messages.success(request, f"The limits of {deployment.name} are enforced.")


def _remove(request: Request, deployment: Deployment) -> None:
    organization = get_object_or_404(Organization, slug=request.POST.get("organization", ""))
    limit_changes.remove_exception(deployment, organization)
    messages.success(request, f"{organization} has the same limits as the others.")


_SIMPLE = {"shadow": _shadow, "enforce": _enforce, "remove": _remove}


def _general(deployment: Deployment) -> dict[LimitScope, Amounts]:
    found = deployment.spec.rate_limits.by_scope()
    return {scope: Amounts(each.requests_per_minute, each.tokens_per_minute) for scope, each in found.items()}


def _effect(organization: Organization, amounts: dict[LimitScope, Amounts]) -> str:
    parts = " ".join(f"{scope.label}: {in_words(each)}." for scope, each in amounts.items())
    return f"{organization} has limits of its own within a second. {parts}"
