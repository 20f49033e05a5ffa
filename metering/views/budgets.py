"""Budgets of organisations: all of them side by side, and those of one with the form."""

from __future__ import annotations

from collections import defaultdict

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from console.access import Permission, can, requires
from console.http import Request, page
from console.models import Organization, User
from console.pages import paginate
from console.presentation.figures import money
from metering.models import Budget
from metering.notices import budgets
from metering.notices.budget_form import BudgetForm


@require_safe
@requires(Permission.VIEW)
def listed(request: Request) -> HttpResponse:
    """Organisations with a budget first; the others can be given one."""
    _require_change(request.user)
    now, search = timezone.now(), request.GET.get("q", "").strip()[:100]
    found = Organization.objects.annotate(
        has_budget=Exists(Budget.objects.filter(organization=OuterRef("pk")))
    ).order_by("-has_budget", "name", "pk")
    if search:
        found = found.filter(Q(name__icontains=search) | Q(slug__icontains=search))
    shown = paginate(request, found)
    of = defaultdict(list)
    for standing in budgets.standings(
        now, Budget.objects.filter(organization__in=[each.pk for each in shown])
    ):
        of[standing.budget.organization_id].append(standing)
    for each in shown:
        each.standings = of[each.pk]
    context = {"page": shown, "search": search, "month": budgets.month_of(now)}
    return page(request, "metering/budgets.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.VIEW)
def manage(request: Request, slug: str) -> HttpResponse:
    """GET shows; POST sets or removes the budget of one currency."""
    _require_change(request.user)
    organization = get_object_or_404(Organization, slug=slug)
    present = list(Budget.objects.filter(organization=organization).select_related("changed_by"))
    form = BudgetForm(present, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        saved = form.save(organization, request.user)
        said = (
            f"has a budget of {money(saved.amount, saved.currency)} a month"
            if saved
            else "has no such budget"
        )
        messages.success(request, f"{organization} {said}.")
        return redirect("organization_budget", organization.slug)
    now = timezone.now()
    context = {
        "organization": organization,
        "standings": budgets.standings(now, present),
        "form": form,
        "month": budgets.month_of(now),
    }
    return page(request, "metering/budget.html", context, status=422 if form.errors else 200)


def _require_change(user: User) -> None:
    """For people who answer for prices or for organisations."""
    if not (can(user, Permission.PRICES) or can(user, Permission.ORGANIZATIONS)):
        raise PermissionDenied
