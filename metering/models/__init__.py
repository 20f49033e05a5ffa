"""The tables of metering: API keys, limits beyond those of the spec, and the ledger. Facts that call nobody."""

from metering.models.api_key import ApiKey
from metering.models.budget import Budget
from metering.models.engine_counter import EngineCounter
from metering.models.engine_metrics import EngineHour, EngineMinute
from metering.models.gpu import FleetFigure, FleetRound, GpuClock, GpuHour, GpuRate
from metering.models.latency import LatencyBucket, LatencySpan, LatencyTarget
from metering.models.limits import LimitChange, LimitMode, LimitOverride
from metering.models.usage import GatewayTally, LedgerEntry, UsageEvent, UsageHour, UsageReject

__all__ = [
    "ApiKey",
    "Budget",
    "EngineCounter",
    "EngineHour",
    "EngineMinute",
    "FleetFigure",
    "FleetRound",
    "GatewayTally",
    "GpuClock",
    "GpuHour",
    "GpuRate",
    "LatencyBucket",
    "LatencySpan",
    "LatencyTarget",
    "LedgerEntry",
    "LimitChange",
    "LimitMode",
    "LimitOverride",
    "UsageEvent",
    "UsageHour",
    "UsageReject",
]
