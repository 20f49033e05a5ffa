"""Which portal one is in: the choice among one's organisations, and the platform's look at one of them."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from console import visiting
from console.access import Permission, requires
from console.audit import record
from console.http import Request
from console.models import Organization


@require_POST
@login_required
def choose(request: Request) -> HttpResponse:
    """`organization`: the slug of one that the person belongs to; of any other nothing is said."""
    own = Organization.objects.filter(memberships__user=request.user)
    chosen = own.filter(slug=request.POST.get("organization", "")[:63]).first()
    if chosen is None:
        raise Http404
    visiting.choose(request, chosen)
    return redirect("portal_models")


@require_POST
@requires(Permission.ORGANIZATIONS)
def look(request: Request, slug: str) -> HttpResponse:
    """A person of the platform sees the portal as the organisation's owner does, and changes nothing."""
    organization = get_object_or_404(Organization, slug=slug)
    with transaction.atomic():
        visiting.begin_look(request, organization)
        record("organization.view_begun", organization)
    return redirect("portal_models")


@require_POST
@requires(Permission.ORGANIZATIONS)
def end_look(request: Request) -> HttpResponse:
    with transaction.atomic():
        organization = visiting.end_look(request)
        if organization is None:
            messages.info(request, "You do not look at the portal of an organisation.")
            return redirect("home")
        record("organization.view_ended", organization)
    messages.success(request, f"You no longer see the portal of {organization}.")
    return redirect("organization_detail", organization.slug)
