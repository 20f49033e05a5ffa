"""What a Deployment says of its rollout: counts, and the conditions Available, Progressing and ReplicaFailure.

Progress is judged against the status before, as upstream does: more new pods, fewer old ones, more ready or
available. Without any for `progressDeadlineSeconds` the condition says so, and nothing else happens.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from deployments.sandbox.clock import moment, stamp
from deployments.sandbox.workloads.rollout_math import fence

if TYPE_CHECKING:
    from deployments.sandbox.store import Object

_DONE, _LATE = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"


def judge(
    deployment: Object,
    new: Object | None,
    own: list[Object],
    now: datetime,
    patience: timedelta,
    refusal: str = "",
) -> tuple[dict[str, Any], datetime | None]:
    """(the status, when it must be looked at again). `refusal` is why the new ReplicaSet could not be made."""
    before = deployment.get("status") or {}
    status = _counted(deployment, new, own)
    conditions = {each["type"]: each for each in before.get("conditions") or []}
    spec = deployment["spec"]
    _surge, missing = fence(spec)
    enough = status.get("availableReplicas", 0) >= spec.get("replicas", 1) - missing
    fresh = [
        _condition(
            conditions,
            "Available",
            "True" if enough else "False",
            "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            f"Deployment {'has' if enough else 'does not have'} minimum availability.",
            now,
        )
    ]
    progressing, due = _progress(deployment, new, status, conditions, now, patience, refusal)
    fresh.append(progressing)
    failure = _failure(own)
    if failure:
        fresh.append(_condition(conditions, "ReplicaFailure", "True", "FailedCreate", failure, now))
    status["conditions"] = fresh
    return status, due


def is_complete(deployment: Object, status: dict[str, Any]) -> bool:
    """Whether the newest template runs everywhere and nothing else does."""
    wanted = deployment["spec"].get("replicas", 1)
    counts = ("updatedReplicas", "replicas", "availableReplicas")
    return all(status.get(field, 0) == wanted for field in counts)


def _counted(deployment: Object, new: Object | None, own: list[Object]) -> dict[str, Any]:
    def total(field: str, sets: list[Object]) -> int:
        return sum(int((each.get("status") or {}).get(field, 0)) for each in sets)

    counts = {
        "replicas": total("replicas", own),
        "updatedReplicas": total("replicas", [new] if new else []),
        "readyReplicas": total("readyReplicas", own),
        "availableReplicas": total("availableReplicas", own),
    }
    asked = sum(int(each["spec"].get("replicas", 1)) for each in own)
    counts["unavailableReplicas"] = max(0, asked - counts["availableReplicas"])
    status: dict[str, Any] = {"observedGeneration": deployment["metadata"].get("generation", 1)}
    return status | {field: count for field, count in counts.items() if count}


def _progress(
    deployment: Object,
    new: Object | None,
    status: dict[str, Any],
    conditions: dict[str, dict[str, Any]],
    now: datetime,
    patience: timedelta,
    refusal: str,
) -> tuple[dict[str, Any], datetime | None]:
    before = conditions.get("Progressing")
    name = (
        f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    )

    def say(value: str, reason: str, message: str) -> dict[str, Any]:
        return _condition(conditions, "Progressing", value, reason, message, now)

    if deployment["spec"].get("paused"):
        return say("Unknown", "DeploymentPaused", "Deployment is paused"), None
    if refusal:
        return say("False", "ReplicaSetCreateError", refusal), None
    same_generation = status["observedGeneration"] == (deployment.get("status") or {}).get(
        "observedGeneration"
    )
    if is_complete(deployment, status):
        return say("True", _DONE, f"{name} has successfully progressed."), None
    if before is not None and before["reason"] == _DONE and same_generation:
        # It was complete: pods that come and go later are no rollout.
        return before, None
    if before is None or not same_generation or _moved(deployment.get("status") or {}, status):
        fresh = say("True", "ReplicaSetUpdated", f"{name} is progressing.")
        fresh["lastUpdateTime"] = stamp(now)
        return fresh, now + patience
    if before["reason"] == _LATE:
        return before, None
    due = moment(before["lastUpdateTime"]) + patience
    if due <= now:
        return say("False", _LATE, f"{name} has timed out progressing."), None
    return before, due


def _moved(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether anything has become better: new pods, fewer old pods, more ready or available ones."""
    old_before, old_after = (
        each.get("replicas", 0) - each.get("updatedReplicas", 0) for each in (before, after)
    )
    better = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old_after < old_before or any(after.get(field, 0) > before.get(field, 0) for field in better)


def _failure(own: list[Object]) -> str:
    for each in own:
        for condition in (each.get("status") or {}).get("conditions") or []:
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                return str(condition["message"])
    return ""


def _condition(
    before: dict[str, dict[str, Any]], kind: str, value: str, reason: str, message: str, now: datetime
) -> dict[str, Any]:
    """A condition whose times move only when it changes."""
    known = before.get(kind)
    if known and (known["status"], known["reason"], known["message"]) == (value, reason, message):
        return dict(known)
    same = known is not None and known["status"] == value
    return {
        "type": kind,
        "status": value,
        "reason": reason,
        "message": message,
        "lastUpdateTime": stamp(now),
        "lastTransitionTime": known["lastTransitionTime"] if known and same else stamp(now),
    }
