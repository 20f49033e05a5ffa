"""Names the person of a request to the audit, and writes what the request was refused once it is answered."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from console.audit.context import answering
from console.audit.recording import Thing, refuse, write_refusal

_REFUSED = {403: "request.refused", 429: "request.throttled"}
_SECRETS = ("key", "token", "code", "secret")
"""Parts of addresses that let somebody in, by the names that they have in our patterns."""


def of_requests(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware, outside of the one that knows who signed in: it asks when something is recorded."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with answering(request) as context:
            response = get_response(request)
            if (action := _REFUSED.get(response.status_code)) and not context.refusals:
                refuse(action, Thing("address", f"{request.method} {_path(request)}"))
            for refusal in context.refusals:
                write_refusal(*refusal)
            return response

    return middleware


def _path(request: HttpRequest) -> str:
    """Without the query, and without what is as good as a password, such as the key of a reset."""
    path, match = request.path, request.resolver_match
    for name in _SECRETS:
        if match is not None and (value := match.kwargs.get(name)):
            path = path.replace(str(value), "…")
    return path
