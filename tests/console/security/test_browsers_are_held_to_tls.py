"""In production every answer holds browsers to TLS, and every cookie is for this host alone (ASVS 3.3, 3.4.1)."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
ASK = """
import json, django
django.setup()
from django.test import Client
client = Client(headers={"host": "console.example.com"})
plain, answer = client.get("/sign-in/"), client.get("/accounts/password/reset/", secure=True)
from django.conf import settings as s
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpResponse
from django.test import RequestFactory
# The session as it is really set, without a database: kept in the cookie for this once.
s.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
def view(request):
    request.session["a"] = 1
    return HttpResponse()
session = SessionMiddleware(view)(RequestFactory().get("/", secure=True))
morsels = {**answer.cookies, **session.cookies}
cookies = {name: {key: value for key, value in morsel.items()} for name, morsel in morsels.items()}
print(json.dumps({"plain": [plain.status_code, plain["Location"]], "headers": dict(answer.headers), "cookies": cookies,
    "debug": s.DEBUG}))
"""


@pytest.fixture(scope="module")
def said() -> dict[str, object]:
    outcome = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=PROJECT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "ALLOWED_HOSTS": "console.example.com",
            "GATEWAY_URL": "https://api.example.com",
            "DEBUG": "false",
            "SECURE": "true",
            "DJANGO_ALLOW_ASYNC_UNSAFE": "",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    answer: dict[str, object] = json.loads(outcome.stdout.splitlines()[-1])
    return answer


def test_plain_http_leads_to_tls(said: dict[str, object]) -> None:
    assert said["plain"] == [301, "https://console.example.com/sign-in/"]


def test_an_answer_holds_for_a_year_and_for_all_below(said: dict[str, object]) -> None:
    headers = said["headers"]
    assert isinstance(headers, dict)
    policy = headers["Strict-Transport-Security"].split("; ")
    assert "max-age=31536000" in policy
    assert "includeSubDomains" in policy


def test_cookies_are_for_this_host_alone(said: dict[str, object]) -> None:
    cookies = said["cookies"]
    assert isinstance(cookies, dict)
    assert set(cookies) == {"__Host-csrf", "__Host-session"}
    for cookie in cookies.values():
        assert (cookie["secure"], cookie["path"], cookie["domain"], cookie["samesite"]) == (
            True,
            "/",
            "",
            "Lax",
        )
    assert cookies["__Host-session"]["httponly"] is True


def test_nothing_for_developers_is_on(said: dict[str, object]) -> None:
    assert said["debug"] is False
