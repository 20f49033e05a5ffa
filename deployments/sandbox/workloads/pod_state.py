"""What a pod's status says: to the controllers that own it, and in one word, as kubectl's STATUS column has it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from deployments.sandbox.clock import moment

Object = dict[str, Any]


def ready(pod: Object) -> str:
    """Ready containers of all: `1/2`."""
    statuses = pod.get("status", {}).get("containerStatuses") or []
    return (
        f"{sum(bool(status.get('ready')) for status in statuses)}/{len(pod['spec'].get('containers') or [])}"
    )


def told(pod: Object) -> str:
    """The word that says most: why a container waits or ended, else the phase."""
    status = pod.get("status", {})
    word = str(status.get("reason") or status.get("phase") or "Unknown")
    for index, container in enumerate(status.get("initContainerStatuses") or []):
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting")
        if ended and ended.get("exitCode") == 0:
            continue
        if ended:
            word = f"Init:{ended.get('reason') or 'ExitCode:' + str(ended.get('exitCode'))}"
        elif waiting and waiting.get("reason") not in (None, "PodInitializing"):
            word = f"Init:{waiting['reason']}"
        else:
            word = f"Init:{index}/{len(pod['spec'].get('initContainers') or [])}"
        break
    else:
        word = _from_containers(status, word)
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return word


def _from_containers(status: Object, word: str) -> str:
    running = False
    for container in reversed(status.get("containerStatuses") or []):
        state = container.get("state") or {}
        waiting, ended = state.get("waiting"), state.get("terminated")
        if waiting and waiting.get("reason"):
            word = waiting["reason"]
        elif ended:
            word = ended.get("reason") or f"ExitCode:{ended.get('exitCode')}"
        elif container.get("ready") and state.get("running"):
            running = True
    return "Running" if word == "Completed" and running else word


def controller_of(obj: Object) -> str | None:
    """The uid of the object that controls this one; None for an orphan."""
    for owner in obj["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            return str(owner["uid"])
    return None


def version(obj: Object) -> str:
    """The resourceVersion, by which a controller sees that an object changed."""
    return str(obj["metadata"]["resourceVersion"])


def phase(pod: Object) -> str:
    """Pending, Running, Succeeded, Failed, or nothing yet."""
    return str((pod.get("status") or {}).get("phase", ""))


def terminating(obj: Object) -> bool:
    """Whether somebody has deleted it and it is not gone yet."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def ready_since(pod: Object) -> datetime | None:
    """When a running pod became ready; None while it is not."""
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] == "True" and phase(pod) == "Running":
            return moment(condition["lastTransitionTime"])
    return None


def healthy(pod: Object) -> bool:
    """Ready, and not on its way out."""
    return ready_since(pod) is not None and not terminating(pod)
