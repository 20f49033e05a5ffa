"""Errors for programs, as problem documents (RFC 9457): a stable word for them, sentences for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse, JsonResponse

CONTENT_TYPE = "application/problem+json"
_TITLES = {
    400: ("bad-request", "The request cannot be read"),
    401: ("unauthenticated", "Who asks is not known"),
    403: ("forbidden", "This is not allowed"),
    404: ("not-found", "There is no such thing"),
    405: ("method-not-allowed", "There is no such method here"),
    409: ("conflict", "Something else is in the way"),
    411: ("length-required", "The length is missing"),
    412: ("precondition-failed", "It has changed meanwhile"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported-media-type", "The request is in another form than this takes"),
    422: ("invalid", "Something in it is wrong"),
    429: ("too-many-requests", "Too many requests"),
    503: ("unavailable", "It cannot be answered at this moment"),
}


def answer(
    status: int, detail: str = "", *, word: str = "", errors: Iterable[tuple[str, str]] = ()
) -> HttpResponse:
    """`errors`: (path, sentence) of each thing that is wrong with what was sent."""
    known, title = _TITLES.get(status, ("error", "It did not work"))
    body: dict[str, Any] = {"type": word or known, "title": title, "status": status}
    if detail:
        body["detail"] = detail
    if found := [{"path": path, "message": sentence} for path, sentence in errors]:
        body["errors"] = found
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE)
