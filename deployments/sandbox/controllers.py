"""All controllers of the sandbox cluster in one object: the part that moves.

`tick` is one deterministic step at the time that `now()` gives: every controller does what is due, again and
again until nothing changes any more. `run` calls it when something was written or is due, at most five times a
second, and otherwise sleeps, so an idle cluster costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from deployments.sandbox.clock import earliest
from deployments.sandbox.engines.engine_host import EngineHost
from deployments.sandbox.engines.hosting import Engines
from deployments.sandbox.nodes.kubelet import Kubelet
from deployments.sandbox.operators.dynamo_operator import DynamoOperator
from deployments.sandbox.operators.keda import Keda
from deployments.sandbox.operators.nim_operator import NimOperator
from deployments.sandbox.operators.prometheus import Prometheus
from deployments.sandbox.seeds import seed
from deployments.sandbox.settings import Settings
from deployments.sandbox.workloads.autoscaler import Autoscaler
from deployments.sandbox.workloads.deployments import Deployments
from deployments.sandbox.workloads.ephemeral import EphemeralVolumes
from deployments.sandbox.workloads.replicasets import ReplicaSets
from deployments.sandbox.workloads.routes import Routes
from deployments.sandbox.workloads.scheduler import Scheduler
from deployments.sandbox.workloads.statefulsets import StatefulSets
from deployments.sandbox.workloads.usage import Usage
from deployments.sandbox.workloads.volumes import Volumes

if TYPE_CHECKING:
    from deployments.sandbox.store import Store

TICK_SECONDS = 0.2
# A round that changes something is followed by another; more than this many in one tick would be a controller that
# argues with itself, and the next tick may have it.
_ROUNDS = 12
_AFTER_FAILURE_SECONDS = 5
_log = logging.getLogger(__name__)


class Controllers:
    """Seeds the store's basic objects and keeps everything else moving."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        now: Callable[[], datetime],
        engines: EngineHost | None = None,
    ) -> None:
        self._store = store
        self._now = now
        self.engines: EngineHost = engines if engines is not None else Engines()
        kubelet = Kubelet(store, settings, self.engines)
        keda = Keda(store, settings, Prometheus(store, kubelet, self.engines))
        self._steps: tuple[Callable[[datetime], datetime | None], ...] = (
            *((NimOperator(store, settings).step,) if settings.nim_operator else ()),
            *((DynamoOperator(store, settings).step,) if settings.dynamo else ()),
            StatefulSets(store, settings).step,
            Deployments(store, settings).step,
            ReplicaSets(store, settings).step,
            EphemeralVolumes(store).step,
            Volumes(store).step,
            Scheduler(store).step,
            kubelet.step,
            Usage(store, settings, kubelet, self.engines).step,
            *((keda.step,) if settings.keda else ()),
            Autoscaler(store, settings, keda.value if settings.keda else None).step,
            Routes(store).step,
        )
        self._wake = asyncio.Event()
        self._seen = -1
        self.due: datetime | None = None
        seed(store, settings, now())

    def tick(self) -> None:
        """One step at the present time; `due` says afterwards when the next one is needed (None: after a write)."""
        now = self._now()
        for _round in range(_ROUNDS):
            self._seen = self._store.revision
            self.due = earliest([step(now) for step in self._steps])
            if self._store.revision == self._seen:
                return
        self.due = now

    async def run(self) -> None:
        """Tick whenever there is something to do, until cancelled; then close the engines."""
        end = self._store.subscribe(self._wake.set)
        if isinstance(self.engines, Engines):
            self.engines.begin(self._wake.set)
        try:
            while True:
                self._guarded_tick()
                # Its own writes were seen by its last round; only what comes later shall wake it.
                self._wake.clear()
                await asyncio.sleep(TICK_SECONDS)
                await self._rest()
        finally:
            end()
            if isinstance(self.engines, Engines):
                self.engines.close_all()

    def _guarded_tick(self) -> None:
        """A tick that survives an object which a controller cannot digest: the rest of the cluster goes on later."""
        try:
            self.tick()
        except Exception:
            _log.exception("A controller failed; the next tick is in %s seconds.", _AFTER_FAILURE_SECONDS)
            self._seen = self._store.revision
            self.due = self._now() + timedelta(seconds=_AFTER_FAILURE_SECONDS)

    async def _rest(self) -> None:
        """Sleep until something is due or was written since the last tick."""
        if self._store.revision != self._seen or self._wake.is_set():
            return
        wait = None if self.due is None else max(0.0, (self.due - self._now()).total_seconds())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), wait)
