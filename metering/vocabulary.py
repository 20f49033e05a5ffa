"""Closed lists of values of metering, with the words that people see. Pure: no Django, no I/O."""

from __future__ import annotations

from deployments.vocabulary import Word


class RequestStatus(Word):
    """How an admitted request ended."""

    COMPLETED = "completed", "Completed"
    CLIENT_GONE = "client_gone", "Client hung up"
    ENGINE_FAILED = "engine_failed", "Engine failed"
    REFUSED = "refused", "Refused by the engine"
    LIMIT_REACHED = "limit_reached", "Cut at a limit"


class EntryKind(Word):
    """What an entry of the ledger is."""

    REQUEST = "request", "Request"
    CORRECTION = "correction", "Correction"


class LatencyMeasure(Word):
    """What is measured of a request at the gateway."""

    TTFT = "ttft", "Time to first token"
    ITL = "itl", "Inter-token latency"
    E2E = "e2e", "End-to-end time"
