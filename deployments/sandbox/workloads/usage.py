"""What running containers use: the numbers behind metrics.k8s.io and the autoscaler.

CPU follows the work of a pod's engine since the last sample, plus a load that somebody set: the pod annotation
`sandbox.slipway/cpu-load` (a quantity), or the engine's control path. Memory is what the process keeps, plus
`sandbox.slipway/memory-load`. Sampled as slowly as metrics-server samples.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from deployments.quantity import to_bytes, to_millicores
from deployments.sandbox.engines.engine_host import EngineHost
from deployments.sandbox.nodes.kubelet import Kubelet
from deployments.sandbox.settings import Settings

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

CPU_ANNOTATION = "sandbox.slipway/cpu-load"
MEMORY_ANNOTATION = "sandbox.slipway/memory-load"


class Usage:
    """Samples all running containers into `store.usage`."""

    def __init__(self, store: Store, settings: Settings, kubelet: Kubelet, engines: EngineHost) -> None:
        self._store = store
        self._settings = settings
        self._kubelet = kubelet
        self._engines = engines
        self._before: dict[str, tuple[datetime, float]] = {}
        self._due: datetime | None = None

    def step(self, now: datetime) -> datetime | None:
        """Take a sample if it is time; returns the time of the next one, None while nothing runs."""
        if self._due is not None and now < self._due:
            return self._due
        sampled: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
        before, self._before = self._before, {}
        for pod in self._store.list("pods"):
            meta = pod["metadata"]
            for name in self._kubelet.running(meta["uid"]):
                usage = self._sample(pod, name, before, now)
                sampled.setdefault((meta["namespace"], meta["name"]), {})[name] = usage
        self._store.usage.clear()
        self._store.usage.update(sampled)
        period = self._settings.real(self._settings.autoscaler_period_seconds)
        self._due = now + period if sampled else None
        return self._due

    def _sample(
        self, pod: Object, name: str, before: dict[str, tuple[datetime, float]], now: datetime
    ) -> dict[str, str]:
        settings, key = self._settings, f"{pod['metadata']['uid']}/{name}"
        busy = self._engines.busy_seconds(key)
        since, earlier = before.get(key, (now, busy))
        self._before[key] = (now, busy)
        elapsed = (now - since).total_seconds()
        requests = max(0.0, busy - earlier) / elapsed if elapsed > 0 else 0.0
        millicores, extra_bytes = self._engines.extra_load(key)
        annotations = pod["metadata"].get("annotations") or {}
        millicores += settings.idle_millicores + int(requests * settings.millicores_per_request)
        millicores += _read(annotations.get(CPU_ANNOTATION), to_millicores)
        size = self._kubelet.memory_bytes(pod["metadata"]["uid"], name) + extra_bytes
        size += _read(annotations.get(MEMORY_ANNOTATION), to_bytes)
        limits = next(each for each in pod["spec"]["containers"] if each["name"] == name).get("resources", {})
        limits = limits.get("limits") or {}
        # The kernel throttles at the CPU limit.
        if "cpu" in limits:
            millicores = min(millicores, to_millicores(str(limits["cpu"])))
        return {"cpu": f"{millicores}m", "memory": f"{size // 1024}Ki"}


def _read(text: str | None, convert: object) -> int:
    """An annotation's quantity; 0 for a missing or wrong one."""
    if not text or not callable(convert):
        return 0
    try:
        return int(convert(text))
    except ValueError:
        return 0
