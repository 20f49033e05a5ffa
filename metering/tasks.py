"""Periodic work of metering."""

from celery import shared_task
from django.utils import timezone

from metering.engine_metrics import closing as engine_hours
from metering.engine_metrics import looking
from metering.fleet import refreshing
from metering.gpu_time import counting, working
from metering.latency import closing as latency_hours
from metering.notices import budgets, limits
from metering.notices import latency as latency_notices


@shared_task(ignore_result=True)
def read_engine_metrics() -> None:
    looking.look(timezone.now())


@shared_task(ignore_result=True)
def close_engine_hours() -> None:
    engine_hours.close(timezone.now())


@shared_task(ignore_result=True)
def close_hours() -> None:
    latency_hours.close(timezone.now())
    latency_notices.tell(timezone.now())


@shared_task(ignore_result=True)
def count_gpus() -> None:
    counting.count(timezone.now())


@shared_task(ignore_result=True)
def close_gpu_hours() -> None:
    working.close(timezone.now())


@shared_task(ignore_result=True)
def refresh_fleet() -> None:
    refreshing.refresh(timezone.now())


@shared_task(ignore_result=True)
def tell_of_limits() -> None:
    limits.tell(timezone.now())


@shared_task(ignore_result=True)
def tell_of_budgets() -> None:
    budgets.tell(timezone.now())
