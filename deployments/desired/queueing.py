"""How a wish reaches the reconciler: a due time in the row, and a hint to the worker after the commit."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from console.models import User
from deployments.models import Deployment
from deployments.vocabulary import DesiredState


def queue(deployment: Deployment, author: User | None, now: datetime) -> None:
    """Notes who wants something new, forgets refusals and back-off, and has it looked at now."""
    deployment.changed_at, deployment.changed_by = now, author
    deployment.attempts, deployment.refusal, deployment.reconcile_due_at = 0, None, now
    deployment.save(update_fields=["changed_at", "changed_by", "attempts", "refusal", "reconcile_due_at"])
    hint(deployment.pk)


def look_at_all(where: Q) -> int:
    """Queues a look that wants nothing new, in one statement."""
    affected = Deployment.objects.filter(where).exclude(desired_state=DesiredState.DELETED)
    return affected.update(reconcile_due_at=timezone.now())


def look_for(deployment: Deployment, author: User | None) -> None:
    """Queues a look on somebody's behalf that wants nothing new of the replicas."""
    deployment.changed_by, deployment.reconcile_due_at = author, timezone.now()
    deployment.save(update_fields=["changed_by", "reconcile_due_at"])
    hint(deployment.pk)


def hint(deployment_id: int) -> None:
    """After the commit. The broker may be away: the due row is then found by the next tick."""
    from deployments.tasks import send_hint

    transaction.on_commit(lambda: send_hint(deployment_id), robust=True)
