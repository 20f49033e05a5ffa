"""What differs between two documents, setting by setting, in words; and between three, when two people edited at once.

Documents are the plain values of `document.to_mapping`, or parts of them as they were typed. Pure: no I/O.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.context import ModelSource
from deployments.vocabulary import (
    DynamoBackend,
    DynamoMode,
    Engine,
    NimRunner,
    RolloutStrategy,
    ScalingMetric,
    Sharing,
    Word,
)

#: Place in the document to the words for it; the order is that of the page.
_LABELS = {
    "metadata.description": "Description",
    "engine.kind": "Engine",
    "engine.runner": "Run by",
    "engine.mode": "Mode",
    "engine.backend": "Backend",
    "engine.image": "Image",
    "engine.tag": "Image tag",
    "engine.profile": "Profile",
    "engine.replicas": "Replicas",
    "engine.workers.prefill.replicas": "Prefill workers",
    "engine.workers.prefill.gpus": "GPUs per prefill worker",
    "engine.workers.decode.replicas": "Decode workers",
    "engine.workers.decode.gpus": "GPUs per decode worker",
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
    "pricing.cachedInputPerMillion": "Price, cached input tokens",
    "sharing.mode": "Sharing",
    "sharing.organizations": "Shared with",
    "rollout.strategy": "Rollout",
}
#: What a document says by leaving a value out.
_LEFT_OUT = {"rollout.strategy": RolloutStrategy.AUTO.value}
#: Values with words of their own.
_WORDS: dict[str, type[Word]] = {
    "engine.kind": Engine,
    "engine.runner": NimRunner,
    "engine.mode": DynamoMode,
    "engine.backend": DynamoBackend,
    "autoscaling.metric": ScalingMetric,
    "sharing.mode": Sharing,
    "rollout.strategy": RolloutStrategy,
}
#: Beginnings of the places whose change makes pods start anew.
_RESTARTS = (
    *("engine.kind", "engine.runner", "engine.mode", "engine.backend", "engine.profile"),
    *("engine.image", "engine.tag", "engine.arguments"),
    *("engine.workers.prefill.gpus", "engine.workers.decode.gpus"),
    *("resources.", "environment."),
)
_REPLICAS = ("engine.replicas", "engine.workers.prefill.replicas", "engine.workers.decode.replicas")
_NOT_SET = "Not set"
#: What it means that nothing is said.
_ABSENT = {
    "resources.gpu.product": "Any",
    "engine.profile": "Chosen by NIM",
    "engine.workers.prefill.gpus": "As per replica",
    "engine.workers.decode.gpus": "As per replica",
}
NEW_VALUE = "New secret value"


@dataclass(frozen=True, slots=True)
class Change:
    label: str
    old: str
    new: str
    code: str = ""
    """A name after the label that is shown as code, such as a variable's."""
    restarts: bool = False
    """True when pods have to start anew."""
    effect: str = "No pod restarts"

    @property
    def was_set(self) -> bool:
        return self.old != _NOT_SET


@dataclass(frozen=True, slots=True)
class Clash:
    """One setting that somebody changed since two people began from the same revision."""

    label: str
    begun: str
    theirs: str
    mine: str
    code: str = ""
    by_them: bool = False
    by_me: bool = False

    @property
    def is_both(self) -> bool:
        """Both changed it, and not to the same."""
        return self.by_them and self.by_me and self.theirs != self.mine


def between(
    old: Mapping[str, Any], new: Mapping[str, Any], new_secrets: frozenset[str] = frozenset()
) -> list[Change]:
    """Every setting that differs. `new_secrets`: secret variables that get a new value."""
    before, after = _flat(old), _flat(new)
    changes = [
        Change(
            label,
            _said(path, before),
            _said(path, after),
            restarts=_restarts(path, after),
            effect=_effect(path, after),
        )
        for path, label in _LABELS.items()
        if before.get(path) != after.get(path)
    ]
    return changes + list(_variables(old, new, new_secrets))


def of_weights(old: ModelSource, new: ModelSource) -> list[Change]:
    """The change of what the model's name stands for; nothing when replicas would load the same."""
    if old.same_weights(new):
        return []
    return [Change("Weights", _source(old), _source(new), restarts=True, effect="With the restart")]


