"""Usage: whether what is counted is right."""

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.access import Permission, requires
from console.http import Request, page
from metering import invariants
from metering.models import UsageReject

_PATIENCE = 5.0
"""Seconds that each check may take on a page."""
_REJECTS = 20


@require_safe
@requires(Permission.USAGE)
def correctness(request: Request) -> HttpResponse:
    """Every invariant with its numbers, and the newest of what could not be taken in."""
    now = timezone.now()
    findings = invariants.check(now, patience=_PATIENCE)
    context = {
        "findings": findings,
        "now": now,
        "broken": sum(finding.is_broken for finding in findings),
        "rejects": UsageReject.objects.defer("payload")[:_REJECTS],
    }
    return page(request, "metering/correctness.html", context)
