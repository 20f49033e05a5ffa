"""`manage.py correct_usage EVENT --output -120 --reason "..."`: a correction of one request, as a new entry."""

import argparse
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from console.audit import acting_as_program
from console.models import User
from metering.corrections import CannotCorrect, Change, correct
from metering.pricing import in_full


class Command(BaseCommand):
    help = "Corrects the tokens of one request by a new, signed entry. What was recorded stays."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("event", type=_identity, help="the request's id, with or without req_ in front")
        for name in ("input", "cached", "output"):
            parser.add_argument(f"--{name}", type=int, default=0, help=f"{name} tokens more, or less")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--by", help="e-mail address of who asks for it")

    def handle(self, *args: Any, **options: Any) -> None:
        by = None
        if options["by"]:
            by = User.objects.filter(email=options["by"].lower()).first()
            if by is None:
                raise CommandError(f"There is nobody with the address {options['by']}.")
        change = Change(options["input"], options["cached"], options["output"])
        try:
            with acting_as_program("manage.py correct_usage"):
                entry = correct(options["event"], change, reason=options["reason"], by=by, now=timezone.now())
        except CannotCorrect as refused:
            raise CommandError(str(refused)) from None
        amount = "unpriced" if entry.amount is None else f"{in_full(entry.amount)} {entry.currency}"
        self.stdout.write(f"{entry.id}: {amount}")


def _identity(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text.removeprefix("req_"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a request") from None
