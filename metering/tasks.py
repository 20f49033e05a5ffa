"""Periodic work of metering."""

from celery import shared_task
from django.utils import timezone

from metering.engine_metrics import closing as engine_hours
from metering.engine_metrics import looking
from metering.fleet import refreshing
from metering.gpu_time import counting, working
from metering.latency import closing as latency_hours


@shared_task(ignore_result=True)
def read_engine_metrics() -> None:
    looking.look(timezone.now())


@shared_task(ignore_result=True)
def close_engine_hours() -> None:
    engine_hours.close(timezone.now())


@shared_task(ignore_result=True)
def close_hours() -> None:
    latency_hours.close(timezone.now())


@shared_task(ignore_result=True)
def count_gpus() -> None:
    counting.count(timezone.now())


@shared_task(ignore_result=True)
def close_gpu_hours() -> None:
    working.close(timezone.now())


@shared_task(ignore_result=True)
def refresh_fleet() -> None:
    refreshing.refresh(timezone.now())
