"""The kubelet of every node: takes pods that were bound to a node through their life and reports it in their
status.

A pod waits for its volumes, then its containers live on their own (`containers.py`). When it is deleted, preStop
runs first while the engine still answers, then the process gets its signal, and the pod vanishes when it has
ended or when its grace is over. Init containers are taken as done at once; the engines that this console deploys
have none that matter here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from deployments.naming import ENGINE_ANNOTATION
from deployments.sandbox.clock import earliest, stamp
from deployments.sandbox.engines.engine_host import EngineHost
from deployments.sandbox.garbage import claims_of
from deployments.sandbox.nodes import podstatus
from deployments.sandbox.nodes.containers import Container, Machinery
from deployments.sandbox.nodes.environment import missing_volume_source
from deployments.sandbox.nodes.images import Images
from deployments.sandbox.settings import Settings

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

_ADDRESS = "127.0.0.1"
_MOUNT_SECONDS, _MOUNT_RETRY_SECONDS = 0.5, 10.0
# Real seconds between two looks at an engine that is draining.
_DRAIN_LOOK_SECONDS = 0.2
_MANAGER = "kubelet"


@dataclass(slots=True)
class _Run:
    """What the kubelet remembers of one pod."""

    containers: list[Container]
    version: str = ""
    due: datetime | None = None
    mounted_at: datetime | None = None
    # Once the pod is being deleted: when preStop ends, when patience ends, whether the signal was sent.
    signal_at: datetime | None = None
    kill_at: datetime | None = None
    signalled: bool = False
    messages: set[str] = field(default_factory=set)


class Kubelet:
    """All nodes' kubelets in one object."""

    def __init__(self, store: Store, settings: Settings, engines: EngineHost) -> None:
        self._store = store
        self._settings = settings
        self._engines = engines
        self._all = Machinery(store, settings, engines, Images(store, settings), {})
        self._runs: dict[str, _Run] = {}

    def step(self, now: datetime) -> datetime | None:
        """Move every pod that changed or is due; returns when the next one is."""
        failed = self._engines.take_failed()
        alive = set()
        for pod in self._store.list("pods"):
            uid = pod["metadata"]["uid"]
            alive.add(uid)
            if not pod["spec"].get("nodeName"):
                continue
            run = self._runs.get(uid)
            if run is None:
                run = self._runs[uid] = self._admit(pod, now)
            for container in run.containers:
                if container.key in failed:
                    container.die(pod, now)
                    run.version = ""
            if run.version != pod["metadata"]["resourceVersion"] or (run.due is not None and run.due <= now):
                self._move(pod, run, now)
        for uid in self._runs.keys() - alive:
            for container in self._runs.pop(uid).containers:
                container.close()
        return earliest(run.due for run in self._runs.values())

    def memory_bytes(self, uid: str, container: str) -> int:
        """What a running container keeps in host memory; 0 when it does not run."""
        for each in self._running(uid):
            if each.name == container and each.boot is not None:
                return each.boot.memory_bytes
        return 0

    def running(self, uid: str) -> list[str]:
        """Names of a pod's running containers."""
        return [each.name for each in self._running(uid)]

    def _running(self, uid: str) -> list[Container]:
        run = self._runs.get(uid)
        return [each for each in run.containers if "running" in each.state] if run else []

    def _admit(self, pod: Object, now: datetime) -> _Run:
        """Take a pod that was just bound, or one from before a restart of the sandbox."""
        run = _Run([Container(self._all, pod, spec) for spec in pod["spec"].get("containers") or []])
        reported = {each["name"]: each for each in (pod.get("status") or {}).get("containerStatuses") or []}
        for container in run.containers:
            if container.name in reported:
                container.resume(reported[container.name], pod, now)
                run.mounted_at = now
        return run

    def _move(self, pod: Object, run: _Run, now: datetime) -> None:
        if pod["metadata"].get("deletionTimestamp"):
            self._end(pod, run, now)
            return
        run.due = self._mount(pod, run, now)
        if run.mounted_at is not None and run.mounted_at <= now:
            run.due = earliest(container.step(pod, now) for container in run.containers)
        self._report(pod, run, now)

    def _mount(self, pod: Object, run: _Run, now: datetime) -> datetime | None:
        """Wait for the volumes; returns when to look again, or when the containers may start."""
        if run.mounted_at is not None:
            return run.mounted_at
        problem = missing_volume_source(self._store, pod)
        if problem:
            if problem not in run.messages:
                run.messages.add(problem)
                self._store.record_event(pod, "Warning", "FailedMount", problem, source="kubelet")
            return now + self._settings.real(_MOUNT_RETRY_SECONDS)
        namespace = pod["metadata"]["namespace"]
        for name in claims_of(pod):
            claim = self._store.get("persistentvolumeclaims", namespace, name)
            if claim is None or (claim.get("status") or {}).get("phase") != "Bound":
                return now + self._settings.real(1.0)
        run.mounted_at = now + self._settings.real(_MOUNT_SECONDS)
        return run.mounted_at

    def _report(self, pod: Object, run: _Run, now: datetime) -> None:
        """Write the pod's status and the address of its engine, if they changed."""
        place = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        statuses = [container.status() for container in run.containers]
        unready = [each["name"] for each in statuses if not each["ready"]]

        def write(live: Object) -> None:
            status = live.setdefault("status", {})
            status["phase"] = _phase(pod, statuses)
            status["qosClass"] = podstatus.quality_of_service(pod["spec"])
            status["hostIP"], status["hostIPs"] = _ADDRESS, [{"ip": _ADDRESS}]
            status.setdefault("startTime", stamp(now))
            if run.mounted_at is not None and run.mounted_at <= now:
                status["podIP"], status["podIPs"] = _ADDRESS, [{"ip": _ADDRESS}]
            status["containerStatuses"] = statuses
            podstatus.set_readiness(status, unready, "podIP" in status, now)

        url = next((container.engine_url for container in run.containers if container.engine_url), "")
        if (pod["metadata"].get("annotations") or {}).get(ENGINE_ANNOTATION, "") != url:
            self._store.update("pods", *place, lambda live: _annotate(live, url), manager=_MANAGER)
        written = self._store.update_status("pods", *place, write)
        run.version = written["metadata"]["resourceVersion"] if written else ""

    def _end(self, pod: Object, run: _Run, now: datetime) -> None:
        """Terminate a pod with its grace; a pod of which nothing runs goes at once."""
        meta = pod["metadata"]
        if run.signal_at is None:
            self._begin_end(pod, run, now)
        if run.signal_at is not None and run.signal_at <= now and not run.signalled:
            run.signalled = True
            for container in self._running(meta["uid"]):
                config = container.boot.config if container.boot else None
                container.signal(config.shutdown_seconds if config else 0.0)
        over = run.kill_at is not None and run.kill_at <= now
        if over or (run.signalled and all(container.gone() for container in run.containers)):
            for container in run.containers:
                container.close()
            del self._runs[meta["uid"]]
            self._store.finish_pod(meta["namespace"], meta["name"])
            return
        if run.signalled:
            run.due = min(
                now + self._settings.real(_DRAIN_LOOK_SECONDS * self._settings.speed), run.kill_at or now
            )
        else:
            run.due = min(run.signal_at or now, run.kill_at or now)
        run.version = meta["resourceVersion"]

    def _begin_end(self, pod: Object, run: _Run, now: datetime) -> None:
        meta, running = pod["metadata"], self._running(pod["metadata"]["uid"])
        for container in running:
            message = f"Stopping container {container.name}"
            self._store.record_event(pod, "Normal", "Killing", message, source="kubelet")
        grace = meta.get("deletionGracePeriodSeconds")
        wait = max((_pre_stop_seconds(container.spec) for container in running), default=0.0)
        run.signal_at = now + self._settings.real(wait)
        run.kill_at = now + self._settings.real(float(30 if grace is None else grace))


def _annotate(pod: dict[str, Any], url: str) -> None:
    annotations = pod["metadata"].setdefault("annotations", {})
    if url:
        annotations[ENGINE_ANNOTATION] = url
    else:
        annotations.pop(ENGINE_ANNOTATION, None)


def _pre_stop_seconds(container: dict[str, Any]) -> float:
    """How long a container's preStop hook takes: a sleep, in either of its two forms; anything else takes no time."""
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    if "sleep" in hook:
        return float(hook["sleep"].get("seconds", 0))
    command = (hook.get("exec") or {}).get("command") or []
    for before, word in pairwise(command):
        if before.rsplit("/", 1)[-1] == "sleep" and word.replace(".", "", 1).isdecimal():
            return float(word)
    return 0.0


def _phase(pod: Object, statuses: list[dict[str, Any]]) -> str:
    ended = [status["state"]["terminated"] for status in statuses if "terminated" in status["state"]]
    if len(ended) == len(statuses) and pod["spec"].get("restartPolicy", "Always") != "Always" and ended:
        return "Failed" if any(each["exitCode"] for each in ended) else "Succeeded"
    begun = any(status["containerID"] for status in statuses)
    return "Running" if begun and all(status["containerID"] for status in statuses) else "Pending"
