"""The end of a dead container's log, fetched once per death: after the next one it is gone for good."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from deployments.kube.client import Cluster as Connection
from deployments.kube.decode import ContainerStatus, Pod
from deployments.kube.errors import KubeError, Retryable
from deployments.observing.records import Known, LastWords

logger = logging.getLogger(__name__)

MOST_PER_PASS = 10
LINES = 40
LONGEST_LINE = 500

_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class HasPods(Protocol):
    pods: list[Pod]


def fetch_last_words(
    connection: Connection, known: Sequence[Known], sights: Mapping[tuple[str, str], HasPods], now: datetime
) -> None:
    """Adds what newly dead containers said last to what is known; at most a few requests per pass.

    A log that cannot be read is not asked for again until the next death; one more than fits waits a pass.
    """
    budget = MOST_PER_PASS
    for one in known:
        sight = sights.get(one.key)
        for pod in sight.pods if sight else ():
            status = dead_container(pod)
            if status is None:
                continue
            run = f"{pod.metadata.uid}/{status.restart_count}"
            kept = one.last_words.get(pod.metadata.name)
            if kept is not None and kept.run == run:
                continue
            if budget == 0:
                return
            budget -= 1
            one.last_words[pod.metadata.name] = LastWords(run, _read(connection, pod, status))


def dead_container(pod: Pod) -> ContainerStatus | None:
    """The container that keeps a pod from being ready because its last run ended."""
    for status in pod.status.container_statuses or ():
        if status.ready or status.started:
            continue
        ended = (status.state.terminated if status.state else None) or (
            status.last_state.terminated if status.last_state else None
        )
        if ended is not None:
            return status
    return None


def _read(connection: Connection, pod: Pod, status: ContainerStatus) -> tuple[str, ...]:
    ended_now = status.state is not None and status.state.terminated is not None
    try:
        text = connection.logs(
            pod.metadata.namespace,
            pod.metadata.name,
            container=status.name,
            previous=not ended_now,
            tail_lines=LINES,
        )
    except Retryable:
        raise
    except KubeError as error:
        logger.info("%s: %s", pod.metadata.name, error.sentence)
        return ()
    return tuple(_CONTROL.sub("", line)[:LONGEST_LINE] for line in text.splitlines()[-LINES:])
