"""`python -m console.local.checks`: the part of `make lint` that needs a database.

Nothing is missing from the migrations, and the settings of a production installation pass all system checks. Both
run on a PostgreSQL and a Valkey of their own.
"""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from typing import Final

from console.local import throwaway
from console.local.family import Family

_COMMANDS: Final = (
    ("makemigrations", "--check", "--dry-run"),
    ("check", "--deploy", "--fail-level", "WARNING"),
)


def main() -> int:
    """The first exit code that is not 0."""
    family = Family()
    try:
        environment = {**os.environ, **_production(), **throwaway.start(family)}
        for command in _COMMANDS:
            outcome = subprocess.run([sys.executable, "manage.py", *command], env=environment, check=False)
            if outcome.returncode:
                return outcome.returncode
        return 0
    finally:
        family.close()


def _production() -> dict[str, str]:
    """Settings as docs/configuration.md asks for; a developer's own must not count."""
    values = {
        "SECRET_KEY": secrets.token_urlsafe(64),
        "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "ALLOWED_HOSTS": "console.example.com",
        "GATEWAY_URL": "https://api.example.com",
        "DEBUG": "false",
        "SECURE": "true",
        "DATABASE_POOL": "false",
    }
    return {**{f"{name}_FILE": "" for name in (*values, "DATABASE_URL", "REDIS_URL")}, **values}


if __name__ == "__main__":
    sys.exit(main())
