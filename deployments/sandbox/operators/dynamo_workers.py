"""How many old and new workers of a component stand while one generation follows the other. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from deployments.sandbox.workloads.rollout_math import fence


@dataclass(frozen=True, slots=True)
class Generation:
    """Workers of one generation: asked for, serving, and pods that are there, those on their way out included."""

    asked: int = 0
    available: int = 0
    present: int = 0

    @classmethod
    def of(cls, deployment: dict[str, Any], present: int) -> Self:
        """From a Deployment and the number of its pods."""
        available = int((deployment.get("status") or {}).get("availableReplicas", 0))
        return cls(int(deployment["spec"].get("replicas", 1)), available, present)

    def __add__(self, other: Generation) -> Generation:
        return Generation(
            self.asked + other.asked, self.available + other.available, self.present + other.present
        )


def balance(old: Generation, new: Generation, wanted: int, strategy: dict[str, Any]) -> tuple[int, int]:
    """How many old and how many new workers there shall be now."""
    surge, missing = fence({"replicas": wanted, "strategy": strategy})
    least = wanted - missing
    starting = max(0, new.asked - new.available)
    may_go = max(0, old.asked + new.asked - least - starting)
    ill = max(0, old.asked - old.available)
    spare = max(0, old.available + new.available - least)
    left = max(0, old.asked - min(may_go, ill + spare))
    room = max(0, wanted + surge - old.present - new.present)
    return left, min(wanted, new.asked + room)
