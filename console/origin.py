"""Where a request comes from: the client's true address behind the proxies that are configured, and the request's id.

Headers of clients are believed only behind a proxy (BEHIND_PROXY): then the proxy has added the client's address at
the right end of X-Forwarded-For. What stands further left, anybody may have written.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
from collections.abc import Callable
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current_id: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    """Of the request that is being answered; empty outside of one."""
    return _current_id.get()


def client_address(request: HttpRequest) -> str:
    """In its shortest form; empty when there is none, as behind a Unix socket without a proxy."""
    trusted: int = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    direct = _address(request.META.get("REMOTE_ADDR", ""))
    if not trusted:
        return direct
    forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if len(forwarded) < trusted:
        return direct
    return _address(forwarded[-trusted]) or direct


def identified(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware. Every request has an id: the proxy's, or one of its own; the answer and log lines carry it."""

    def middleware(request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "") if settings.ALLAUTH_TRUSTED_PROXY_COUNT else ""
        chosen = given if _ID.fullmatch(given) else secrets.token_hex(16)
        token = _current_id.set(chosen)
        try:
            response = get_response(request)
        finally:
            _current_id.reset(token)
        response.headers[HEADER] = chosen
        return response

    return middleware


class RequestId(logging.Filter):
    """Gives every log record the id of its request, as ` [id]`; nothing outside of one."""

    def filter(self, record: logging.LogRecord) -> bool:
        current = request_id()
        record.request_id = f" [{current}]" if current else ""
        return True


def _address(text: str) -> str:
    """Empty for what is no address. A mapped IPv4 address is that address; zones do not leave the machine."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
