"""Periodic tasks of the console itself."""

from celery import shared_task

from console import health


@shared_task
def heartbeat() -> None:
    """A sign of life of the workers, for /readyz."""
    health.beat()
