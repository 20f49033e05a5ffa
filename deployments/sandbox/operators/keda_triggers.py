"""The triggers of a ScaledObject: what they ask, and the metric that they become. Values in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

_RESOURCES = ("cpu", "memory")
_BY_RESOURCE = ("Utilization", "AverageValue")


class TriggerError(Exception):
    """A trigger that no scaler can be built from; `index` is its place in the list."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger, read."""

    index: int
    type: str
    metric_type: str
    threshold: Decimal
    activation: Decimal = Decimal(0)
    address: str = ""
    query: str = ""
    ignores_nothing: bool = True

    @property
    def is_external(self) -> bool:
        """Whether KEDA measures it, and not the cluster's metrics server."""
        return self.type not in _RESOURCES

    @property
    def metric_name(self) -> str:
        """How the HorizontalPodAutoscaler asks for it."""
        return f"s{self.index}-{self.type}"

    def metric(self, owner: str) -> dict[str, Any]:
        """The entry of the HorizontalPodAutoscaler's metrics; `owner` names the ScaledObject."""
        if not self.is_external:
            field = "averageUtilization" if self.metric_type == "Utilization" else "averageValue"
            amount: Any = int(self.threshold) if self.metric_type == "Utilization" else str(self.threshold)
            target = {"type": self.metric_type, field: amount}
            return {"type": "Resource", "resource": {"name": self.type, "target": target}}
        field = "averageValue" if self.metric_type == "AverageValue" else "value"
        return {
            "type": "External",
            "external": {
                "metric": {
                    "name": self.metric_name,
                    "selector": {"matchLabels": {"scaledobject.keda.sh/name": owner}},
                },
                "target": {"type": self.metric_type, field: _quantity(self.threshold)},
            },
        }


def read_triggers(scaled: dict[str, Any]) -> list[Trigger]:
    """All triggers of a ScaledObject. Raises TriggerError."""
    given = scaled["spec"].get("triggers") or []
    if not given:
        raise TriggerError(0, "no triggers defined in the ScaledObject/ScaledJob")
    return [_read(index, each) for index, each in enumerate(given)]


def _read(index: int, given: dict[str, Any]) -> Trigger:
    kind, metadata = given["type"], given.get("metadata") or {}
    if kind in _RESOURCES:
        metric_type = given.get("metricType") or metadata.get("type") or "Utilization"
        if metric_type not in _BY_RESOURCE:
            raise TriggerError(
                index, "unsupported metric type, allowed values are 'Utilization' or 'AverageValue'"
            )
        return Trigger(index, kind, metric_type, _number(index, metadata, "value"))
    if kind != "prometheus":
        raise TriggerError(index, f"no scaler found for type: {kind}")
    metric_type = given.get("metricType") or "AverageValue"
    if metric_type not in ("AverageValue", "Value"):
        raise TriggerError(
            index, "error getting scaler metric type: 'Utilization' metric type is unsupported"
        )
    for field in ("serverAddress", "query", "threshold"):
        if not metadata.get(field):
            raise TriggerError(index, f'{_WRONG}: missing required parameter "{field}" in [triggerMetadata]')
    return Trigger(
        index,
        kind,
        metric_type,
        _number(index, metadata, "threshold"),
        _number(index, metadata, "activationThreshold", "0"),
        metadata["serverAddress"],
        metadata["query"],
        str(metadata.get("ignoreNullValues", "true")).lower() not in ("false", "f", "0"),
    )


_WRONG = "error parsing prometheus metadata: error parsing prometheus metadata"


def _number(index: int, metadata: dict[str, str], field: str, otherwise: str = "") -> Decimal:
    text = str(metadata.get(field, otherwise))
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value) >= Decimal(10) ** 12:
        raise TriggerError(
            index, f'{_WRONG}: unable to set param "{field}" value "{text}": unable to unmarshal'
        )
    return value


def _quantity(value: Decimal) -> str:
    milli = int(value * 1000)
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"
