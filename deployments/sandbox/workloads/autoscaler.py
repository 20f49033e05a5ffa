"""The HorizontalPodAutoscaler controller: CPU and memory against their requests, as autoscaling/v2 describes it.

Every period it asks for the replica count that would bring the average to the target, within a tolerance of 10 %,
holds it back by the windows and rates of `behavior` (`scaling_rate.py`), writes `spec.replicas` of the target
through the scale subresource (so that managedFields shows who owns the count) and says what it did in conditions
and events.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.sandbox.clock import earliest, stamp
from deployments.sandbox.nodes.podstatus import set_condition
from deployments.sandbox.settings import Settings
from deployments.sandbox.workloads import external_metrics
from deployments.sandbox.workloads.pod_state import ready_since
from deployments.sandbox.workloads.resource_metrics import MetricError, Reading, propose
from deployments.sandbox.workloads.scaling_rate import History, bounded

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

MANAGER = "kube-controller-manager"
_PLURALS = {
    "StatefulSet": "statefulsets",
    "Deployment": "deployments",
    "DynamoGraphDeploymentScalingAdapter": "dynamographdeploymentscalingadapters",
}


@dataclass(slots=True)
class _Verdict:
    """What one round decided, for status and events."""

    current: int
    desired: int
    readings: list[Reading]
    reason: str = ""


class Autoscaler:
    """Every HorizontalPodAutoscaler of the store."""

    def __init__(
        self, store: Store, settings: Settings, external: external_metrics.Source | None = None
    ) -> None:
        self._store = store
        self._settings = settings
        self._external = external
        self._due: dict[str, datetime] = {}
        self._histories: dict[str, History] = {}

    def step(self, now: datetime) -> datetime | None:
        """Look at those whose period is over; returns when the next one is."""
        present = set()
        for hpa in self._store.list("horizontalpodautoscalers"):
            uid = hpa["metadata"]["uid"]
            present.add(uid)
            if self._due.get(uid, now) <= now:
                self._due[uid] = now + self._settings.real(self._settings.autoscaler_period_seconds)
                self._look(hpa, now)
        for uid in self._due.keys() - present:
            del self._due[uid]
            self._histories.pop(uid, None)
        return earliest(self._due.values())

    def _look(self, hpa: Object, now: datetime) -> None:
        spec, namespace = hpa["spec"], hpa["metadata"]["namespace"]
        reference = spec["scaleTargetRef"]
        plural = _PLURALS.get(reference["kind"], "")
        target = self._store.get(plural, namespace, reference["name"]) if plural else None
        if target is None:
            group = str(reference.get("apiVersion", "apps/v1")).partition("/")[0]
            name = f'{reference["kind"].lower()}s.{group} "{reference["name"]}" not found'
            message = f"the HPA controller was unable to get the target's current scale: {name}"
            self._fail(hpa, "AbleToScale", "FailedGetScale", message, now)
            return
        current = int(target["spec"].get("replicas", 1))
        self._histories.setdefault(hpa["metadata"]["uid"], History()).begin(now, current)
        lowest, highest = int(spec.get("minReplicas") or 1), int(spec["maxReplicas"])
        if current == 0:
            self._disabled(hpa, now)
            return
        if current > highest:
            verdict = _Verdict(current, highest, [], "Current number of replicas above Spec.MaxReplicas")
        elif current < lowest:
            verdict = _Verdict(current, lowest, [], "Current number of replicas below Spec.MinReplicas")
        else:
            readings = self._read(hpa, target, current, now)
            if readings is None:
                return
            wanted = max(reading.desired for reading in readings)
            above = max(readings, key=lambda reading: reading.desired)
            reason = f"{above.name} above target" if wanted > current else "All metrics below target"
            verdict = _Verdict(current, wanted, readings, reason)
        self._settle(hpa, plural, target, verdict, lowest, highest, now)

    def _read(self, hpa: Object, target: Object, current: int, now: datetime) -> list[Reading] | None:
        """A proposal per metric; None (after saying why) when none could be made, or only a smaller one."""
        namespace = hpa["metadata"]["namespace"]
        pods = self._store.list("pods", namespace, _pod_labels(target))
        readings, problem = [], None
        for metric in hpa["spec"].get("metrics") or [_default_metric()]:
            try:
                if metric.get("type") == "External" and self._external is not None:
                    ready = sum(ready_since(pod) is not None for pod in pods)
                    found = external_metrics.propose(self._external, namespace, metric, current, ready)
                else:
                    found = propose(self._store, pods, metric, current, now)
                readings.append(found)
            except MetricError as error:
                problem = error
        if problem is not None and (not readings or max(reading.desired for reading in readings) < current):
            message = f"the HPA was unable to compute the replica count: {problem}"
            self._fail(hpa, "ScalingActive", problem.reason, message, now)
            return None
        return readings

    def _settle(
        self,
        hpa: Object,
        plural: str,
        target: Object,
        verdict: _Verdict,
        lowest: int,
        highest: int,
        now: datetime,
    ) -> None:
        history = self._histories[hpa["metadata"]["uid"]]
        limited = ("DesiredWithinRange", "the desired count is within the acceptable range")
        able = ("ReadyForNewScale", "recommended size matches current size")
        if verdict.readings:
            desired, held = bounded(
                hpa["spec"], history, verdict.current, verdict.desired, self._settings, now
            )
            if held:
                able = (
                    held,
                    "recent recommendations were higher or lower than the current one, applying the stabilised",
                )
        else:
            desired = verdict.desired
        if desired > highest or (verdict.desired > highest and desired == highest):
            limited = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
        elif desired < lowest or (verdict.desired < lowest and desired == lowest):
            limited = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
        desired = min(max(desired, lowest), highest)
        if desired != verdict.current:
            place = (hpa["metadata"]["namespace"], target["metadata"]["name"])
            self._store.update(
                plural,
                *place,
                lambda live: live["spec"].update(replicas=desired),
                manager=MANAGER,
                subresource="scale",
            )
            history.scaled(now, desired - verdict.current)
            message = f"New size: {desired}; reason: {verdict.reason}"
            self._say(hpa, "Normal", "SuccessfulRescale", message)
            able = (
                "SucceededRescale",
                f"the HPA controller was able to update the target scale to {desired}",
            )
        self._write(hpa, verdict, desired, able, limited, now)

    def _write(
        self,
        hpa: Object,
        verdict: _Verdict,
        desired: int,
        able: tuple[str, str],
        limited: tuple[str, str],
        now: datetime,
    ) -> None:
        def write(live: Object) -> None:
            status = live.setdefault("status", {})
            status["currentReplicas"], status["desiredReplicas"] = verdict.current, desired
            status["currentMetrics"] = [reading.status for reading in verdict.readings]
            if desired != verdict.current:
                status["lastScaleTime"] = stamp(now)
            _condition(status, "AbleToScale", True, now, *able)
            if verdict.readings:
                found = "the HPA was able to successfully calculate a replica count from"
                _condition(
                    status,
                    "ScalingActive",
                    True,
                    now,
                    "ValidMetricFound",
                    f"{found} {verdict.readings[0].name}",
                )
            _condition(status, "ScalingLimited", limited[0] != "DesiredWithinRange", now, *limited)

        self._status(hpa, write)

    def _fail(self, hpa: Object, kind: str, reason: str, message: str, now: datetime) -> None:
        self._say(hpa, "Warning", reason, message)

        def write(live: Object) -> None:
            status = live.setdefault("status", {})
            if kind == "ScalingActive":
                _condition(
                    status, "AbleToScale", True, now, "SucceededGetScale", "the target's scale was read"
                )
            status.setdefault("desiredReplicas", 0)
            _condition(status, kind, False, now, reason, message)

        self._status(hpa, write)

    def _disabled(self, hpa: Object, now: datetime) -> None:
        message = "scaling is disabled since the replica count of the target is zero"

        def write(live: Object) -> None:
            status = live.setdefault("status", {})
            status["currentReplicas"] = status["desiredReplicas"] = 0
            _condition(status, "AbleToScale", True, now, "SucceededGetScale", "the target's scale was read")
            _condition(status, "ScalingActive", False, now, "ScalingDisabled", message)

        self._status(hpa, write)

    def _status(self, hpa: Object, write: Any) -> None:
        meta = hpa["metadata"]
        self._store.update_status("horizontalpodautoscalers", meta["namespace"], meta["name"], write)

    def _say(self, hpa: Object, type_: str, reason: str, message: str) -> None:
        self._store.record_event(hpa, type_, reason, message, source="horizontal-pod-autoscaler")


def _condition(
    status: dict[str, Any], kind: str, value: bool, now: datetime, reason: str, message: str
) -> None:
    set_condition(status, kind, value, now, reason, message)
    for condition in status["conditions"]:
        condition.pop("lastProbeTime", None)


def _pod_labels(target: Object) -> dict[str, str]:
    """The labels of the pods behind a scale; a custom kind tells its selector in its status."""
    if "selector" in target["spec"]:
        return dict(target["spec"]["selector"].get("matchLabels") or {})
    text = str((target.get("status") or {}).get("selector", ""))
    return dict(pair.split("=", 1) for pair in text.split(",") if "=" in pair)


def _default_metric() -> dict[str, Any]:
    return {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
