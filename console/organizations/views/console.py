"""Organisations in the console: listed, looked at, made, renamed, suspended."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access import Permission, can, requires
from console.http import Request, page
from console.models import Organization
from console.organizations import changing
from console.organizations.forms import NameForm, NewForm, SuspendForm
from console.organizations.views import numbers
from console.organizations.views.numbers import Numbers
from console.pages import paginate
from console.presentation.figures import compact, grouped, money
from deployments.models import Deployment
from deployments.standing import standing_of, with_standing
from deployments.tenancy import open_to
from deployments.vocabulary import LimitScope
from metering import pricing
from metering.limit_changes import Amounts
from metering.limit_forms import in_words
from metering.models import LimitOverride

MOST_SHOWN = 200
_STATES = {"": "All", "active": "Active", "suspended": "Suspended"}


@require_safe
@requires(Permission.VIEW)
def listed(request: Request) -> HttpResponse:
    search, state = request.GET.get("q", "").strip()[:100], request.GET.get("state", "")
    found = Organization.objects.order_by("name", "pk")
    if search:
        found = found.filter(Q(name__icontains=search) | Q(slug__icontains=search))
    if state in ("active", "suspended"):
        found = found.filter(suspended_at__isnull=state == "active")
    shown = paginate(request, found)
    with_money = can(request.user, Permission.USAGE)
    counted = numbers.of(list(shown), timezone.now(), with_money=with_money)
    context = {
        "page": shown,
        "rows": [(each, counted[each.pk], _money(counted[each.pk])) for each in shown],
        "search": search,
        "state": state,
        "states": _STATES.items(),
        "filtered": bool(search or state),
        "with_money": with_money,
    }
    return page(request, "organizations/list.html", context, fragment="table")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.ORGANIZATIONS)
def create(request: Request) -> HttpResponse:
    form = NewForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = changing.create(form.cleaned_data["slug"], form.cleaned_data["name"])
        except changing.Taken:
            form.add_error("slug", "Somebody made an organisation of this short name in the same moment.")
        else:
            messages.success(request, f"{made} is made. Invite its first owner.")
            return redirect("organization_members", made.slug)
    return page(request, "organizations/new.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.ORGANIZATIONS)
def edit(request: Request, slug: str) -> HttpResponse:
    organization = find(slug)
    form = NameForm(request.POST or None, initial={"name": organization.name})
    if request.method == "POST" and form.is_valid():
        changing.rename(organization, form.cleaned_data["name"])
        messages.success(request, f"{organization.slug} is called {form.cleaned_data['name']} now.")
        return redirect("organization_detail", slug)
    context = {"organization": organization, "form": form}
    return page(request, "organizations/edit.html", context, status=422 if form.errors else 200)


@require_safe
@requires(Permission.VIEW)
def detail(request: Request, slug: str) -> HttpResponse:
    organization, now = find(slug), timezone.now()
    with_money = can(request.user, Permission.USAGE)
    counted = numbers.of([organization], now, with_money=with_money)[organization.pk]
    visible = Deployment.objects.visible_to(request.user)
    shared = with_standing(visible.filter(pk__in=open_to(organization).values("pk")), now)
    rows = shared.select_related("model").defer("current__secrets", "endpoint__cluster__kubeconfig")
    context = head(organization, "organization_detail") | {
        "stats": _stats(counted, with_money=with_money),
        "shared": [(each, standing_of(each, now)) for each in rows.order_by("name")[:MOST_SHOWN]],
        "most_shown": MOST_SHOWN,
    }
    return page(request, "organizations/detail.html", context)


@require_safe
@requires(Permission.VIEW)
def limits(request: Request, slug: str) -> HttpResponse:
    """What holds for it, by deployment: the general limits, and those of its own."""
    organization = find(slug)
    own: dict[int, dict[str, Amounts]] = {}
    for row in LimitOverride.objects.filter(organization=organization)[: MOST_SHOWN * len(LimitScope)]:
        amounts = Amounts(row.requests_per_minute, row.tokens_per_minute)
        own.setdefault(row.deployment_id, {})[row.scope] = amounts
    visible = Deployment.objects.visible_to(request.user)
    wanted = Q(pk__in=open_to(organization).values("pk")) | Q(pk__in=own)
    found = visible.filter(wanted).select_related("current").defer("current__secrets").order_by("name")
    context = head(organization, "organization_limits") | {
        "rows": [
            {"deployment": each, "limits": _in_force(each, own.get(each.pk, {}))}
            for each in found[:MOST_SHOWN]
        ],
        "scopes": [scope.label for scope in LimitScope],
    }
    return page(request, "organizations/limits.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.ORGANIZATIONS)
def suspend(request: Request, slug: str) -> HttpResponse:
    """GET asks, and says what stops; POST does it."""
    organization = find(slug)
    form = SuspendForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if changing.suspend(organization, reason=form.cleaned_data["reason"], by=request.user):
            messages.success(request, f"{organization} is suspended. No gateway takes its API keys any more.")
        return redirect("organization_detail", slug)
    counted = numbers.of([organization], timezone.now(), with_money=False)[organization.pk]
    context = {"organization": organization, "form": form, "numbers": counted}
    return page(request, "organizations/suspend.html", context, status=422 if form.errors else 200)


@require_POST
@requires(Permission.ORGANIZATIONS)
def resume(request: Request, slug: str) -> HttpResponse:
    organization = find(slug)
    if changing.resume(organization):
        messages.success(request, f"{organization} is active again, and its API keys work within a second.")
    return redirect("organization_detail", slug)


def find(slug: str) -> Organization:
    """For views that have asked for a right already. Raises Http404."""
    return get_object_or_404(Organization.objects.select_related("suspended_by"), slug=slug)


def head(organization: Organization, tab: str) -> dict[str, Any]:
    """The context of organizations/frame.html."""
    tabs = (
        ("Overview", "organization_detail"),
        ("Members", "organization_members"),
        ("Limits", "organization_limits"),
    )
    return {
        "organization": organization,
        "tabs": [
            {"label": label, "url": reverse(name, args=[organization.slug]), "current": name == tab}
            for label, name in tabs
        ],
    }


def _in_force(deployment: Deployment, own: dict[str, Amounts]) -> list[tuple[str, bool]]:
    """In words by scope, and whether it is of the organisation's own."""
    general = deployment.spec.rate_limits.by_scope()
    found = []
    for scope in LimitScope:
        limit = general.get(scope)
        plain = Amounts(limit.requests_per_minute, limit.tokens_per_minute) if limit else Amounts()
        found.append((in_words(own.get(scope.value, plain)), scope.value in own))
    return found


def _stats(counted: Numbers, *, with_money: bool) -> list[dict[str, str]]:
    stats = [
        {"name": "Members", "value": grouped(counted.members), "note": ""},
        {"name": "API keys that work", "value": grouped(counted.keys), "note": ""},
        {"name": "Requests", "value": compact(counted.requests), "note": "in the last 24 hours"},
    ]
    if with_money:
        amounts = _money(counted)
        more = " and ".join(amounts[1:])
        stats.append({"name": "This month so far", "value": amounts[0] if amounts else "–", "note": more})
    return stats


def _money(counted: Numbers) -> list[str]:
    """To the smallest unit, one for each currency."""
    return [money(pricing.line(counted.amounts[each], each), each) for each in sorted(counted.amounts)]
