"""The list of deployments, which also keeps itself up to date."""

from typing import Any

from django.db.models import CharField, Value
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.access import Permission, requires
from console.http import Request, page
from console.models import Organization
from deployments import listing
from deployments.listing import STATES, Filters, Summary
from deployments.models import Deployment, Endpoint
from deployments.vocabulary import Engine

EVERY_WHILE_MOVING = 3
EVERY = 10
"""Seconds between two looks of an open page."""


@require_safe
@requires(Permission.VIEW)
def listed(request: Request) -> HttpResponse:
    """All deployments, those that need attention first. A poll that would bring nothing new is answered with 204."""
    now = timezone.now()
    visible = Deployment.objects.visible_to(request.user)
    filters = listing.read(request.GET)
    summary = listing.summarise(visible, filters, now)
    polled = request.headers.get("X-Seen", "")
    if request.htmx and polled == summary.version:
        return HttpResponse(status=204)
    shown, rows = listing.rows(visible, filters, summary, now)
    context: dict[str, Any] = {
        "page": shown,
        "rows": rows,
        "filters": filters,
        "sort": filters.sort,
        "summary": summary,
        "segments": _segments(filters, summary),
        "unreachable": _unreachable(rows),
        "every": EVERY_WHILE_MOVING if summary.moving else EVERY,
        "now": now,
        "address": request.path + filters.query(),
        "engines": Engine.choices(),
        "asked_title": f"No deployment matches {_asked(filters)}",
    }
    if not request.htmx or request.htmx.history_restore_request:
        context |= _choices(request)
    response = page(request, "deployments/list.html", context, fragment="live")
    if request.htmx and not polled:
        response.headers["HX-Push-Url"] = request.path + filters.query()
    return response


def _segments(filters: Filters, summary: Summary) -> list[dict[str, Any]]:
    labels = {"": "All", **{key: label for key, (label, _) in STATES.items()}}
    return [
        {
            "key": key or "all",
            "label": label,
            "url": filters.query(state=key, page="1"),
            "current": key == filters.state,
            "count": summary.by_state[key],
        }
        for key, label in labels.items()
    ]


def _unreachable(rows: list[listing.Row]) -> list[Any]:
    """Clusters of this page that do not answer."""
    clusters = {row.deployment.endpoint.cluster for row in rows}
    return sorted((c for c in clusters if c.unreachable_since is not None), key=lambda c: c.name)


def _asked(filters: Filters) -> str:
    """The filters in words, for the sentence that nothing matches."""
    parts = [f"“{filters.search}”" if filters.search else ""]
    parts += [STATES[filters.state][0].lower() if filters.state else ""]
    parts += [Engine(filters.engine).label if filters.engine else ""]
    parts += [f"on {filters.endpoint}" if filters.endpoint else ""]
    parts += [f"shared with {filters.organization}" if filters.organization else ""]
    return ", ".join(part for part in parts if part)


def _choices(request: Request) -> dict[str, list[tuple[str, str]]]:
    """The options of the two long filters, in one query."""
    endpoints = Endpoint.objects.visible_to(request.user).values_list(
        Value("endpoint", CharField()), "slug", "name"
    )
    organizations = Organization.objects.values_list(Value("organization", CharField()), "slug", "name")
    found = sorted(endpoints.order_by().union(organizations.order_by()), key=lambda row: row[2].casefold())
    return {
        "endpoints": [(slug, name) for kind, slug, name in found if kind == "endpoint"],
        "organizations": [(slug, name) for kind, slug, name in found if kind == "organization"],
    }
