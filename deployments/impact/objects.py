"""Which Kubernetes objects a change makes, writes, removes and leaves alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deployments import naming

Object = Mapping[str, Any]

WORKLOADS = ("StatefulSet", "Deployment", "NIMService", "DynamoGraphDeployment")


class Touch(StrEnum):
    """What happens to an object."""

    MADE = "Made"
    WRITTEN = "Written"
    REMOVED = "Removed"
    UNTOUCHED = "Left alone"


@dataclass(frozen=True, slots=True)
class ObjectChange:
    kind: str
    name: str
    touch: Touch
    note: str = ""
    """What the change means; empty when there is nothing to add."""
    restarts: bool = False
    """Its pods are made anew."""


def compare(before: Iterable[Object], after: Iterable[Object]) -> list[ObjectChange]:
    """Every object of either side: those wanted in the order of creation, then what goes, the newest first."""
    had = {_identity(each): each for each in before}
    found = []
    for each in after:
        kind, name = _identity(each)
        was = had.pop((kind, name), None)
        if was is None:
            found.append(ObjectChange(kind, name, Touch.MADE))
        elif was == each:
            found.append(ObjectChange(kind, name, Touch.UNTOUCHED))
        else:
            restarts = kind in WORKLOADS and _pods(was) != _pods(each)
            found.append(ObjectChange(kind, name, Touch.WRITTEN, _note(was, each, restarts), restarts))
    return found + [ObjectChange(kind, name, Touch.REMOVED) for kind, name in reversed(had)]


def _pods(workload: Object) -> Any:
    """What the pods of a workload are made from; operators' objects carry its digest."""
    digest = (workload["metadata"].get("labels") or {}).get(naming.TEMPLATE_LABEL)
    return digest or (workload.get("spec") or {}).get("template")


def _note(was: Object, now: Object, restarts: bool) -> str:
    if restarts:
        return "Its pods are made anew"
    if _without_revision(was) == _without_revision(now):
        return "Only the revision's number"
    return "Its pods stay" if now["kind"] in WORKLOADS else ""


def _without_revision(each: Object) -> Object:
    labels = {k: v for k, v in (each["metadata"].get("labels") or {}).items() if k != naming.REVISION_LABEL}
    return {**each, "metadata": {**each["metadata"], "labels": labels}}


def _identity(each: Object) -> tuple[str, str]:
    return str(each["kind"]), str(each["metadata"]["name"])
