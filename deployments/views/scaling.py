"""What the page of a deployment says of its autoscaler, from the last look at the cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from console.presentation import times
from deployments.history.moments import moment_of
from deployments.spec import DeploymentSpec
from deployments.vocabulary import DynamoMode, ScalingMetric, Tone

#: How Kubernetes writes the labels by which KEDA finds its own figure: of no use to anybody who reads it.
_SELECTOR = re.compile(
    r"[/(]?&LabelSelector\{MatchLabels:map\[string\]string\{[^}]*\},MatchExpressions:[^}]*\},\}\)?"
)


@dataclass(frozen=True, slots=True)
class Card:
    metric: str
    by: str
    """The metric inside a sentence."""
    bounds: str
    """ "1 to 4 replicas"."""
    facts: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    """Why it cannot act, with the remedy."""
    used: Decimal | None = None
    """None: nothing is measured yet."""
    target: Decimal | None = None
    unit: str = ""
    tone: str = ""
    note: str = ""
    events: tuple[Mapping[str, Any], ...] = ()
    is_seen: bool = True
    """False: no autoscaler was found at the last look."""
    owner: str = ""
    """Who decides on the number now, and which one counts afterwards."""


def card(spec: DeploymentSpec, details: Mapping[str, Any], now: datetime) -> Card | None:
    """None while autoscaling is off."""
    scaling, noun = spec.autoscaling, _noun(spec)
    if not scaling.enabled:
        return None
    metric = scaling.metric.label
    by = metric if metric[:2].isupper() else metric[:1].lower() + metric[1:]
    bounds = f"{scaling.min_replicas} to {scaling.max_replicas} {noun}s"
    owner = f"The autoscaler sets the number of {noun}s. While it is off, the Engine page does: {_own(spec)}."
    seen = details.get("scaling")
    if not isinstance(seen, Mapping):
        return Card(metric, by, bounds, is_seen=False, owner=owner)
    capped = bool(seen.get("capped"))
    return Card(
        metric,
        by,
        bounds,
        facts=_facts(seen, noun, now),
        reason=str(seen.get("reason") or ""),
        used=_amount(seen.get("current")),
        target=_amount(seen.get("target")),
        unit="%" if scaling.metric.is_percentage else f"for each {noun}",
        tone=Tone.WARN.value if capped else "",
        note=_capped(seen, noun, now) if capped else _of_what(scaling.metric, noun),
        events=tuple(
            {
                **event,
                "at": moment_of(event.get("at")),
                "times": event.get("times") or 1,
                "message": _SELECTOR.sub("", str(event.get("message", ""))),
            }
            for event in seen.get("events") or ()
        ),
        owner=owner,
    )


def _facts(seen: Mapping[str, Any], noun: str, now: datetime) -> tuple[tuple[str, str], ...]:
    there, wanted = seen.get("replicas") or 0, seen.get("desired") or 0
    present = f"{there}, and it wants {wanted}" if wanted and wanted != there else str(there)
    last = moment_of(seen.get("last_scaled_at"))
    return (
        (f"{noun.capitalize()}s now", present),
        ("Bounds in force", f"{seen.get('minimum')} to {seen.get('maximum')}"),
        ("Last change", f"{times.moment(last, now)} ({times.ago(last, now)})" if last else "None yet"),
    )


def _capped(seen: Mapping[str, Any], noun: str, now: datetime) -> str:
    since = moment_of(seen.get("capped_since"))
    when = f" since {times.moment(since, now)}" if since else ""
    return f"At its maximum of {seen.get('maximum')} {noun}s{when}, and it wants more."


def _of_what(metric: ScalingMetric, noun: str) -> str:
    of = (
        "" if metric.is_of_engine else f" of the {'CPU' if metric is ScalingMetric.CPU else 'memory'} request"
    )
    return f"Mean{of} over all {noun}s."


def _own(spec: DeploymentSpec) -> str:
    dynamo = spec.engine.dynamo
    if dynamo is not None and dynamo.mode is DynamoMode.DISAGGREGATED:
        return str(dynamo.decode.replicas)
    return str(spec.engine.replicas)


def _noun(spec: DeploymentSpec) -> str:
    """What there are more of; prefill workers stay as many as they are."""
    dynamo = spec.engine.dynamo
    if dynamo is None:
        return "replica"
    return "decode worker" if dynamo.mode is DynamoMode.DISAGGREGATED else "worker"


def _amount(raw: object) -> Decimal | None:
    """A stored figure with at most one digit after the point, as 2.5 or 73."""
    try:
        amount = Decimal(str(raw)) if isinstance(raw, int | float) else None
    except InvalidOperation:
        return None
    if amount is None or not amount.is_finite():
        return None
    whole = amount.to_integral_value()
    return whole if amount == whole else amount
