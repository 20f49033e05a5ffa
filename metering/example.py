"""A day of traffic for the example deployment, so that a first look at its pages finds something. Marked as such.

The requests are made up and go the way of all others: as events into the ledger, priced, added up, in histograms. They
belong to an API key named `KEY_NAME`, which nobody has the text of and which is revoked from the start.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Exists, OuterRef

from console.models import Organization, User
from deployments.models import Deployment, Price
from metering import issuing
from metering.events import Event, encode, mint
from metering.gpu_time import working
from metering.latency import closing
from metering.ledger import intake
from metering.ledger.judging import Entry
from metering.models import ApiKey, GpuHour, GpuRate, LatencyTarget, UsageHour
from metering.period import DAY, HOUR
from metering.vocabulary import RequestStatus

KEY_NAME = "Example traffic"
_TTFT_TARGET, _ITL_TARGET = 800, 40
"""Milliseconds; one hour of the day is above the first."""
#: Of one GPU per hour, by the products of the sandbox; the deployment holds one of the first.
_GPU_COSTS = {"NVIDIA-H100-80GB-HBM3": Decimal("2.49"), "NVIDIA-L40S": Decimal("0.99")}
_SECOND, _HOURS = 1_000_000, 24
_STATUSES = [RequestStatus.COMPLETED, RequestStatus.CLIENT_GONE, RequestStatus.ENGINE_FAILED]


@transaction.atomic
def add_day(deployment: Deployment, person: User, organization: Organization, now: datetime) -> None:
    """The 24 whole hours before this one. Only for a deployment that was never used: its price begins before them."""
    end = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    price = Price.objects.filter(deployment=deployment).first()
    if price is not None:
        price.pk, price.effective_from = None, end - DAY - HOUR
        price.save(force_insert=True)
    key, _ = issuing.issue(user=person, organization=organization, name=KEY_NAME, by=None)
    issuing.revoke(key, by=person)
    LatencyTarget.objects.get_or_create(
        deployment=deployment, defaults={"ttft_ms": _TTFT_TARGET, "itl_ms": _ITL_TARGET}
    )
    events = list(_events(deployment, key, end))
    intake.take([Entry(f"{number}-0", encode(event)) for number, event in enumerate(events, 1)], now)
    closing.close(now)
    _hold_gpus(deployment, end)


def was_added() -> Exists:
    """For rows of `LatencyTarget`: whether some of what the deployment was used for is made up."""
    keys = ApiKey.objects.filter(name=KEY_NAME, created_by=None, revoked_at__isnull=False)
    return Exists(
        UsageHour.objects.filter(deployment_id=OuterRef("deployment_id"), api_key_id__in=keys.values("pk"))
    )


def _events(deployment: Deployment, key: ApiKey, end: datetime) -> Iterator[Event]:
    """More by day than by night, one slow hour, two without any; always the same but for the day."""
    chance = random.Random(1)  # noqa: S311 - an example
    for ago in range(_HOURS, 0, -1):
        hour = end - ago * HOUR
        if hour.hour in (3, 4):
            continue
        busy = 45 + 35 * math.sin((hour.hour - 8) / 24 * math.tau)
        slow = 2.1 if hour.hour == 14 else 1.0
        for _ in range(round(busy)):
            started = round(hour.timestamp() * _SECOND) + chance.randrange(3500 * _SECOND)
            first = started + round(slow * chance.lognormvariate(12.7, 0.3))
            output, itl = chance.randrange(20, 400), round(chance.lognormvariate(9.9, 0.2))
            status = chance.choices(_STATUSES, [970, 20, 10])[0]
            yield Event(
                id=mint(started),
                started=started,
                first=first,
                ended=first + output * itl,
                deployment_id=deployment.pk,
                deployment=deployment.name,
                revision=1,
                model=deployment.model.slug,
                organization_id=key.organization_id,
                user_id=key.user_id,
                api_key_id=key.pk,
                status=status,
                input_tokens=chance.randrange(50, 3000),
                output_tokens=output,
                itl_us=itl,
            )


def _hold_gpus(deployment: Deployment, end: datetime) -> None:
    """One GPU all day, and what GPUs cost."""
    cluster = deployment.endpoint.cluster
    GpuRate.objects.bulk_create(
        GpuRate(cluster=cluster, product=product, currency="USD", per_hour=per_hour, effective_from=end - DAY)
        for product, per_hour in _GPU_COSTS.items()
    )
    GpuHour.objects.bulk_create(
        GpuHour(
            deployment_id=deployment.pk,
            cluster_id=cluster.pk,
            product=next(iter(_GPU_COSTS)),
            hour=end - ago * HOUR,
            gpu_seconds=3600,
            seconds=3600,
        )
        for ago in range(1, _HOURS + 1)
    )
    working.close(end, _HOURS)