def three_way(
    begun: Mapping[str, Any],
    theirs: Mapping[str, Any],
    mine: Mapping[str, Any],
    *,
    their_secrets: frozenset[str] = frozenset(),
    my_secrets: frozenset[str] = frozenset(),
) -> list[Clash]:
    """Every setting that one of two people changed, from the revision where both began; both together first."""
    base, left, right = _flat(begun), _flat(theirs), _flat(mine)
    found = [
        Clash(
            label,
            _said(path, base),
            _said(path, left),
            _said(path, right),
            by_them=left.get(path) != base.get(path),
            by_me=right.get(path) != base.get(path),
        )
        for path, label in _LABELS.items()
        if not base.get(path) == left.get(path) == right.get(path)
    ]
    rows = [_by_name(mapping) for mapping in (begun, theirs, mine)]
    for name in dict.fromkeys(name for each in rows for name in each):
        was, left_row, right_row = (each.get(name) for each in rows)
        by_them = left_row != was or name in their_secrets
        by_me = right_row != was or name in my_secrets
        if by_them or by_me:
            said_left = NEW_VALUE if name in their_secrets and left_row else _variable(left_row)
            said_right = f"Your {NEW_VALUE.lower()}" if name in my_secrets and right_row else None
            found.append(
                Clash(
                    "Variable",
                    _variable(was),
                    said_left,
                    said_right or _variable(right_row),
                    code=name,
                    by_them=by_them,
                    by_me=by_me,
                )
            )
    return sorted(found, key=lambda clash: not clash.is_both)


def in_short(changes: list[Change], longest: int = 3) -> str:
    """The changes in one line, such as "Image tag, Replicas and 2 more"; empty for none."""
    names = list(dict.fromkeys(change.code or change.label for change in changes))
    if len(names) > longest:
        names = [*names[: longest - 1], f"{len(names) - longest + 1} more"]
    return names[0] if len(names) == 1 else " and ".join([", ".join(names[:-1]), names[-1]]) if names else ""


def _variables(
    old: Mapping[str, Any], new: Mapping[str, Any], new_secrets: frozenset[str]
) -> Iterator[Change]:
    before, after = _by_name(old), _by_name(new)
    for name in [*after, *(name for name in before if name not in after)]:
        was, now = before.get(name), after.get(name)
        new_value = name in new_secrets and now is not None and bool(now.get("secret"))
        if was != now or new_value:
            said = NEW_VALUE if new_value else _variable(now)
            yield Change(
                "Variable", _variable(was), said, code=name, restarts=True, effect="With the restart"
            )
    kept = [[name for name in rows if name in before and name in after] for rows in (before, after)]
    if kept[0] != kept[1]:
        old_order, new_order = map(", ".join, kept)
        yield Change("Order of variables", old_order, new_order, restarts=True, effect="With the restart")


def _by_name(mapping: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The variables by name; rows of a draft that have none yet are passed over."""
    rows = mapping["spec"].get("environment")
    return {
        row["name"]: row
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, Mapping) and isinstance(row.get("name"), str)
    }


def _variable(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return _NOT_SET
    return "Secret" if row.get("secret") else str(row.get("value") or "Empty")


def _flat(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The document's values by dotted path; lists stay whole, and nothing counts as absent."""
    found: dict[str, Any] = {"metadata.description": mapping["metadata"].get("description")}
    rest: list[tuple[str, Mapping[str, Any]]] = [("", mapping["spec"])]
    while rest:
        at, part = rest.pop()
        for key, value in part.items():
            path = f"{at}{key}"
            if isinstance(value, Mapping):
                rest.append((f"{path}.", value))
            elif path in ("engine.workers.prefill", "engine.workers.decode"):
                found[f"{path}.replicas"] = value
            else:
                found[path] = value
    present = {path: value for path, value in found.items() if value not in (None, "", [])}
    return {**_LEFT_OUT, **present}


def _said(path: str, flat: Mapping[str, Any]) -> str:
    """The value at a path, in words."""
    value = flat.get(path)
    if path == "autoscaling.enabled":
        return "On" if value else "Off"
    if isinstance(value, list):
        separator = ", " if path == "sharing.organizations" else " "
        return separator.join(shlex.quote(str(item)) for item in value)
    if value is None:
        return _ABSENT.get(path, _NOT_SET)
    if path in _WORDS and value in list(_WORDS[path]):
        return _WORDS[path](value).label
    if path == "autoscaling.threshold" and _is_percentage(flat):
        return f"{value} %"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _is_percentage(flat: Mapping[str, Any]) -> bool:
    metric = flat.get("autoscaling.metric")
    return metric not in list(ScalingMetric) or ScalingMetric(metric).is_percentage


def _restarts(path: str, flat: Mapping[str, Any]) -> bool:
    # Dynamo's volumes are made with each pod; all others are claims that grow by themselves.
    made_anew = path == "engine.volume" and flat.get("engine.kind") == Engine.DYNAMO
    return made_anew or path.startswith(_RESTARTS)


def _effect(path: str, flat: Mapping[str, Any]) -> str:
    if _restarts(path, flat):
        return "With the restart"
    if path in _REPLICAS:
        return "The others keep running"
    if path == "engine.volume":
        return "The volumes grow"
    if path == "rollout.strategy":
        return "At this rollout"
    return "No pod restarts"


def _source(source: ModelSource) -> str:
    return f"{source.reference} at {source.revision}" if source.revision else source.reference
