"""Readings of replicas as the door hands them on, at times that a test says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from metering.engine_metrics import minutes
from metering.engine_metrics.door import Place, Reading
from metering.engine_metrics.page import Figures
from metering.models import EngineMinute

HOUR = datetime(2026, 3, 10, 12, tzinfo=UTC)
"""The hour of most tests; nothing depends on which one it is."""


def at(minutes: float = 0, hours: float = 0) -> datetime:
    return HOUR + timedelta(hours=hours, minutes=minutes)


def upstream(number: int = 1) -> str:
    return f"http://127.0.0.1:{10_000 + number}"


@dataclass
class Replicas:
    """Replicas of one deployment."""

    deployment_id: int = 7

    def say(self, moment: datetime, number: int = 1, **figures: Any) -> int:
        """One replica is read; how many rows that made."""
        return self.all_say(moment, {number: figures})

    def all_say(self, moment: datetime, figures: dict[int, dict[str, Any]]) -> int:
        """Several are read in one look."""
        readings = [
            Reading(Place(self.deployment_id, upstream(number)), moment, Figures(**each))
            for number, each in figures.items()
        ]
        return minutes.keep(readings, moment)

    def growth(self, name: str, number: int = 1) -> list[int | None]:
        """Of a counter of one replica, minute by minute."""
        rows = EngineMinute.objects.filter(deployment_id=self.deployment_id, upstream=upstream(number))
        return list(rows.order_by("minute").values_list(name, flat=True))


def steady(count: int, moment: int) -> dict[int, dict[str, Any]]:
    """So many replicas whose counters grow by the same in each minute, as they say it in minute `moment`."""
    said = {
        "running": 3,
        "waiting": 2,
        "kv_use": 0.5,
        "prefix_hits": 10 * moment,
        "prefix_queries": 40 * moment,
        "preemptions": moment,
        "prompt_tokens": 600 * moment,
        "generation_tokens": 1200 * moment,
    }
    return dict.fromkeys(range(1, count + 1), said)


@pytest.fixture
def replicas(db: None) -> Replicas:
    return Replicas()
