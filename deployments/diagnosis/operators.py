"""What the operator of a workload says, and what its silence means; told when no pod tells more. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from deployments.diagnosis.finding import Finding, Rank, brief
from deployments.workload import Workload

#: An operator looks at what is written within seconds; one that restarts takes a minute or two.
ACTS_WITHIN = timedelta(minutes=2)
#: A complaint that is older than the last change may be about what was there before.
GRACE = timedelta(seconds=20)
#: Pods are ready a moment before their operator has noticed.
NOTICES_WITHIN = timedelta(minutes=1)


def find(
    workload: Workload | None,
    *,
    idle_since: datetime | None,
    asked_at: datetime,
    pods_ready: datetime | None,
    now: datetime,
) -> Finding | None:
    """Why the workload is not what is wanted although its pods do not say so.

    `pods_ready`: since when all pods that are wanted are ready; None while one is missing. It fails where the operator
    says so, where it does not act, and where it is not content with pods that are all ready; while pods are on their
    way, an operator that waits for them says nothing new.
    """
    if workload is None or not workload.operator:
        return None
    if workload.is_final:
        told = brief(workload.problem) or "it gives no reason"
        sentence = f"The {workload.operator} reports a failure: {told}."
        since = max(filter(None, (workload.problem_since, asked_at)))
        return Finding(Rank.OPERATOR, "operator-failed", sentence, _read(workload), since, GRACE)
    if idle_since is not None and now - idle_since >= ACTS_WITHIN:
        return Finding(
            Rank.OPERATOR, "operator-idle", idle(workload, idle_since), look_at(workload), idle_since
        )
    if not workload.is_ready and pods_ready is not None:
        told = f": {brief(workload.problem)}" if workload.problem else ""
        sentence = f"All replicas are ready, but the {workload.operator} does not say so{told}."
        since = max(filter(None, (workload.problem_since, pods_ready)))
        return Finding(Rank.OPERATOR, "operator-not-ready", sentence, _read(workload), since, NOTICES_WITHIN)
    return None


def silent(workload: Workload | None, now: datetime) -> Finding | None:
    """Why no pod is made although the operator has seen the workload: only its own words tell."""
    if workload is None or not workload.operator or not workload.problem:
        return None
    since = workload.problem_since
    if since is None or now - since < GRACE:
        return None
    sentence = f"The {workload.operator} makes no replicas: {brief(workload.problem)}."
    return Finding(Rank.OPERATOR, "operator-makes-none", sentence, _read(workload), since, ACTS_WITHIN)


def idle(workload: Workload, since: datetime) -> str:
    return f"The {workload.operator} has not acted on it since {since:%H:%M} UTC."


def look_at(workload: Workload) -> str:
    return f"Look at the pods of the {workload.operator} in the cluster: it may not run, or may lack rights."


def _read(workload: Workload) -> str:
    return f"Look at the {workload.kind} {workload.metadata.name}, and at the log of the {workload.operator}."
