"""Periodic tasks of the console itself."""

from celery import shared_task

from console import health, sessions


@shared_task
def heartbeat() -> None:
    """A sign of life of the workers, for /readyz."""
    health.beat()


@shared_task
def sweep_sessions() -> None:
    """What is left of sessions that ended by themselves."""
    sessions.sweep()
