"""`manage.py check_ledger`: what must always be true of limits and money; exit code 1 when something is not."""

import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from metering import invariants


class Command(BaseCommand):
    help = "Checks the invariants of limits, usage and money. Exit code 1 when one is broken."

    def handle(self, *args: Any, **options: Any) -> None:
        findings = invariants.check(timezone.now())
        for finding in findings:
            self.stdout.write(f"{finding.tone.value:5} {finding.title}: {finding.sentence}")
            if finding.remedy:
                self.stdout.write(f"      {finding.remedy}")
        if any(finding.is_broken for finding in findings):
            sys.exit(1)
