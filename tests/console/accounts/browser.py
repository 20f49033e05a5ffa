"""A browser without a screen, as far as signing in at a provider goes: leaving, being sent on, coming back."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.test import Client

from console.audit.entry import AuditEntry

LEAVE = "/accounts/single-sign-on/"


def leave(client: Client, address: str = LEAVE, **form: str) -> str:
    """The address at the provider to which the page leads."""
    answer = client.post(address, form)
    assert answer.status_code == 200, answer.status_code
    (url,) = re.findall(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
    return html.unescape(url)


def sent_back(url: str) -> str:
    """What the provider's answer makes the browser ask of the console."""
    answer = httpx.get(url)
    assert answer.status_code == 302, answer.text
    place = urlsplit(answer.headers["Location"])
    return f"{place.path}?{place.query}"


def sign_in(client: Client, **form: str) -> Any:
    """The whole way; the answer is that of coming back."""
    return client.get(sent_back(leave(client, **form)))


def is_in(client: Client) -> bool:
    return client.get("/accounts/sessions/").status_code == 200


def recorded() -> list[str]:
    """What the audit has, in order, but for people who come and go."""
    coming = ("person.signed_in", "person.signed_out")
    entries = AuditEntry.objects.exclude(action__in=coming).order_by("number")
    return list(entries.values_list("action", flat=True))
