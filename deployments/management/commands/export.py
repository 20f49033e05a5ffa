"""`manage.py export NAME`: the document of a deployment; applying it changes nothing."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployments import document
from deployments.models import Deployment


class Command(BaseCommand):
    help = "Prints the ModelDeployment document of a deployment. Secret values are left out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the deployment's name")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        found = Deployment.objects.select_related("current").filter(name=name).first()
        if found is None:
            raise CommandError(f"There is no deployment {name}.")
        self.stdout.write(document.write(found.spec), ending="")
