"""How fast an autoscaler may move: stabilisation windows and rate policies of `behavior`.

A window looks back over past recommendations and takes the mildest of them; a policy limits the change within its
period.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deployments.sandbox.settings import Settings

_UP: dict[str, Any] = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Percent", "value": 100, "periodSeconds": 15},
        {"type": "Pods", "value": 4, "periodSeconds": 15},
    ],
}
_DOWN: dict[str, Any] = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
_LONGEST_SECONDS = 3600.0


@dataclass(slots=True)
class History:
    """Past recommendations and past changes of one autoscaler."""

    recommendations: list[tuple[datetime, int]] = field(default_factory=list)
    changes: list[tuple[datetime, int]] = field(default_factory=list)

    def begin(self, now: datetime, current: int) -> None:
        """The count that was found at first is the first recommendation, so that the windows hold it too."""
        if not self.recommendations:
            self.recommendations.append((now, current))

    def scaled(self, now: datetime, change: int) -> None:
        """Remember that the count was changed by so many."""
        self.changes.append((now, change))

    def trim(self, settings: Settings, now: datetime) -> None:
        """Forget what no window reaches any more."""
        oldest = now - settings.real(_LONGEST_SECONDS)
        self.recommendations = [each for each in self.recommendations if each[0] >= oldest]
        self.changes = [each for each in self.changes if each[0] >= oldest]


def bounded(
    spec: dict[str, Any], history: History, current: int, desired: int, settings: Settings, now: datetime
) -> tuple[int, str]:
    """The count that may be set now, and the reason of the condition when a window held it back."""
    behaviour = spec.get("behavior") or {}
    up = {**_UP, **(behaviour.get("scaleUp") or {})}
    down = {
        "stabilizationWindowSeconds": settings.downscale_window_seconds,
        **_DOWN,
        **(behaviour.get("scaleDown") or {}),
    }
    history.trim(settings, now)
    history.recommendations.append((now, desired))
    stable = _stabilise(history, current, desired, up, down, settings, now)
    held = "" if stable == desired else ("ScaleDownStabilized" if desired < stable else "ScaleUpStabilized")
    if stable > current:
        return max(current, min(stable, _limit(up, history, current, 1, settings, now))), held
    if stable < current:
        return min(current, max(stable, _limit(down, history, current, -1, settings, now))), held
    return stable, held


def _stabilise(
    history: History,
    current: int,
    desired: int,
    up: dict[str, Any],
    down: dict[str, Any],
    settings: Settings,
    now: datetime,
) -> int:
    def within(rule: dict[str, Any]) -> list[int]:
        since = now - settings.real(float(rule.get("stabilizationWindowSeconds") or 0))
        return [count for when, count in history.recommendations if when >= since]

    if desired > current:
        return max(current, min(within(up) or [desired]))
    return min(current, max(within(down) or [desired])) if desired < current else desired


def _limit(
    rule: dict[str, Any], history: History, current: int, way: int, settings: Settings, now: datetime
) -> int:
    """The farthest count in one direction that the policies allow."""
    if rule.get("selectPolicy") == "Disabled":
        return current
    limits: list[int] = []
    for policy in rule.get("policies") or []:
        since = now - settings.real(float(policy["periodSeconds"]))
        moved = sum(change for when, change in history.changes if when > since and change * way > 0)
        start = current - moved
        if policy["type"] == "Pods":
            limits.append(start + way * policy["value"])
        else:
            exact = start * (100 + way * policy["value"])
            limits.append(math.ceil(exact / 100) if way > 0 else exact // 100)
    if not limits:
        return current
    farthest = rule.get("selectPolicy", "Max") != "Min"
    return max(limits) if farthest == (way > 0) else min(limits)
