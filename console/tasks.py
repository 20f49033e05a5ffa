"""Periodic tasks of the console itself."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from console import health, sessions
from console.access_key import IdempotentCall
from console.audit import acting_as_program, retention, verifying
from console.notices import delivering


@shared_task
def heartbeat() -> None:
    """A sign of life of the workers, for /readyz."""
    health.beat()


@shared_task
def sweep_sessions() -> None:
    """What is left of sessions that ended by themselves."""
    sessions.sweep()


# Taken at once and not again: walking a long chain takes longer than a message may stay without an answer.
@shared_task(acks_late=False, time_limit=3600, soft_time_limit=3500)
def verify_audit() -> None:
    verifying.verify()


@shared_task
def prune_audit() -> None:
    with acting_as_program("daily pruning"):
        retention.prune(timezone.now())


@shared_task
def forget_old_calls() -> None:
    """What was kept so that calls are made once."""
    IdempotentCall.objects.filter(created_at__lt=timezone.now() - timedelta(days=1)).delete()


@shared_task(ignore_result=True)
def deliver_due() -> None:
    for delivery_id in delivering.due(timezone.now()):
        deliver_one.apply_async((delivery_id,), expires=30, retry=False)


@shared_task(ignore_result=True)
def deliver_one(delivery_id: int) -> None:
    delivering.deliver(delivery_id)


@shared_task(ignore_result=True)
def forget_old_notices() -> None:
    delivering.forget_old(timezone.now())
