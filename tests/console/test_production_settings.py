"""A production installation, configured as docs/configuration.md says, passes Django's own deployment checks."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def check(**environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(
        command,
        cwd=PROJECT,
        # A browser test of the same process may have left this one behind.
        env={**os.environ, **environment, "DJANGO_ALLOW_ASYNC_UNSAFE": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_deployment_checks_find_nothing() -> None:
    outcome = check(
        SECRET_KEY=secrets.token_urlsafe(64),
        ALLOWED_HOSTS="console.example.com",
        GATEWAY_URL="https://api.example.com",
        DEBUG="false",
        SECURE="true",
    )
    assert outcome.returncode == 0, outcome.stderr


def test_a_short_secret_key_is_found() -> None:
    outcome = check(SECRET_KEY="short", ALLOWED_HOSTS="console.example.com", SECURE="true")
    assert outcome.returncode == 1
    assert "security.W009" in outcome.stderr
