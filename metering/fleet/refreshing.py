"""Keeps the figures of the fleet fresh, each period as often as its figures move, and never at a twentieth of the time.

A round that is slow because there are many deployments is made less often, so that it cannot eat a worker. Pages read
what the last round left and say when that was.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction

from deployments.models import Deployment
from metering.fleet.figures import PERIODS, compute
from metering.models import FleetFigure, FleetRound

#: How old figures may get.
_EVERY = {"24h": timedelta(minutes=1), "7d": timedelta(minutes=10), "30d": timedelta(hours=1)}
_SHARE = 20
"""A round rests so many times as long as it took."""
_AT_ONCE = 100
_SLACK = timedelta(seconds=10)
"""Beat is never quite on time."""
_WRITTEN = [
    field.name for field in FleetFigure._meta.fields if field.name not in {"id", "deployment", "period"}
]


def refresh(now: datetime) -> list[str]:
    """Computes what is due; returns the words of the periods. Two at once: the second one leaves it to the first."""
    return [word for word in PERIODS if _refresh(word, now)]


def _refresh(word: str, now: datetime) -> bool:
    FleetRound.objects.get_or_create(period=word)
    with transaction.atomic():
        round_ = FleetRound.objects.select_for_update(skip_locked=True).filter(period=word).first()
        if round_ is None or not _is_due(round_, now):
            return False
        began = time.monotonic()
        for deployments in _chunks():
            FleetFigure.objects.bulk_create(
                compute(word, deployments, now),
                update_conflicts=True,
                unique_fields=["period", "deployment_id"],
                update_fields=_WRITTEN,
            )
        FleetFigure.objects.filter(period=word, computed_at__lt=now).delete()
        round_.computed_at = now
        round_.milliseconds = round((time.monotonic() - began) * 1000)
        round_.save()
    return True


def _is_due(round_: FleetRound, now: datetime) -> bool:
    if round_.computed_at is None:
        return True
    rest = max(_EVERY[round_.period], timedelta(milliseconds=_SHARE * round_.milliseconds))
    return now >= round_.computed_at + rest - _SLACK


def _chunks() -> Iterator[list[int]]:
    """Deployments by number, so that memory stays flat."""
    last = 0
    while True:
        found = list(
            Deployment.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:_AT_ONCE]
        )
        if not found:
            return
        yield found
        last = found[-1]
