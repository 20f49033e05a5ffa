"""What differs between two documents, setting by setting, in words. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.wizard import words

#: Place in the document to the words for it; the order is that of the page.
_LABELS = {
    "metadata.description": "Description",
    "engine.kind": "Engine",
    "engine.image": "Image",
    "engine.tag": "Image tag",
    "engine.replicas": "Replicas",
    "engine.volume": "Volume per replica",
    "engine.arguments": "Arguments",
    "resources.requests.cpu": "CPU request",
    "resources.limits.cpu": "CPU limit",
    "resources.requests.memory": "Memory request",
    "resources.limits.memory": "Memory limit",
    "resources.gpu.count": "GPUs per replica",
    "resources.gpu.product": "GPU model",
    "resources.gpu.resource": "GPU resource",
    "autoscaling.enabled": "Autoscaling",
    "autoscaling.minReplicas": "Replicas at least",
    "autoscaling.maxReplicas": "Replicas at most",
    "autoscaling.metric": "Scaling metric",
    "autoscaling.threshold": "Scaling threshold",
    "rateLimits.organization.tokensPerMinute": "Tokens per minute, organisation",
    "rateLimits.organization.requestsPerMinute": "Requests per minute, organisation",
    "rateLimits.user.tokensPerMinute": "Tokens per minute, user",
    "rateLimits.user.requestsPerMinute": "Requests per minute, user",
    "rateLimits.apiKey.tokensPerMinute": "Tokens per minute, API key",
    "rateLimits.apiKey.requestsPerMinute": "Requests per minute, API key",
    "pricing.currency": "Currency",
    "pricing.inputPerMillion": "Price, input tokens",
    "pricing.outputPerMillion": "Price, output tokens",
}
#: Beginnings of the places whose change makes pods start anew.
_RESTARTS = ("engine.kind", "engine.image", "engine.tag", "engine.arguments", "resources.", "environment.")
_NOT_SET = "Not set"


@dataclass(frozen=True, slots=True)
class Change:
    label: str
    old: str
    new: str
    code: str = ""
    """A name after the label that is shown as code, such as a variable's."""
    restarts: bool = False
    """True when pods have to start anew."""

    @property
    def was_set(self) -> bool:
        return self.old != _NOT_SET

    @property
    def effect(self) -> str:
        return "With the restart" if self.restarts else "At once"


def between(
    old: Mapping[str, Any], new: Mapping[str, Any], new_secrets: frozenset[str] = frozenset()
) -> list[Change]:
    """Every setting that differs. `new_secrets`: secret variables that get a new value."""
    before, after = _flat(old), _flat(new)
    changes = [
        Change(label, _said(path, before.get(path)), _said(path, after.get(path)), restarts=_restarts(path))
        for path, label in _LABELS.items()
        if before.get(path) != after.get(path)
    ]
    return changes + list(_variables(old, new, new_secrets))


def _variables(
    old: Mapping[str, Any], new: Mapping[str, Any], new_secrets: frozenset[str]
) -> Iterator[Change]:
    before, after = _by_name(old), _by_name(new)
    for name in [*after, *(name for name in before if name not in after)]:
        was, now = before.get(name), after.get(name)
        new_value = name in new_secrets and now is not None and bool(now.get("secret"))
        if was != now or new_value:
            said = "New secret value" if new_value else _variable(now)
            yield Change("Variable", _variable(was), said, code=name, restarts=True)


def _by_name(mapping: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {row["name"]: row for row in mapping["spec"].get("environment") or []}


def _variable(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return _NOT_SET
    return "Secret" if row.get("secret") else row.get("value") or "Empty"


def _flat(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The document's values by dotted path; lists stay whole."""
    found: dict[str, Any] = {"metadata.description": mapping["metadata"].get("description")}
    rest = [("", mapping["spec"])]
    while rest:
        at, part = rest.pop()
        for key, value in part.items():
            if isinstance(value, Mapping):
                rest.append((f"{at}{key}.", value))
            else:
                found[at + key] = value
    return found


def _said(path: str, value: Any) -> str:
    if path == "resources.gpu.product" and value is None:
        return "Any"
    if path == "autoscaling.enabled":
        return "On" if value else "Off"
    if isinstance(value, list):
        return words.join(value).replace("\n", " ") or _NOT_SET
    if value is None or value == "":
        return _NOT_SET
    if path == "autoscaling.threshold":
        return f"{value} %"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _restarts(path: str) -> bool:
    return path.startswith(_RESTARTS)
