"""KEDA: a HorizontalPodAutoscaler for each ScaledObject, and the figures that it scales by.

Prometheus triggers are answered by the sandbox's own Prometheus; CPU and memory triggers become resource metrics.
Scaling to zero is not done here: the lowest count is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from deployments.sandbox.api import kinds
from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.api.json_tree import clone
from deployments.sandbox.api.kinds import Kind
from deployments.sandbox.clock import earliest, stamp
from deployments.sandbox.operators import keda_rules
from deployments.sandbox.operators.keda_triggers import Trigger, TriggerError, read_triggers
from deployments.sandbox.operators.prometheus import Prometheus, ScrapeError
from deployments.sandbox.settings import Settings
from deployments.sandbox.workloads.pod_state import terminating
from deployments.sandbox.workloads.revisions import owner_reference

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

OBJECTS = "scaledobjects"
NAME_LABEL = "scaledobject.keda.sh/name"
_MANAGER, _HPAS = "keda", "horizontalpodautoscalers"
_PAUSED, _PAUSED_AT = "autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"
_POLLING_SECONDS, _MOST = 30, 100
_GOOD = "ScaledObject is defined correctly and is ready for scaling"


class _CheckError(Exception):
    """What is wrong with a ScaledObject; the message is that of its Ready condition."""


@dataclass(slots=True)
class _Watch:
    """What is remembered of one ScaledObject."""

    version: str = ""
    due: datetime | None = None
    failures: int = 0
    told: str = ""


class Keda:
    """The operator and its metrics server in one."""

    def __init__(self, store: Store, settings: Settings, prometheus: Prometheus) -> None:
        self._store = store
        self._settings = settings
        self._prometheus = prometheus
        self._watches: dict[str, _Watch] = {}

    def step(self, now: datetime) -> datetime | None:
        """Look at those that changed or are due; returns when the next one is."""
        alive = set()
        for scaled in self._store.list(OBJECTS):
            if terminating(scaled):
                continue
            uid = scaled["metadata"]["uid"]
            alive.add(uid)
            watch = self._watches.setdefault(uid, _Watch())
            version = _version(scaled)
            if version != watch.version or watch.due is None or watch.due <= now:
                watch.version = version
                every = float(scaled["spec"].get("pollingInterval") or _POLLING_SECONDS)
                watch.due = now + self._settings.real(every)
                self._look(scaled, watch, now)
        for uid in self._watches.keys() - alive:
            del self._watches[uid]
        return earliest(watch.due for watch in self._watches.values())

    def value(self, namespace: str, metric: str, labels: dict[str, str]) -> Decimal:
        """An external metric, as the HorizontalPodAutoscaler asks for it. Raises LookupError with the reason."""
        scaled = self._store.get(OBJECTS, namespace, labels.get(NAME_LABEL, ""))
        triggers = [] if scaled is None else read_triggers(scaled)
        trigger = next((each for each in triggers if each.metric_name == metric), None)
        if scaled is None or trigger is None:
            raise LookupError(f"no matching metrics found for {metric}")
        try:
            return self._measure(trigger)
        except ScrapeError as error:
            fallback = scaled["spec"].get("fallback")
            watch = self._watches.get(scaled["metadata"]["uid"])
            if fallback and watch is not None and watch.failures > fallback["failureThreshold"]:
                return trigger.threshold * fallback["replicas"]
            code = "rpc error: code = Unknown desc = error when getting metric values"
            raise LookupError(f"{code} {error}") from None

    def _measure(self, trigger: Trigger) -> Decimal:
        number = self._prometheus.number(
            trigger.address, trigger.query, empty_is_zero=trigger.ignores_nothing
        )
        return max(Decimal(0), Decimal(f"{number:.3f}"))

    # Reconciling

    def _look(self, scaled: Object, watch: _Watch, now: datetime) -> None:
        meta = scaled["metadata"]
        self._label(scaled)
        status = clone(scaled.get("status") or {})
        conditions = {each["type"]: each for each in status.get("conditions") or _unknown()}
        try:
            kind, target = self._target(scaled)
            status.setdefault("originalReplicaCount", int(target["spec"].get("replicas", 1)))
            status["scaleTargetKind"] = keda_rules.told(kind.api_version, kind.kind)
            status["scaleTargetGVKR"] = {
                "group": kind.group,
                "kind": kind.kind,
                "resource": kind.plural,
                "version": kind.version,
            }
            triggers = self._triggers(scaled)
            status["triggersTypes"] = ",".join(dict.fromkeys(each.type for each in triggers))
            status["externalMetricNames"] = [each.metric_name for each in triggers if each.is_external]
            if _is_paused(scaled):
                self._pause(scaled, kind, target, conditions)
                status.pop("hpaName", None)
            else:
                _set(conditions, "Paused", "False", *_unpaused(conditions))
                self._autoscaler(scaled, kind, triggers)
                status["hpaName"] = keda_rules.hpa_name(scaled)
                self._scale(scaled, kind, target, triggers, watch, status, conditions, now)
        except _CheckError as problem:
            _set(conditions, "Ready", "False", "ScaledObjectCheckFailed", str(problem))
            _set(conditions, "Active", "Unknown", "UnknownState", "ScaledObject check failed")
            self._tell(scaled, watch, "Warning", "ScaledObjectCheckFailed", str(problem))
        if not scaled["spec"].get("fallback"):
            told = "No fallbacks are active on this scaled object"
            _set(conditions, "Fallback", "False", "NoFallbackFound", told)
        status["conditions"] = list(conditions.values())
        self._store.update_status(
            OBJECTS, meta["namespace"], meta["name"], lambda live: live.update(status=status)
        )
        live = self._store.get(OBJECTS, meta["namespace"], meta["name"])
        # What it wrote itself is no reason to look again; a change by somebody else is.
        watch.version = _version(live) if live else ""

    def _label(self, scaled: Object) -> None:
        meta = scaled["metadata"]
        if (meta.get("labels") or {}).get(NAME_LABEL) == meta["name"]:
            return

        def write(live: Object) -> None:
            live["metadata"].setdefault("labels", {})[NAME_LABEL] = meta["name"]

        self._store.update(OBJECTS, meta["namespace"], meta["name"], write, manager=_MANAGER)

    def _target(self, scaled: Object) -> tuple[Kind, Object]:
        """What is scaled. Raises _CheckError."""
        api_version, name, target = keda_rules.target_of(scaled["spec"]["scaleTargetRef"])
        wrong = "ScaledObject doesn't have correct scaleTargetRef specification"
        kind = next(
            (
                each
                for each in kinds.KINDS
                if (each.api_version, each.kind) == (api_version, name) and "scale" in each.subresources
            ),
            None,
        )
        if kind is None:
            raise _CheckError(f'{wrong}: no matches for kind "{name}" in version "{api_version}"')
        found = self._store.get(kind.store, scaled["metadata"]["namespace"], target)
        if found is None:
            self._say(scaled, "Warning", "ScaledObjectCheckFailed", "Target resource doesn't exist")
            raise _CheckError(f'{wrong}: {kind.plural}.{kind.group} "{target}" not found')
        return kind, found

    def _triggers(self, scaled: Object) -> list[Trigger]:
        try:
            return read_triggers(scaled)
        except TriggerError as error:
            made = "failed to ensure HPA is correctly created for ScaledObject"
            raise _CheckError(f"{made}: error getting scaler for trigger #{error.index}: {error}") from None

    def _autoscaler(self, scaled: Object, kind: Kind, triggers: list[Trigger]) -> None:
        """Make the HorizontalPodAutoscaler, or bring it up to date."""
        meta, spec = scaled["metadata"], scaled["spec"]
        name = keda_rules.hpa_name(scaled)
        labels = {
            "app.kubernetes.io/name": name[:63].rstrip("-_."),
            "app.kubernetes.io/version": "2.20.2",
            "app.kubernetes.io/part-of": meta["name"],
            "app.kubernetes.io/managed-by": "keda-operator",
            **(meta.get("labels") or {}),
            NAME_LABEL: meta["name"],
        }
        wanted: Object = {
            "scaleTargetRef": {
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                "name": spec["scaleTargetRef"]["name"],
            },
            "minReplicas": max(1, int(spec.get("minReplicaCount", 0))),
            "maxReplicas": int(spec.get("maxReplicaCount", _MOST)),
            "metrics": [each.metric(meta["name"]) for each in triggers],
        }
        config = (spec.get("advanced") or {}).get("horizontalPodAutoscalerConfig") or {}
        if config.get("behavior"):
            wanted["behavior"] = config["behavior"]
        annotations = dict(meta.get("annotations") or {})
        present = self._store.get(_HPAS, meta["namespace"], name)
        if present is None:
            about = {
                "name": name,
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [owner_reference(scaled)],
            }
            try:
                self._store.create(_HPAS, meta["namespace"], {"metadata": about, "spec": wanted}, _MANAGER)
            except ApiError as refusal:
                made = "failed to ensure HPA is correctly created for ScaledObject"
                raise _CheckError(f"{made}: {refusal.message}") from None
            return

        def write(live: Object) -> None:
            live["spec"] = clone(wanted)
            live["metadata"]["labels"] = labels
            live["metadata"]["annotations"] = annotations
            live["metadata"]["ownerReferences"] = [owner_reference(scaled)]

        self._store.update(_HPAS, meta["namespace"], name, write, manager=_MANAGER)

    def _pause(self, scaled: Object, kind: Kind, target: Object, conditions: dict[str, Any]) -> None:
        meta = scaled["metadata"]
        name = keda_rules.hpa_name(scaled)
        if self._store.get(_HPAS, meta["namespace"], name) is not None:
            self._store.delete(_HPAS, meta["namespace"], name)
        count = (meta.get("annotations") or {}).get(_PAUSED_AT, "")
        if count.isdecimal():
            self._set_replicas(kind, target, int(count))
        _set(conditions, "Paused", "True", "ScaledObjectPaused", "ScaledObject is paused")
        _set(conditions, "Ready", "True", "ScaledObjectReady", "ScaledObject is paused")

    # The scale loop

    def _scale(
        self,
        scaled: Object,
        kind: Kind,
        target: Object,
        triggers: list[Trigger],
        watch: _Watch,
        status: dict[str, Any],
        conditions: dict[str, Any],
        now: datetime,
    ) -> None:
        """Ask every trigger whether it is active, and say so."""
        active, problem = False, ""
        health: dict[str, dict[str, Any]] = {}
        for trigger in triggers:
            if not trigger.is_external:
                active = True
                continue
            failures = int(
                ((status.get("health") or {}).get(trigger.metric_name) or {}).get("numberOfFailures", 0)
            )
            try:
                active = self._measure(trigger) > trigger.activation or active
                health[trigger.metric_name] = {"numberOfFailures": 0, "status": "Happy"}
            except ScrapeError as error:
                problem = str(error)
                health[trigger.metric_name] = {"numberOfFailures": failures + 1, "status": "Failing"}
        watch.failures = max((each["numberOfFailures"] for each in health.values()), default=0)
        status["health"] = health
        fallback = scaled["spec"].get("fallback")
        lowest = int(scaled["spec"].get("minReplicaCount", 0))
        if active:
            status["lastActiveTime"] = stamp(now)
            _set(
                conditions,
                "Active",
                "True",
                "ScalerActive",
                "Scaling is performed because triggers are active",
            )
        else:
            told = "Scaling is not performed because triggers are not active"
            _set(conditions, "Active", "False", "ScalerNotActive", told)
            if int(target["spec"].get("replicas", 1)) < lowest:
                self._set_replicas(kind, target, lowest)
        if not problem:
            _set(conditions, "Ready", "True", "ScaledObjectReady", _GOOD)
            self._tell(scaled, watch, "Normal", "ScaledObjectReady", "ScaledObject is ready for scaling")
        elif active:
            told = "Some triggers defined in ScaledObject are not working correctly"
            _set(conditions, "Ready", "Unknown", "PartialTriggerError", told)
        elif not fallback:
            told = "Triggers defined in ScaledObject are not working correctly"
            _set(conditions, "Ready", "False", "TriggerError", told)
        if problem:
            self._tell(scaled, watch, "Warning", "KEDAScalerFailed", problem)
        if fallback:
            falls = watch.failures > fallback["failureThreshold"]
            which = "At least one trigger is falling back on" if falls else "No fallbacks are active on"
            told = f"{which} this scaled object"
            _set(
                conditions,
                "Fallback",
                "True" if falls else "False",
                "FallbackExists" if falls else "NoFallbackFound",
                told,
            )

    def _set_replicas(self, kind: Kind, target: Object, replicas: int) -> None:
        meta = target["metadata"]
        self._store.update(
            kind.store,
            meta["namespace"],
            meta["name"],
            lambda live: live["spec"].update(replicas=replicas),
            manager=_MANAGER,
            subresource="scale",
        )

    def _tell(self, scaled: Object, watch: _Watch, type_: str, reason: str, message: str) -> None:
        """An event, once for each change of what it says."""
        if watch.told != message:
            watch.told = message
            self._say(scaled, type_, reason, message)

    def _say(self, scaled: Object, type_: str, reason: str, message: str) -> None:
        self._store.record_event(scaled, type_, reason, message, source="keda-operator")


def _version(scaled: Object) -> str:
    """Changes with whatever a client can change."""
    meta = scaled["metadata"]
    return f"{meta.get('generation')} {meta.get('labels')} {meta.get('annotations')}"


def _is_paused(scaled: Object) -> bool:
    annotations = scaled["metadata"].get("annotations") or {}
    return annotations.get(_PAUSED) == "true" or _PAUSED_AT in annotations


def _unknown() -> list[dict[str, str]]:
    words = {"Ready": "Unknown", "Active": "Unknown", "Fallback": "Unknown", "Paused": "False"}
    return [{"type": kind, "status": word} for kind, word in words.items()]


def _unpaused(conditions: dict[str, Any]) -> tuple[str, str]:
    if conditions.get("Paused", {}).get("status") == "True":
        return "ScaledObjectUnpaused", "pause annotation removed for ScaledObject"
    return conditions.get("Paused", {}).get("reason", ""), conditions.get("Paused", {}).get("message", "")


def _set(conditions: dict[str, Any], kind: str, word: str, reason: str, message: str) -> None:
    fresh = {"type": kind, "status": word}
    conditions[kind] = fresh | {
        field: text for field, text in (("reason", reason), ("message", message)) if text
    }
