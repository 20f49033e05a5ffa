"""Periodic work of metering."""

from celery import shared_task
from django.utils import timezone

from metering import engine_counters
from metering.latency import closing


@shared_task(ignore_result=True)
def read_engine_counters() -> None:
    engine_counters.look(timezone.now())


@shared_task(ignore_result=True)
def close_hours() -> None:
    closing.close(timezone.now())
