#!/usr/bin/env python3
"""Run Django's commands with our settings."""

import json
import os
import sys
from pathlib import Path

LOCAL = Path(__file__).resolve().parent / ".local"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    if sys.argv[1:2] == ["up"]:
        # It starts the database that Django is configured with, so it cannot wait for Django.
        from console.local.stack import main as up

        sys.exit(up(sys.argv[2:]))
    use_the_local_stack()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


def use_the_local_stack() -> None:
    """While `make up` runs here and nothing else is configured, commands work on its database."""
    configured = {"DATABASE_URL", "DATABASE_URL_FILE"} & os.environ.keys() or LOCAL.with_name(".env").exists()
    if not configured and (LOCAL / "up.json").exists():
        os.environ.update(json.loads((LOCAL / "environment.json").read_text()))


if __name__ == "__main__":
    main()
