"""Container logs: the whole, the tail, the run before, and what comes while one looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from deployments.sandbox.api.errors import ApiError, not_found
from deployments.sandbox.clock import stamp
from deployments.sandbox.store import Object, Store

_LOOK_SECONDS = 0.3


def choose_container(pod: Object, asked: str) -> str:
    """The container that is meant. Raises ApiError 400 if that is not clear."""
    name = pod["metadata"]["name"]
    containers = [container["name"] for container in pod["spec"].get("containers") or []]
    initial = [container["name"] for container in pod["spec"].get("initContainers") or []]
    if asked:
        if asked not in containers + initial:
            raise ApiError(400, f"container {asked} is not valid for pod {name}")
        return asked
    if len(containers) != 1:
        listed = " ".join(containers)
        raise ApiError(400, f"a container name must be specified for pod {name}, choose one of: [{listed}]")
    return str(containers[0])


def read(store: Store, namespace: str, name: str, query: dict[str, str]) -> bytes:
    """The log as text. Raises ApiError 404 without the pod, 400 for a container that has not started."""
    pod = store.get("pods", namespace, name)
    if pod is None:
        raise not_found("pods", name)
    container = choose_container(pod, query.get("container", ""))
    previous = query.get("previous") == "true"
    lines = store.logs.lines(namespace, name, container, previous)
    state = _status(pod, container)
    if previous and not lines and not (state.get("lastState") or {}).get("terminated"):
        raise ApiError(400, f'previous terminated container "{container}" in pod "{name}" not found')
    if not previous and not lines:
        waiting = (state.get("state") or {}).get("waiting")
        if not pod["spec"].get("nodeName"):
            raise ApiError(400, f"pod {name} does not have a host assigned")
        if waiting and not state.get("restartCount"):
            reason = waiting.get("reason", "ContainerCreating")
            raise ApiError(400, f'container "{container}" in pod "{name}" is waiting to start: {reason}')
        if waiting:
            lines = store.logs.lines(namespace, name, container, previous=True)
    return _text(store, _cut(lines, query), query)


async def follow(
    store: Store, namespace: str, name: str, query: dict[str, str], stopping: asyncio.Event
) -> AsyncIterator[bytes]:
    """The log and everything that is added, until the pod is gone or the server stops."""
    yield read(store, namespace, name, query)
    pod = store.get("pods", namespace, name)
    container = choose_container(pod, query.get("container", "")) if pod else ""
    _lines, position = store.logs.since(namespace, name, container, 0)
    while not stopping.is_set() and store.get("pods", namespace, name) is not None:
        await asyncio.sleep(_LOOK_SECONDS)
        fresh, position = store.logs.since(namespace, name, container, position)
        if fresh:
            yield _text(store, fresh, query)


def _status(pod: Object, container: str) -> Object:
    status = pod.get("status") or {}
    known = [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]
    return next((each for each in known if each.get("name") == container), {})


def _cut(lines: list[str], query: dict[str, str]) -> list[str]:
    tail = query.get("tailLines")
    if tail:
        if not tail.isdigit():
            raise ApiError(422, "tailLines: Invalid value: must be greater than or equal to 0")
        lines = lines[-int(tail) :] if int(tail) else []
    return lines


def _text(store: Store, lines: list[str], query: dict[str, str]) -> bytes:
    if query.get("timestamps") == "true":
        # The log book keeps no times; the moment of reading stands for them.
        now = stamp(store.now())
        lines = [f"{now} {line}" for line in lines]
    content = "".join(f"{line}\n" for line in lines).encode()
    limit = query.get("limitBytes", "")
    return content[: int(limit)] if limit.isdigit() else content
