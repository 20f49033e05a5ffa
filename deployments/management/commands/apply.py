"""`manage.py apply FILE [--dry-run] [--wait]`: creates or changes a deployment from its document.

Exit codes: 0 applied (with --wait: serving), 1 failed, with the reason, 2 an invalid document, one line per problem.
"""

import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from console.audit import acting_as_program
from deployments import document
from deployments.applying import Outcome, Result, apply_document
from deployments.desired import Conflict
from deployments.document import InvalidDocument
from deployments.models import Deployment
from deployments.spec import DeploymentSpec
from deployments.standing import Standing, observation_of, standing_of, with_standing
from deployments.vocabulary import DesiredState, Phase

LOOK_EVERY = 1.0
INVALID = 2


class Command(BaseCommand):
    help = "Creates or changes a deployment from a ModelDeployment document."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the document; - reads standard input")
        parser.add_argument("--dry-run", action="store_true", help="say what would change and change nothing")
        parser.add_argument("--wait", action="store_true", help="follow the rollout until it serves or fails")
        parser.add_argument(
            "--timeout", type=int, default=3600, metavar="SECONDS", help="how long --wait waits (3600)"
        )

    def handle(self, *args: Any, file: str, dry_run: bool, wait: bool, timeout: int, **options: Any) -> None:
        try:
            with acting_as_program("manage.py apply"):
                outcome = apply_document(_read(file), None, dry_run=dry_run)
        except InvalidDocument as invalid:
            for problem in invalid.problems:
                self.stderr.write(str(problem))
            sys.exit(INVALID)
        except Conflict as conflict:
            raise CommandError(str(conflict)) from None
        self._report(outcome, dry_run)
        if wait and not dry_run:
            self._follow(outcome, timeout)

    def _report(self, outcome: Outcome, dry_run: bool) -> None:
        name, would = outcome.deployment.name, "would be " if dry_run else ""
        revision = "" if outcome.result is Result.UNCHANGED else f" (revision {outcome.revision})"
        self.stdout.write(f"{name} {would}{outcome.result}{revision}")
        for difference in outcome.differences:
            self.stdout.write(f"  {difference}")

    def _follow(self, outcome: Outcome, timeout: int) -> None:
        """Returns once this revision serves; raises CommandError when it fails, rests or takes too long."""
        deadline, last = monotonic() + timeout, ""
        while True:
            deployment, standing = _look(outcome.deployment.pk)
            if _speaks_of(deployment, outcome.revision):
                line = (
                    f"{standing.phase.label}: {standing.sentence}"
                    if standing.sentence
                    else standing.phase.label
                )
                if line != last:
                    self.stdout.write(f"{timezone.now():%H:%M:%S} {line}")
                    self.stdout.flush()
                    last = line
                if standing.phase is Phase.SERVING:
                    return
                if standing.phase is Phase.FAILED:
                    raise CommandError(f"{standing.sentence} {standing.remedy}".strip())
            if deployment.desired_state != DesiredState.RUNNING:
                raise CommandError(
                    f"{deployment.name} is {deployment.desired_state}, so it will not serve. Start it."
                )
            if monotonic() >= deadline:
                raise CommandError(
                    f"{deployment.name} does not serve after {timeout} s. Last seen: {last or 'nothing'}."
                )
            # Nothing is held while waiting, so that a restart of the database ends no rollout that is watched.
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
            sleep(LOOK_EVERY)


def _read(file: str) -> DeploymentSpec:
    limit = document.LARGEST_DOCUMENT + 1
    try:
        if file == "-":
            return document.read(sys.stdin.buffer.read(limit))
        with Path(file).open("rb") as stream:
            return document.read(stream.read(limit))
    except OSError as error:
        raise CommandError(f"Cannot read {file}: {error.strerror}.") from None


def _look(pk: int) -> tuple[Deployment, Standing]:
    now = timezone.now()
    deployment = with_standing(Deployment.objects.select_related("current"), now).filter(pk=pk).first()
    if deployment is None:
        raise CommandError("The deployment was deleted meanwhile.")
    return deployment, standing_of(deployment, now)


def _speaks_of(deployment: Deployment, revision: int) -> bool:
    """What was seen before the revision was applied says nothing about it."""
    seen = observation_of(deployment)
    if deployment.refusal is not None:
        return True
    return (
        seen.revision >= revision
        and seen.observed_at is not None
        and seen.observed_at >= deployment.changed_at
    )
