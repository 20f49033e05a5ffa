"""A month as the organisation's owners pay it: the same lines as on the platform's invoice."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.access import TenantRight
from console.http import Request
from console.visiting import in_portal
from metering.usage import invoice
from metering.views.invoices import frame_of, month_asked, of_organization


@require_safe
@in_portal
def newest(request: Request) -> HttpResponse:
    _require_owner(request)
    return redirect("portal_bill", invoice.month_of(timezone.now()).word)


@require_safe
@in_portal
def month(request: Request, word: str) -> HttpResponse:
    """`?format=csv` or `json` is the same as a file."""
    _require_owner(request)
    asked = month_asked(word)
    frame = frame_of(asked, "portal_bill", [])
    return of_organization(request, asked, request.visit.organization, "portal/bill.html", frame)


def _require_owner(request: Request) -> None:
    """For members there is no such page."""
    if not request.visit.may(TenantRight.BILL):
        raise Http404
