"""Usage: whether what is counted is right."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.access import Permission, requires
from console.http import Request, page
from metering import invariants


@require_safe
@requires(Permission.USAGE)
def overview(request: Request) -> HttpResponse:
    return redirect("usage_correctness")


@require_safe
@requires(Permission.USAGE)
def correctness(request: Request) -> HttpResponse:
    """Every invariant with its numbers."""
    now = timezone.now()
    findings = invariants.check(now)
    context = {"findings": findings, "now": now, "broken": sum(finding.is_broken for finding in findings)}
    return page(request, "metering/correctness.html", context)
