"""The status of a pod as the kubelet reports it: conditions, container states, quality of service.

Pure functions that build or change plain dicts; when they are called is the kubelet's business.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from deployments.sandbox.clock import stamp


def set_condition(
    status: dict[str, Any], kind: str, value: bool, now: datetime, reason: str = "", message: str = ""
) -> None:
    """Write one condition in place; its transition time moves only when its value changes."""
    conditions = status.setdefault("conditions", [])
    word = "True" if value else "False"
    before = next((each for each in conditions if each["type"] == kind), None)
    changed = before is None or before["status"] != word
    fresh = {
        "type": kind,
        "status": word,
        "lastProbeTime": None,
        "lastTransitionTime": stamp(now) if changed or before is None else before["lastTransitionTime"],
    }
    if reason:
        fresh["reason"] = reason
    if message:
        fresh["message"] = message
    if before is None:
        conditions.append(fresh)
    else:
        conditions[conditions.index(before)] = fresh


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """A container that has not started, and why."""
    return {"waiting": {"reason": reason, "message": message} if message else {"reason": reason}}


def running(since: datetime) -> dict[str, Any]:
    """A container that runs."""
    return {"running": {"startedAt": stamp(since)}}


def terminated(
    exit_code: int, reason: str, started: datetime, finished: datetime, container_id: str, message: str = ""
) -> dict[str, Any]:
    """A container that has ended; `message` is its last words."""
    ended: dict[str, Any] = {
        "exitCode": exit_code,
        "reason": reason,
        "startedAt": stamp(started),
        "finishedAt": stamp(finished),
        "containerID": container_id,
    }
    if message:
        ended["message"] = message
    return {"terminated": ended}


def set_readiness(status: dict[str, Any], unready: list[str], initialised: bool, now: datetime) -> None:
    """The four conditions that the kubelet owns; `unready` names the containers that are not ready."""
    set_condition(status, "PodReadyToStartContainers", initialised, now)
    set_condition(status, "Initialized", True, now)
    reason = "ContainersNotReady" if unready else ""
    message = f"containers with unready status: [{' '.join(unready)}]" if unready else ""
    set_condition(status, "ContainersReady", not unready, now, reason, message)
    set_condition(status, "Ready", not unready, now, reason, message)


def quality_of_service(spec: dict[str, Any]) -> str:
    """Guaranteed, Burstable or BestEffort, from CPU and memory of every container."""
    resources = [container.get("resources") or {} for container in spec.get("containers") or []]
    named = [(each.get("requests") or {}, each.get("limits") or {}) for each in resources]
    if not any(
        name in requests or name in limits for requests, limits in named for name in ("cpu", "memory")
    ):
        return "BestEffort"
    for requests, limits in named:
        for name in ("cpu", "memory"):
            if name not in limits or requests.get(name, limits[name]) != limits[name]:
                return "Burstable"
    return "Guaranteed"
