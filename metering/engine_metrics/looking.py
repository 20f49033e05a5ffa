"""One look at the metrics pages of all replicas that can be reached one by one, for all who keep what they say."""

from __future__ import annotations

from datetime import datetime

from deployments.models import Observation
from deployments.reach import is_on_loopback
from metering import engine_counters
from metering.engine_metrics import door, minutes
from metering.engine_metrics.door import Place

MOST = 500


def look(now: datetime) -> int:
    """Keeps what they say; how many answered."""
    readings = door.read(_places(), now)
    engine_counters.keep(readings, now)
    minutes.keep(readings, now)
    return len(readings)


def _places() -> list[Place]:
    observed = (
        Observation.objects.exclude(upstreams=[])
        .order_by("deployment_id")
        .values_list("deployment_id", "upstreams", "deployment__current__document__spec__engine__kind")
    )
    # A set: a replica that is named twice is still one.
    places = [
        Place(deployment, url, engine)
        for deployment, urls, engine in observed
        for url in sorted(set(urls))
        if is_on_loopback(url)
    ]
    return places[:MOST]
