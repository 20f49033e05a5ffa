"""One container of one pod, from its image to its last exit: the state machine of the kubelet.

    waiting -> pulling -> (pull back-off) -> creating -> running -> ended -> (crash back-off) -> creating …

`step` moves it as far as the time allows and says when it wants to be called again. It writes events and log
lines at once; its status is read by the kubelet, which writes it into the pod.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.sandbox.clock import earliest, go_duration, moment
from deployments.sandbox.engines.boot import Boot
from deployments.sandbox.engines.engine_host import EngineHost
from deployments.sandbox.nodes import podstatus
from deployments.sandbox.nodes.environment import ConfigError
from deployments.sandbox.nodes.images import Images, Transfer
from deployments.sandbox.nodes.launch import launch
from deployments.sandbox.nodes.probes import LIVENESS, READINESS, STARTUP, Probe, ask, make_probe
from deployments.sandbox.nodes.registry import Image, parse_image
from deployments.sandbox.settings import Settings

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

_FIRST_BACK_OFF, _LAST_BACK_OFF = 10.0, 300.0
_FORGIVEN_AFTER = 600.0
_CREATE_SECONDS, _ENDED_SECONDS, _CONFIG_RETRY_SECONDS = 0.3, 1.0, 5.0
_LAST_WORDS_BYTES, _LAST_WORDS_LINES = 2_048, 80


@dataclass(slots=True)
class Machinery:
    """What every container of the cluster shares."""

    store: Store
    settings: Settings
    engines: EngineHost
    images: Images
    # Models on a claim's volume, by the claim's uid.
    cached: dict[str, set[str]]


class Container:
    """The life of one container, restarts included."""

    def __init__(self, machinery: Machinery, pod: Object, spec: dict[str, Any]) -> None:
        self._all = machinery
        self.spec = spec
        self.name: str = spec["name"]
        self.state: dict[str, Any] = podstatus.waiting("ContainerCreating")
        self.last_state: dict[str, Any] = {}
        self.ready = self.started = False
        self.restarts = 0
        self.boot: Boot | None = None
        self.engine_url = ""
        self.key = f"{pod['metadata']['uid']}/{self.name}"
        self._image = parse_image(spec.get("image") or "")
        self._do: Callable[[Object, datetime], None] = self._check_image
        self._until: datetime | None = None
        self._transfer: Transfer | None = None
        self._pull_failures = self._crashes = 0
        self._started_at: datetime | None = None
        self._printed = 0
        self._serving = False
        self._id = ""
        self._probes: list[Probe] = []

    def step(self, pod: Object, now: datetime) -> datetime | None:
        """Do everything that is due; returns when the next thing is."""
        while self._until is None or self._until <= now:
            self._until = None
            doing = self._do
            doing(pod, now)
            if self._until is None and self._do == doing:
                return None
        return self._until

    def resume(self, status: dict[str, Any], pod: Object, now: datetime) -> None:
        """Take over a container that ran before the sandbox was restarted: it goes on as if nothing had been."""
        self.restarts = int(status.get("restartCount", 0))
        self.last_state = status.get("lastState") or {}
        running = (status.get("state") or {}).get("running")
        if not running or self._image is None:
            return
        try:
            self.boot = launch(
                self._all.store, self._all.settings, pod, self.spec, self._image, self._all.cached
            )
        except ConfigError:
            return
        self._begin(pod, moment(running["startedAt"]), self.boot)
        self._printed = sum(line.offset <= self._elapsed(now) for line in self.boot.lines)

    def status(self) -> dict[str, Any]:
        """The entry of containerStatuses."""
        image = self._image
        return {
            "name": self.name,
            "image": self.spec.get("image", ""),
            "imageID": f"{image.name.split('@')[0]}@sha256:{uuid.uuid5(uuid.NAMESPACE_URL, image.name).hex * 2}"
            if image and self._id
            else "",
            "containerID": self._id,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }

    def signal(self, drain_seconds: float) -> None:
        """SIGTERM to the process."""
        self._all.engines.stop(self.key, drain_seconds)

    def gone(self) -> bool:
        """Whether the process has ended after `signal`."""
        return self._all.engines.stopped(self.key)

    def close(self) -> None:
        """End the process now, whatever it does."""
        self._all.engines.close(self.key)

    def die(self, pod: Object, now: datetime) -> None:
        """The engine ended by itself, for a reason outside of its script."""
        if self.boot is not None and self._started_at is not None and "running" in self.state:
            self._log(pod, "(APIServer pid=1) ERROR EngineDeadError: EngineCore encountered an issue.")
            self._exit(pod, now, 1, "Error")

    # Image

    def _check_image(self, pod: Object, now: datetime) -> None:
        policy, text = self.spec.get("imagePullPolicy", "IfNotPresent"), self.spec.get("image", "")
        if self._image is None:
            parse = f'couldn\'t parse image name "{text}": invalid reference format'
            message = f'Failed to apply default image tag "{text}": {parse}'
            self._wait_for(
                self._check_image, now, _LAST_BACK_OFF, podstatus.waiting("InvalidImageName", message)
            )
            self._event(pod, "Warning", "InspectFailed", message)
        elif self._all.images.present(pod["spec"]["nodeName"], self._image) and policy != "Always":
            self._event(pod, "Normal", "Pulled", f'Container image "{text}" already present on machine')
            self._create_soon(now)
        elif policy == "Never":
            message = f'Container image "{text}" is not present with pull policy of Never'
            self._wait_for(
                self._check_image, now, _FIRST_BACK_OFF, podstatus.waiting("ErrImageNeverPull", message)
            )
            self._event(pod, "Warning", "ErrImageNeverPull", message)
        else:
            self._event(pod, "Normal", "Pulling", f'Pulling image "{text}"')
            self._transfer = self._all.images.start(pod, self._image, now)
            if self._pull_failures == 0:
                self.state = podstatus.waiting("ContainerCreating")
            self._do, self._until = self._end_pull, self._transfer.until

    def _end_pull(self, pod: Object, now: datetime) -> None:
        transfer, text = self._transfer, self.spec["image"]
        if transfer is None or self._image is None:
            return
        if transfer.error:
            self._pull_failures += 1
            self.state = podstatus.waiting("ErrImagePull", transfer.error)
            self._event(pod, "Warning", "Failed", f'Failed to pull image "{text}": {transfer.error}')
            self._event(pod, "Warning", "Failed", "Error: ErrImagePull")
            self._do, self._until = self._back_off_pull, now + self._all.settings.real(_ENDED_SECONDS)
            return
        self._all.images.finish(pod["spec"]["nodeName"], self._image, transfer.size)
        took = go_duration(transfer.seconds)
        told = f'Successfully pulled image "{text}" in {took} ({took} including waiting).'
        told += f" Image size: {transfer.size} bytes."
        self._event(pod, "Normal", "Pulled", told)
        self._create_soon(now)

    def _back_off_pull(self, pod: Object, now: datetime) -> None:
        text, error = self.spec["image"], self._transfer.error if self._transfer else ""
        waiting = podstatus.waiting(
            "ImagePullBackOff", f'Back-off pulling image "{text}": ErrImagePull: {error}'
        )
        self._event(pod, "Normal", "BackOff", f'Back-off pulling image "{text}"')
        self._event(pod, "Warning", "Failed", "Error: ImagePullBackOff")
        self._wait_for(self._check_image, now, _back_off(self._pull_failures), waiting)

    # Process

    def _create_soon(self, now: datetime) -> None:
        self._pull_failures = 0
        self._do, self._until = self._create, now + self._all.settings.real(_CREATE_SECONDS)

    def _create(self, pod: Object, now: datetime) -> None:
        image: Image | None = self._image
        if image is None:
            return
        try:
            boot = launch(self._all.store, self._all.settings, pod, self.spec, image, self._all.cached)
        except ConfigError as error:
            self._event(pod, "Warning", "Failed", f"Error: {error}")
            waiting = podstatus.waiting("CreateContainerConfigError", str(error))
            self._wait_for(self._create, now, _CONFIG_RETRY_SECONDS, waiting)
            return
        if self._id:
            self.restarts += 1
            meta = pod["metadata"]
            self._all.store.logs.rotate(meta["namespace"], meta["name"], self.name)
        self._event(pod, "Normal", "Created", f"Created container: {self.name}")
        self._begin(pod, now, boot)
        if boot.exit_reason == "StartError":
            self._event(pod, "Warning", "Failed", f"Error: {boot.message}")
        else:
            self._event(pod, "Normal", "Started", f"Started container {self.name}")

    def _begin(self, pod: Object, started: datetime, boot: Boot) -> None:
        self._id = f"containerd://{uuid.uuid4().hex}{uuid.uuid4().hex}"
        self.boot, self._started_at, self._printed = boot, started, 0
        self._serving = self.ready = self.started = False
        self.state = podstatus.running(started)
        kinds = [STARTUP] if self.spec.get("startupProbe") else [LIVENESS, READINESS]
        self._arm(kinds, started)
        self._do, self._until = self._run, started

    def _run(self, pod: Object, now: datetime) -> None:
        """Play the script up to now; then ask the probes that are due."""
        boot = self.boot
        if boot is None:
            return
        elapsed = self._elapsed(now)
        while self._printed < len(boot.lines) and boot.lines[self._printed].offset <= elapsed:
            self._log(pod, boot.lines[self._printed].render(now))
            self._printed += 1
        if boot.exits_at is not None and boot.exits_at <= elapsed:
            self._exit(pod, now, boot.exit_code, boot.exit_reason, boot.message)
            return
        if boot.serves_at is not None and boot.serves_at <= elapsed and not self._serving:
            self._serve(pod, boot)
        for probe in self._probes:
            if probe.next_at is not None and probe.next_at <= now and not self._probe(pod, probe, boot, now):
                return
        self._settle()
        self._until = self._next(boot)

    def _serve(self, pod: Object, boot: Boot) -> None:
        self._serving = True
        self._keep_weights(boot.serves_at or 0.0)
        if boot.config is not None:
            self.engine_url = self._all.engines.open(self.key, boot.config, lambda line: self._log(pod, line))

    def _keep_weights(self, elapsed: float) -> None:
        """What this start has downloaded stays on the volume, however the start went on."""
        boot = self.boot
        if boot is not None and boot.weights_claim and boot.downloaded and boot.downloaded_at <= elapsed:
            self._all.cached.setdefault(boot.weights_claim, set()).add(boot.downloaded)

    def _probe(self, pod: Object, probe: Probe, boot: Boot, now: datetime) -> bool:
        """One probe; false when it ended the container."""
        early = boot.early_at is not None and boot.early_at <= self._elapsed(now)
        failure = ask(probe, self.spec, boot, self._serving, now, self._all.settings, early=early)
        if not failure:
            return True
        self._event(pod, "Warning", "Unhealthy", failure)
        if probe.kind == READINESS:
            self.ready = False
            return True
        if not probe.exhausted:
            return True
        kind = probe.kind.lower()
        self._event(pod, "Normal", "Killing", f"Container {self.name} failed {kind} probe, will be restarted")
        self._log(pod, "KeyboardInterrupt: terminated")
        self._exit(pod, now, 137, "Error")
        return False

    def _settle(self) -> None:
        """What the passed probes mean."""
        by_kind = {probe.kind: probe for probe in self._probes}
        startup = by_kind.get(STARTUP)
        if startup is not None and startup.passed and self._started_at is not None:
            self._arm([LIVENESS, READINESS], max(self._started_at, self._all.store.now()))
            by_kind = {probe.kind: probe for probe in self._probes}
            startup = None
        self.started = startup is None
        readiness = by_kind.get(READINESS)
        self.ready = self.started and (readiness is None or readiness.passed)

    def _arm(self, kinds: list[str], start: datetime) -> None:
        made = [make_probe(kind, self.spec, start, self._all.settings) for kind in kinds]
        self._probes = [probe for probe in made if probe is not None]

    def _next(self, boot: Boot) -> datetime | None:
        offsets = [boot.exits_at, None if self._serving else boot.serves_at]
        if self._printed < len(boot.lines):
            offsets.append(boot.lines[self._printed].offset)
        start = self._started_at
        times = [
            start + self._all.settings.real(offset) for offset in offsets if offset is not None and start
        ]
        return earliest([*times, *(probe.next_at for probe in self._probes)])

    # End

    def _exit(self, pod: Object, now: datetime, code: int, reason: str, message: str = "") -> None:
        elapsed, started = self._elapsed(now), self._started_at or now
        self._keep_weights(elapsed)
        if self._serving:
            self._all.engines.fail(self.key)
        if code and not message and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            message = self._last_words(pod)
        ended = podstatus.terminated(code, reason, started, now, self._id, message)
        self.state = ended
        self.ready = self.started = self._serving = False
        self.engine_url, self._probes = "", []
        policy = pod["spec"].get("restartPolicy", "Always")
        if policy == "Never" or (policy == "OnFailure" and code == 0):
            self._do, self._until = self._rest, None
            return
        self._crashes = 1 if elapsed >= _FORGIVEN_AFTER else self._crashes + 1
        self._do, self._until = self._back_off_crash, now + self._all.settings.real(_ENDED_SECONDS)

    def _back_off_crash(self, pod: Object, now: datetime) -> None:
        """The first restart comes at once; later ones wait longer and longer."""
        self.last_state = self.state if "terminated" in self.state else self.last_state
        if self._crashes <= 1:
            self._do, self._until = self._create, now
            return
        wait = _back_off(self._crashes - 1)
        meta = pod["metadata"]
        where = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
        text = f"back-off {go_duration(wait)} restarting failed container={self.name} pod={where}"
        restarting = f"Back-off restarting failed container {self.name} in pod {where}"
        self._event(pod, "Warning", "BackOff", restarting)
        self._wait_for(self._create, now, wait, podstatus.waiting("CrashLoopBackOff", text))

    def _rest(self, pod: Object, now: datetime) -> None:
        """A container that has ended for good."""

    def _wait_for(
        self, do: Callable[[Object, datetime], None], now: datetime, seconds: float, state: dict[str, Any]
    ) -> None:
        self.state, self._do = state, do
        self._until = now + self._all.settings.real(seconds)

    def _elapsed(self, now: datetime) -> float:
        """Simulated seconds since the process started; a little more, because times are rounded to microseconds."""
        return ((now - (self._started_at or now)).total_seconds() + 2e-6) * self._all.settings.speed

    def _last_words(self, pod: Object) -> str:
        meta = pod["metadata"]
        lines = self._all.store.logs.lines(meta["namespace"], meta["name"], self.name)
        text = "\n".join(lines[-_LAST_WORDS_LINES:]) + "\n"
        return text.encode()[-_LAST_WORDS_BYTES:].decode("utf-8", "ignore")

    def _log(self, pod: Object, line: str) -> None:
        meta = pod["metadata"]
        self._all.store.logs.append(meta["namespace"], meta["name"], self.name, line)

    def _event(self, pod: Object, type_: str, reason: str, message: str) -> None:
        self._all.store.record_event(pod, type_, reason, message, source="kubelet")


def _back_off(failures: int) -> float:
    """10, 20, 40, … seconds, at most five minutes."""
    return float(min(_FIRST_BACK_OFF * 2 ** (max(failures, 1) - 1), _LAST_BACK_OFF))
