"""How many pods a Deployment's strategy lets go up and down: numbers and percentages, as upstream rounds them."""

from __future__ import annotations

from typing import Any


def fence(spec: dict[str, Any]) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods.

    A surge is rounded up and an absence down. Both zero would never move, so one pod may then be missing.
    """
    if is_recreate(spec):
        return 0, 0
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    replicas = spec.get("replicas", 1)
    surge = _pods(rolling.get("maxSurge", "25%"), replicas, up=True)
    missing = _pods(rolling.get("maxUnavailable", "25%"), replicas, up=False)
    if not surge and not missing:
        missing = 1
    return surge, min(missing, replicas)


def is_recreate(spec: dict[str, Any]) -> bool:
    """Whether all old pods go before the first new one comes."""
    return bool((spec.get("strategy") or {}).get("type") == "Recreate")


def problems(strategy: dict[str, Any]) -> list[tuple[str, str]]:
    """What the API server says against a strategy, as (path, sentence) pairs."""
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    path = "spec.strategy"
    if kind not in ("Recreate", "RollingUpdate"):
        return [
            (f"{path}.type", f'Unsupported value: "{kind}": supported values: "Recreate", "RollingUpdate"')
        ]
    if kind == "Recreate":
        if rolling is not None:
            said = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
            return [(f"{path}.rollingUpdate", said)]
        return []
    found = []
    values = {}
    for field in ("maxUnavailable", "maxSurge"):
        value = (rolling or {}).get(field, 0)
        text = str(value).removesuffix("%")
        if isinstance(value, str) and (not value.endswith("%") or not text.isdecimal()):
            said = "a valid percent string must be a numeric string followed by an ending '%'"
            found.append((f"{path}.rollingUpdate.{field}", f'Invalid value: "{value}": {said}'))
        elif int(text) < 0:
            said = f"Invalid value: {value}: must be greater than or equal to 0"
            found.append((f"{path}.rollingUpdate.{field}", said))
        else:
            values[field] = int(text)
    if len(values) == 2 and not any(values.values()):
        said = "Invalid value: 0: may not be 0 when `maxSurge` is 0"
        found.append((f"{path}.rollingUpdate.maxUnavailable", said))
    return found


def _pods(value: Any, replicas: int, *, up: bool) -> int:
    if isinstance(value, int):
        return max(value, 0)
    text = str(value).removesuffix("%")
    share = int(text) * replicas if text.isdecimal() else 0
    return -(-share // 100) if up else share // 100
