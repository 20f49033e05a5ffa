"""`manage.py up`: the whole stack on this machine. manage.py itself takes a short cut to console/local/stack.py."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from console.local import stack


class Command(BaseCommand):
    help = (
        "Run the whole stack on this machine: servers, sandbox cluster, console, gateway. Ctrl-C stops all."
    )
    # There is no database yet to check.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        stack.add_arguments(parser)

    def handle(self, *_: Any, port: int, folder: Path, stop_with_parent: bool, **options: Any) -> None:
        if code := stack.run(port, folder, stop_with_parent=stop_with_parent):
            sys.exit(code)
