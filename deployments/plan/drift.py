"""Who changed a field of ours: read from metadata.managedFields, as the API server keeps it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from deployments import naming
from deployments.plan.values import HAND_OVER_MANAGER, Change, ObservedObject

MOST_PATHS = 10
_OURS = (naming.FIELD_MANAGER, HAND_OVER_MANAGER)
_ITEM = re.compile(r"\[(?:(?P<key>[^\]=]+)=(?P<value>[^\]]*)|(?P<index>\d+))\]")


def changes(item: ObservedObject, paths: Sequence[str]) -> list[Change]:
    """The changed paths (as likeness.differences gives them) by the managers that own them now, never ours.

    A field that was removed has no owner; neither has one that an admission webhook wrote for somebody.
    """
    by: dict[str, list[str]] = {}
    for path in paths:
        by.setdefault(_owner(item, path), []).append(path)
    return [Change(item.title, tuple(found[:MOST_PATHS]), manager) for manager, found in sorted(by.items())]


def _owner(item: ObservedObject, path: str) -> str:
    entries = [
        entry
        for entry in item.metadata.get("managedFields") or ()
        if entry.get("manager") not in _OURS and entry.get("subresource") != "status"
    ]
    # The newest writer last: it is the one that made the value what it is.
    entries.sort(key=lambda entry: str(entry.get("time", "")), reverse=True)
    for entry in entries:
        if _holds(entry.get("fieldsV1") or {}, path):
            return str(entry.get("manager", ""))
    return ""


def _holds(fields: Mapping[str, Any], path: str) -> bool:
    """Whether a set of fields has the path, or something that it is a part of or that is a part of it."""
    if not path or not fields:
        return True
    if item := _ITEM.match(path):
        if item["index"] is not None:
            return True  # a list without keys is owned as a whole
        below = _item(fields, item["key"], item["value"])
        return below is not None and _holds(below, path[item.end() :].removeprefix("."))
    # Keys of labels and annotations have dots of their own.
    return any(
        _holds(below, path[len(name) - 2 :].removeprefix("."))
        for name, below in fields.items()
        if name.startswith("f:") and f"{path}.".replace("[", ".").startswith(f"{name[2:]}.")
    )


def _item(at: Mapping[str, Any], key: str, value: str) -> Mapping[str, Any] | None:
    for name, below in at.items():
        if name.startswith("k:"):
            found = json.loads(name[2:])
            if str(found.get(key)) == value:
                return below if below else {".": {}}
    return None
