"""Background work: each task loads, calls, and looks again later. Messages carry ids; the truth is in Postgres."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from deployments import observer, reconciler
from deployments.clusters import check as cluster_check
from deployments.endpoints import check as endpoint_check
from deployments.models import Cluster, Endpoint

logger = logging.getLogger(__name__)

#: Longer waits are left to the tick, which finds the due row.
SOON_SECONDS = 4.0
MOST_PER_TICK = 200


@shared_task(ignore_result=True)
def reconcile_one(deployment_id: int) -> None:
    again = reconciler.reconcile(deployment_id)
    if again is not None and again <= SOON_SECONDS:
        reconcile_one.apply_async((deployment_id,), countdown=again, retry=False)


@shared_task(ignore_result=True)
def reconcile_due() -> None:
    for deployment_id in reconciler.due(timezone.now(), MOST_PER_TICK):
        reconcile_one.apply_async((deployment_id,), expires=30, retry=False)


@shared_task(ignore_result=True)
def observe_due() -> None:
    for cluster_id in observer.due(timezone.now()):
        observe_one.apply_async((cluster_id,), expires=10, retry=False)


@shared_task(ignore_result=True)
def observe_one(cluster_id: int) -> None:
    observer.observe(cluster_id)
    for stale in observer.facts_due(cluster_id, timezone.now()):
        check_cluster.apply_async((stale,), expires=60, retry=False)


@shared_task(ignore_result=True)
def check_cluster(cluster_id: int) -> None:
    for cluster in Cluster.objects.filter(pk=cluster_id):
        cluster_check.check(cluster)
        for endpoint_id in cluster.endpoints.values_list("pk", flat=True):
            check_endpoint.apply_async((endpoint_id,), expires=60, retry=False)


@shared_task(ignore_result=True)
def check_endpoint(endpoint_id: int) -> None:
    for endpoint in Endpoint.objects.select_related("cluster").filter(pk=endpoint_id):
        endpoint_check.check(endpoint)


def send_hint(deployment_id: int) -> None:
    """Asks for a look at once. Without a broker, the tick finds the due row as soon as there is one again."""
    try:
        reconcile_one.apply_async((deployment_id,), retry=False)
    except Exception as error:  # the broker's client has many ways of failing, and none of them matters here
        logger.warning("No hint could be sent for deployment %s: %s", deployment_id, type(error).__name__)
