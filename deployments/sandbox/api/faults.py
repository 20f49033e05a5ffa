"""Failures on request: answers that a real API server gives on a bad day, for tests and demonstrations.

A fault matches some requests and is used up after `times` of them. It can delay, answer with an error, close the
connection without an answer (before or after the write), or refuse creates as an admission webhook would.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deployments.sandbox.api.errors import ApiError

_MATCHES = ("method", "path", "agent")
_DELAY_LIMIT = 600.0
_DROPS = ("", "before", "after")


@dataclass(slots=True)
class Fault:
    """One failure. `path` matches any part of the address; an empty match hits every request."""

    number: int
    method: str = ""
    path: str = ""
    agent: str = ""
    # The plural whose creates are refused by "admission"; "" for a fault of the HTTP door.
    admission: str = ""
    times: int | None = None
    status: int = 0
    reason: str = ""
    message: str = ""
    retry_after: int | None = None
    delay: float = 0.0
    drop: str = ""
    hits: int = field(default=0)

    @property
    def spent(self) -> bool:
        """Whether it has failed as often as it was asked to."""
        return self.times is not None and self.hits >= self.times

    def fits(self, method: str, address: str, agent: str) -> bool:
        """Whether a request is to fail."""
        return (
            not self.admission
            and not self.spent
            and self.method in ("", method)
            and self.path in address
            and self.agent in agent
        )

    def error(self) -> ApiError:
        """The answer that it gives."""
        return ApiError(
            self.status,
            self.message or "a failure that was asked for",
            reason=self.reason,
            retry_after=self.retry_after,
        )

    def told(self) -> dict[str, Any]:
        """The fault as JSON."""
        return {
            "number": self.number,
            "match": {"method": self.method, "path": self.path, "agent": self.agent},
            "admission": self.admission,
            "times": self.times,
            "hits": self.hits,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "retryAfter": self.retry_after,
            "delay": self.delay,
            "drop": self.drop,
        }


class Faults:
    """The failures that are asked for at the moment, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._asked = 0

    def add(self, document: Any) -> Fault:
        """Read a fault from JSON. Raises ApiError 400 for one that makes no sense."""
        if not isinstance(document, dict):
            raise ApiError(400, "a fault is a JSON object")
        match = document.get("match") or {}
        known = {"match", "admission", "times", "status", "reason", "message", "retryAfter", "delay", "drop"}
        if unknown := (set(document) - known) | (set(match) - set(_MATCHES)):
            raise ApiError(400, f"unknown fields: {', '.join(sorted(unknown))}")
        self._asked += 1
        try:
            fault = Fault(
                number=self._asked,
                method=str(match.get("method", "")).upper(),
                path=str(match.get("path", "")),
                agent=str(match.get("agent", "")),
                admission=str(document.get("admission", "")),
                times=int(document["times"]) if document.get("times") is not None else None,
                status=int(document.get("status", 0)),
                reason=str(document.get("reason", "")),
                message=str(document.get("message", "")),
                retry_after=int(document["retryAfter"]) if document.get("retryAfter") is not None else None,
                delay=float(document.get("delay", 0)),
                drop=str(document.get("drop", "")),
            )
        except (TypeError, ValueError) as problem:
            raise ApiError(400, f"a fault cannot be read: {problem}") from problem
        if fault.admission and not fault.status:
            fault.status = 403
        if fault.status and not 400 <= fault.status <= 599:
            raise ApiError(400, "status is an error between 400 and 599")
        if fault.drop not in _DROPS or not 0 <= fault.delay <= _DELAY_LIMIT:
            raise ApiError(400, 'drop is "before" or "after"; delay is between 0 and 600 seconds')
        if not (fault.status or fault.drop or fault.delay):
            raise ApiError(400, "a fault has a status, a drop or a delay")
        self._faults.append(fault)
        return fault

    def take(self, method: str, address: str, agent: str) -> Fault | None:
        """The first fault that fits a request, counted as used."""
        for fault in self._faults:
            if fault.fits(method, address, agent):
                fault.hits += 1
                return fault
        return None

    def gate(self, plural: str, namespace: str | None, obj: dict[str, Any]) -> None:
        """Refuse a create if an admission fault asks for it; goes into `Store.gates`."""
        for fault in self._faults:
            if fault.admission == plural and not fault.spent:
                fault.hits += 1
                name = obj["metadata"]["name"]
                why = fault.message or "refused by a failure that was asked for"
                raise ApiError(
                    fault.status,
                    f'admission webhook "sandbox.faults" denied the request: {why}'
                    if fault.status == 403
                    else why,
                    reason=fault.reason,
                    details={"name": name, "kind": plural},
                )

    def told(self) -> list[dict[str, Any]]:
        """All faults as JSON."""
        return [fault.told() for fault in self._faults]

    def clear(self) -> None:
        """Forget all faults."""
        self._faults.clear()
