"""Why a workload has fewer pods than it should: there is no pod to ask, only the controller's events. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from deployments.diagnosis.finding import Finding, Rank, brief, latest
from deployments.kube.decode import Event

_RUNTIME = re.compile(r'RuntimeClass(?:\.node\.k8s\.io)? "([^"]{1,253})" not found')
_PREFIX = re.compile(r"^(?:create Pod \S+ in StatefulSet \S+ failed error|Error creating): ")
_QUOTA = re.compile(r"exceeded quota: ([\w.-]+), requested: (.+?), used: (.+?), limited: (.+?)$")
#: A controller that fails tries again at ever longer intervals, of at most about a quarter of an hour.
FRESH = timedelta(minutes=20)


def find(events: Sequence[Event], asked_at: datetime, now: datetime) -> Finding | None:
    """Why the controller cannot make pods, from its events since the last change of the deployment."""
    failed = latest(events, "FailedCreate")
    if failed is None or failed.at is None:
        return None
    # Events tell whole seconds.
    if failed.at < asked_at - timedelta(seconds=1) or now - failed.at > FRESH:
        return None
    made = latest(events, "SuccessfulCreate")
    if made is not None and made.at is not None and made.at > failed.at:
        return None
    message = _PREFIX.sub("", failed.message or "")
    since = failed.first_timestamp or failed.at
    if quota := _QUOTA.search(message):
        name, requested, used, limited = (brief(part) for part in quota.groups())
        sentence = f"Quota {name} does not allow another replica: it asks for {requested}; {used} of {limited} is used."
        return Finding(Rank.REFUSED, "quota", sentence, "Raise the quota, or ask for less.", since)
    if missing := _RUNTIME.search(message):
        sentence = f"Runtime class {missing.group(1)} does not exist in the cluster."
        return Finding(
            Rank.REFUSED, "runtime", sentence, "Install the GPU runtime, or set no runtime class.", since
        )
    if "violates PodSecurity" in message:
        sentence = f"The namespace's pod security level refuses the replica: {_reason(message)}."
        remedy = "Use a namespace with the level that the engine needs."
        return Finding(Rank.REFUSED, "admission", sentence, remedy, since)
    if "denied the request" in message or "admission webhook" in message:
        sentence = f"A policy of the cluster refuses the replica: {_reason(message)}."
        remedy = "Change the deployment so that the policy allows it, or ask for an exception."
        return Finding(Rank.REFUSED, "admission", sentence, remedy, since)
    sentence = f"The cluster cannot make the replicas: {brief(message)}."
    return Finding(Rank.REFUSED, "create", sentence, "Look at the events of the workload.", since)


def _reason(message: str) -> str:
    return brief(re.split(r"denied the request: |is forbidden: ", message, maxsplit=1)[-1])
