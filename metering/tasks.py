"""Periodic work of metering."""

from celery import shared_task
from django.utils import timezone

from metering.engine_metrics import closing, looking


@shared_task(ignore_result=True)
def read_engine_metrics() -> None:
    looking.look(timezone.now())


@shared_task(ignore_result=True)
def close_engine_hours() -> None:
    closing.close(timezone.now())
