"""What the workers are asked to do. A message carries an id and is a hint: what is due stands in the tables."""

import logging

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from deployments import observer, reconciler

log = logging.getLogger(__name__)


@shared_task
def reconcile_one(deployment_id: int) -> None:
    """One look at one deployment; what it leaves due is found by the next tick."""
    reconciler.reconcile(deployment_id, timezone.now())


@shared_task
def reconcile_due() -> None:
    """The tick: asks for every look that is due."""
    for deployment_id in reconciler.due(timezone.now()):
        reconcile_one.apply_async((deployment_id,), expires=60)


@shared_task
def observe_one(cluster_id: int) -> None:
    """One look at everything of ours on one cluster."""
    observer.observe(cluster_id, timezone.now())


@shared_task
def observe_due() -> None:
    """The tick: asks for a look at every cluster that is due."""
    for cluster_id in observer.due(timezone.now()):
        observe_one.apply_async((cluster_id,), expires=10)


def send_hint(deployment_id: int) -> None:
    """Asks for a look at once. Without a broker it waits for the next tick that finds one."""
    try:
        reconcile_one.apply_async((deployment_id,), expires=60)
    except OperationalError:
        log.warning("The broker is away: deployment %s waits for the next tick.", deployment_id)
