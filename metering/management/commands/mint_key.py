"""`manage.py mint_key EMAIL --name NAME`: makes an API key and prints it, once."""

import argparse
import re
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from console.audit import acting_as_program
from console.models import Organization, User
from metering import issuing

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class Command(BaseCommand):
    help = "Makes an API key for a person in their organisation and prints it. It is not shown again."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", required=True, help="what the key is for")
        parser.add_argument("--expires", type=_duration, help="for how long it works, such as 12h, 30d or 8w")
        parser.add_argument("--organization", help="slug, for people who belong to several")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].lower()
        user = User.objects.filter(email=email).first()
        if user is None:
            raise CommandError(f"There is nobody with the address {email}.")
        organization = _organization(user, options["organization"])
        life = options["expires"]
        try:
            with acting_as_program("manage.py mint_key"):
                _, text = issuing.issue(
                    user=user,
                    organization=organization,
                    name=options["name"],
                    expires_at=timezone.now() + life if life else None,
                    by=None,
                )
        except issuing.Refused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(text)


def _organization(user: User, slug: str | None) -> Organization:
    mine = list(user.organizations.order_by("slug"))
    if slug:
        mine = [organization for organization in mine if organization.slug == slug]
    if not mine:
        raise CommandError(f"{user.email} does not belong to {slug or 'any organisation'}.")
    if len(mine) > 1:
        slugs = ", ".join(organization.slug for organization in mine)
        raise CommandError(f"{user.email} belongs to several organisations. Add --organization: {slugs}.")
    return mine[0]


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,4})([hdw])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 12h, 30d or 8w")
    return int(found[1]) * _UNITS[found[2]]
