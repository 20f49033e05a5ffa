"""Requests as our views see them, and pages that are also fragments."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_htmx.middleware import HtmxDetails

from console import problem_document
from console.models import User
from console.visiting import Visit

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class Request(HttpRequest):
    """A request of a signed-in person, after all middleware."""

    user: User
    htmx: HtmxDetails
    visit: Visit
    """In the portal only: set by `console.visiting.in_portal`."""


def page(
    request: HttpRequest, template: str, context: dict[str, Any], *, fragment: str = "", status: int = 200
) -> HttpResponse:
    """The page, or for htmx only the named part of the same template ("page.html#fragment")."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    # Going back in the history asks by htmx as well, but for the whole page.
    partial = fragment and htmx and not htmx.boosted and not htmx.history_restore_request
    wanted = f"{template}#{fragment}" if partial else template
    response = render(request, wanted, context, status=status)
    response.headers["Vary"] = "HX-Request"
    return response


def kept_by_nobody(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """What somebody may see is kept by no cache, unless the answer says otherwise itself."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not response.has_header("Cache-Control"):
            response.headers["Cache-Control"] = "private, no-store"
        return response

    return middleware


def bounded_input(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Refuses what no page of ours can want, before anything reads it: odd methods, huge bodies, NUL characters."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method not in _METHODS:
            answer = refuse(request, 405, "There is no such method here.")
            answer.headers["Allow"] = ", ".join(sorted(_METHODS))
            return answer
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return refuse(request, 413, "What was sent is too large. At most 1 MiB is taken.")
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            return refuse(request, 411, "The length of what was sent is missing.")
        if "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return refuse(request, 400, "The address contains a NUL character.")
        return get_response(request)

    return middleware


def refuse(request: HttpRequest, status: int, sentence: str) -> HttpResponse:
    """An error page with one sentence; for programs a problem document."""
    if request.path.startswith("/api/"):
        return problem_document.answer(status, sentence)
    return render(request, "refused.html", {"sentence": sentence, "status": status}, status=status)
