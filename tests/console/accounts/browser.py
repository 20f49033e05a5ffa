"""A browser without a screen, as far as signing in at a provider goes: leaving, being sent on, coming back."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.test import Client

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
