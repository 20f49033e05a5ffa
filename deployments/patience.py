"""A connection that tries again by itself what fails for a moment.

A write that meets a conflict, a busy server or one of its faults is sent again at once, a few times and within a few
seconds: reading everything anew for each of them would cost the cluster ten times as much. Everything that we send
is idempotent. What takes longer goes back to the caller, who comes back later; so does silence, since whoever does
not answer is not to be asked more often.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from deployments.kube.client import Cluster as Connection
from deployments.kube.errors import Conflict, Retryable, Unreachable
from deployments.kube.kinds import Kind
from deployments.naming import FIELD_MANAGER

T = TypeVar("T")

#: Seconds that one holder waits in all; a worker has other work.
PATIENCE = 5.0
FIRST_WAIT = 0.03
#: Times that one request is sent again after a conflict, and after any other passing failure.
MOST_CONFLICTS, MOST_FAULTS = 5, 2

sleep = time.sleep


class PatientConnection:
    """Requests on behalf of one deployment; `hold` is called before each, and may raise to end the work."""

    def __init__(self, connection: Connection, hold: Callable[[], None]) -> None:
        self._connection, self._hold = connection, hold
        self._left = PATIENCE

    def list(self, kind: Kind, *, namespace: str | None = None, labels: str | None = None) -> tuple[Any, ...]:
        return self._try(
            lambda: self._connection.list(kind, dict[str, Any], namespace=namespace, labels=labels)
        )

    def get(self, kind: Kind, namespace: str | None, name: str) -> dict[str, Any] | None:
        return self._try(lambda: self._connection.get(kind, namespace, name))

    def apply(self, object: dict[str, Any], *, manager: str = FIELD_MANAGER) -> None:
        self._try(lambda: self._connection.apply(object, manager=manager))

    def delete(self, kind: Kind, namespace: str, name: str, *, uid: str, propagation: str) -> None:
        def send() -> bool:
            return self._connection.delete(kind, namespace, name, uid=uid, propagation=propagation)

        if uid:
            # A conflict means that the name stands for another object now: that is for the next look to judge.
            self._try(send, conflicts=0)
        else:
            self._try(send)

    def _try(self, send: Callable[[], T], conflicts: int = MOST_CONFLICTS) -> T:
        left = {True: conflicts, False: MOST_FAULTS}
        while True:
            self._hold()
            try:
                return send()
            except Unreachable:
                raise
            except Retryable as error:
                kind = isinstance(error, Conflict)
                if not left[kind]:
                    raise
                left[kind] -= 1
                self._wait(error, sum(left.values()))

    def _wait(self, error: Retryable, left: int) -> None:
        """The fewer tries are left, the longer. Raises the error again when the wait would be too long."""
        tried = MOST_CONFLICTS + MOST_FAULTS - left
        wait = FIRST_WAIT * 2 ** min(tried, 3) * random.uniform(0.5, 1.5)  # noqa: S311 - spreads requests, no secret
        if error.retry_after is not None:
            wait = max(wait, error.retry_after)
        if wait > self._left:
            raise error
        self._left -= wait
        sleep(wait)
