"""Walks the audit's chain and names the first entry that is not right."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from console.audit import verifying
from console.audit.chain import Mark


class Command(BaseCommand):
    help = "Verifies the audit: exit code 0 when every entry is as it was recorded, 1 with the first one that is not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--head", action="store_true", help="only print the newest NUMBER:DIGEST, to keep it elsewhere"
        )
        parser.add_argument(
            "--expect",
            metavar="NUMBER:DIGEST",
            default="",
            help="a head that was kept: it has to be in the chain",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["head"]:
            self.stdout.write(str(verifying.head()))
            return
        try:
            expected = Mark.read(options["expect"]) if options["expect"] else None
        except ValueError as error:
            raise CommandError(f"--expect: {error}", returncode=2) from None
        outcome = verifying.verify(expected)
        if outcome.found is not None:
            raise CommandError(str(outcome.found))
        anchor, head = outcome.anchor.number, outcome.head.number
        if expected and expected.number < anchor:
            self.stdout.write(f"Entry {expected.number} is older than what is kept: nothing is said of it.")
        kept = f"Entries {anchor + 1} to {head} are" if outcome.count else "No entries, and the audit is"
        self.stdout.write(f"{kept} as they were recorded. Head: {outcome.head}")
