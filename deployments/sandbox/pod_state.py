"""A pod's state in one word, as kubectl's STATUS column has it."""

from __future__ import annotations

from typing import Any

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
