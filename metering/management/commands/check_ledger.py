"""`manage.py check_ledger`: what must always be true of limits and money; exit code 1 when something is not."""

import argparse
import sys
from typing import Any

import msgspec
from django.core.management.base import BaseCommand
from django.utils import timezone

from metering import invariants
from metering.models import UsageReject


class Command(BaseCommand):
    help = "Checks the invariants of limits, usage and money. Exit code 1 when one is broken."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--everything", action="store_true", help="add up all months, not only this one and the last"
        )
        parser.add_argument("--rejects", action="store_true", help="list what could not be taken in, instead")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["rejects"]:
            self._list_rejects()
            return
        findings = invariants.check(timezone.now(), everything=options["everything"])
        for finding in findings:
            self.stdout.write(f"{finding.tone.value:5} {finding.title}: {finding.sentence}")
            if finding.remedy:
                self.stdout.write(f"      {finding.remedy}")
        if any(finding.is_broken for finding in findings):
            sys.exit(1)

    def _list_rejects(self) -> None:
        for reject in UsageReject.objects.iterator():
            self.stdout.write(
                f"{reject.at:%Y-%m-%dT%H:%M:%SZ} {reject.entry} {reject.reason} {_readable(bytes(reject.payload))}"
            )


def _readable(payload: bytes) -> str:
    """The event as JSON where it is one, else its bytes."""
    try:
        return msgspec.json.encode(msgspec.msgpack.decode(payload)).decode()
    except (
        ValueError,
        TypeError,
    ):  # other than msgspec's own errors: what MessagePack may say and JSON cannot
        return payload[:200].hex()
