"""What the autoscaler sees, does, and cannot do; the replicas that run are not touched by it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from deployments import quantity
from deployments.diagnosis.finding import brief
from deployments.kube.decode import Autoscaler, Condition, Metric, MetricValue, ScaledObject
from deployments.seen import EventLine, Scaling
from deployments.spec import Autoscaling

MOST_EVENTS = 5
PERCENT, REQUESTS = "percent", "requests"

_METRICS_SERVER = (
    "The autoscaler cannot read how busy the replicas are, so their number stays as it is. "
    "Check that metrics-server is installed."
)
_PROMETHEUS = (
    "The autoscaler cannot read the engine's figures, so the number of replicas stays as it is. "
    "Check KEDA, and the address of Prometheus on the cluster's page."
)


def read(
    autoscaler: Autoscaler | None,
    scaled_object: ScaledObject | None,
    wanted: Autoscaling,
    events: Iterable[EventLine] = (),
) -> Scaling | None:
    """The autoscaler as it is seen; None while there is none."""
    if autoscaler is None:
        return None
    spec, status = autoscaler.spec, autoscaler.status
    capped = _capped(autoscaler)
    asked, measured = _first(spec.metrics), _first(status.current_metrics)
    return Scaling(
        metric=wanted.metric.value,
        unit=PERCENT if wanted.metric.is_percentage else REQUESTS,
        current=_number(measured.source.current if measured and measured.source else None),
        target=_number(asked.source.target if asked and asked.source else None),
        replicas=status.current_replicas,
        desired=status.desired_replicas,
        minimum=spec.min_replicas or 1,
        maximum=spec.max_replicas,
        last_scaled_at=status.last_scale_time,
        capped=capped is not None,
        capped_since=capped.last_transition_time if capped else None,
        reason=obstacle(autoscaler, scaled_object),
        events=tuple(events)[:MOST_EVENTS],
    )


def remark(autoscaler: Autoscaler | None, scaled_object: ScaledObject | None = None) -> str:
    """One or two sentences, or nothing when it works."""
    if told := obstacle(autoscaler, scaled_object):
        return told
    if autoscaler is None:
        return ""
    if _capped(autoscaler):
        return f"The autoscaler wants more than its maximum of {autoscaler.spec.max_replicas} replicas."
    return ""


def obstacle(autoscaler: Autoscaler | None, scaled_object: ScaledObject | None = None) -> str:
    """Why it cannot act, with the remedy; empty when it can, or when there is none."""
    if scaled_object is not None:
        ready = _by_type(scaled_object.status.conditions).get("Ready")
        if ready is not None and ready.status == "False":
            told = brief(ready.message or ready.reason or "no reason is given")
            return f"KEDA cannot scale the replicas: {told}. Look at KEDA's operator in the cluster."
    if autoscaler is None:
        return ""
    conditions = _by_type(autoscaler.status.conditions)
    active, able = conditions.get("ScalingActive"), conditions.get("AbleToScale")
    if active is not None and active.status == "False" and active.reason != "ScalingDisabled":
        told = active.message or ""
        if "missing request for" in told:
            return f"The autoscaler does not work: {brief(told)}. Set a request for this resource."
        if active.reason == "FailedGetExternalMetric":
            return _PROMETHEUS
        if active.reason in ("FailedGetResourceMetric", "FailedComputeMetricsReplicas"):
            return _METRICS_SERVER
        return f"The autoscaler does not work: {brief(told) or active.reason}."
    if able is not None and able.status == "False":
        return f"The autoscaler cannot scale the workload: {brief(able.message or able.reason or '')}."
    return ""


def _capped(autoscaler: Autoscaler) -> Condition | None:
    """Its condition while it wants more than its maximum."""
    limited = _by_type(autoscaler.status.conditions).get("ScalingLimited")
    return limited if limited and limited.status == "True" and limited.reason == "TooManyReplicas" else None


def _by_type(conditions: Iterable[Condition] | None) -> dict[str, Condition]:
    return {condition.type: condition for condition in conditions or ()}


def _first(metrics: Iterable[Metric] | None) -> Metric | None:
    """A deployment is scaled by one metric; others, that somebody added by hand, are not shown."""
    return next((metric for metric in metrics or () if metric.source is not None), None)


def _number(value: MetricValue | None) -> float | None:
    """To one decimal: what is measured wavers, and each new value is written down."""
    if value is None:
        return None
    if value.average_utilization is not None:
        return float(value.average_utilization)
    amount = value.average_value if value.average_value is not None else value.value
    try:
        return None if amount is None else round(float(quantity.parse(str(amount))), 1)
    except ValueError:
        return None
