"""Server-side apply: what a manager sends becomes its share of the object; what it no longer sends goes away."""

from __future__ import annotations

import json
from typing import Any

from deployments.sandbox.api import kinds, ownership, schema
from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.api.json_tree import clone
from deployments.sandbox.api.ownership import Object, Path

_MISSING = object()


def apply(
    plural: str,
    live: Object | None,
    applied: Object,
    *,
    manager: str,
    force: bool,
    moment: str,
    subresource: str = "",
) -> Object:
    """The object after `manager` applied `applied`, with its managedFields.

    Raises ApiError 409 with one cause per field if another manager owns a field with another value and `force` is off.
    """
    applied = _configuration(applied, subresource)
    only = frozenset({"status"}) if subresource == "status" else None
    sent = ownership.leaves(plural, applied, only, strict=True)
    wanted = set(sent)
    base: Object = clone(live) if live is not None else {}
    root = schema.root(kinds.written_as(plural, applied))
    known = ownership.entries(base)
    owned = ownership.leaves(plural, base) if live is not None else {}
    contested = {
        path for path in wanted if owned.get(path, _MISSING) is not _MISSING and owned[path] != sent[path]
    }
    before: set[Path] = set()
    others: list[tuple[dict[str, Any], set[Path]]] = []
    for entry in known:
        paths = ownership.decode(entry["fieldsV1"])
        if (entry["manager"], entry["operation"], entry.get("subresource", "")) == (
            manager,
            "Apply",
            subresource,
        ):
            before = paths
        else:
            others.append((entry, paths))
    _check_conflicts([other for other in others if not _is_predecessor(other[0], manager)], contested, force)
    merged = _merge(base, applied, root)
    shared = {
        path[:length] for _entry, paths in others for path in paths for length in range(1, len(path) + 1)
    }
    # Shorter paths first: a list item goes as a whole, before its fields.
    for path in sorted(before - wanted - shared, key=len):
        if not _is_key(path):
            _drop(merged, path)
    entries = []
    for entry, paths in others:
        left = paths - contested
        if left == paths:
            entries.append(entry)
        elif left:
            entries.append(entry | {"fieldsV1": ownership.encode(left)})
    if wanted:
        entries.append(_my_entry(known, applied, manager, wanted, before, moment, subresource))
    merged.setdefault("metadata", {})["managedFields"] = entries
    return merged


def _my_entry(
    known: list[dict[str, Any]],
    applied: Object,
    manager: str,
    wanted: set[Path],
    before: set[Path],
    moment: str,
    subresource: str,
) -> dict[str, Any]:
    if wanted == before:
        # Nothing new is claimed: the old entry stays to the letter, so that applying twice writes nothing.
        for entry in known:
            if (entry["manager"], entry["operation"], entry.get("subresource", "")) == (
                manager,
                "Apply",
                subresource,
            ):
                return entry
    return ownership.entry(applied, manager, "Apply", wanted, moment, subresource)


def _configuration(applied: Object, subresource: str) -> Object:
    """What of the sent object is a claim: no server-side metadata, no nulls, no status outside its subresource."""
    kept = _without_nulls(applied)
    meta = kept.get("metadata") or {}
    for field in ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"):
        meta.pop(field, None)
    if subresource == "status":
        return {
            key: value for key, value in kept.items() if key in ("apiVersion", "kind", "metadata", "status")
        }
    kept.pop("status", None)
    return dict(kept)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _check_conflicts(
    others: list[tuple[dict[str, Any], set[Path]]], contested: set[Path], force: bool
) -> None:
    if force:
        return
    causes = []
    for entry, paths in others:
        using = f' with subresource "{entry["subresource"]}"' if entry.get("subresource") else ""
        version = f" using {entry['apiVersion']}" if entry["operation"] == "Update" else ""
        for path in sorted(paths & contested):
            causes.append(
                {
                    "reason": "FieldManagerConflict",
                    "message": f'conflict with "{entry["manager"]}"{using}{version}',
                    "field": ownership.shown(path),
                }
            )
    if causes:
        count = f"{len(causes)} conflict{'s' if len(causes) > 1 else ''}"
        told = "; ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
        raise ApiError(
            409, f"Apply failed with {count}: {told}", reason="Conflict", details={"causes": causes}
        )


def _is_predecessor(entry: dict[str, Any], manager: str) -> bool:
    """kubectl may take over what it applied itself before it learned server-side apply."""
    return manager == "kubectl" and entry["manager"] == "kubectl-client-side-apply"


def _merge(live: Any, applied: Any, node: schema.Node) -> Any:
    if isinstance(applied, dict) and isinstance(live, dict) and not schema.is_atomic(node):
        merged = dict(live)
        for field, value in applied.items():
            merged[field] = _merge(live.get(field), value, schema.child(node, field) or {})
        return merged
    if isinstance(applied, list) and isinstance(live, list):
        if keys := schema.merge_keys(node):
            return _merge_list(live, applied, keys, schema.items(node))
        if schema.is_set(node):
            return live + [item for item in applied if item not in live]
    return clone(applied)


def _merge_list(live: list[Any], applied: list[Any], keys: list[str], node: schema.Node) -> list[Any]:
    sent = {schema.key_of(item, keys): item for item in applied}
    merged = []
    for item in live:
        key = schema.key_of(item, keys)
        merged.append(_merge(item, sent.pop(key), node) if key in sent else item)
    return merged + [clone(item) for item in sent.values()]


def _is_key(path: Path) -> bool:
    """Whether a path is a field that tells a list item from the others."""
    return len(path) > 1 and path[-2].startswith("k:") and path[-1][2:] in json.loads(path[-2][2:])


def _drop(obj: Any, path: Path) -> None:
    """Remove what a path points at; a branch that becomes empty by it goes too."""
    trail: list[tuple[Any, Any]] = []
    node = obj
    for element in path:
        place = _place(node, element)
        if place is None:
            return
        trail.append((node, place))
        node = node[place]
    holder, place = trail.pop()
    del holder[place]
    while trail:
        holder, place = trail.pop()
        if holder[place] not in ({}, []) or len(trail) == 0:
            return
        del holder[place]


def _place(node: Any, element: str) -> Any:
    if element.startswith("f:"):
        field = element[2:]
        return field if isinstance(node, dict) and field in node else None
    if not isinstance(node, list):
        return None
    if element.startswith("v:"):
        value = json.loads(element[2:])
        return node.index(value) if value in node else None
    wanted = json.loads(element[2:])
    for index, item in enumerate(node):
        if isinstance(item, dict) and all(item.get(key) == value for key, value in wanted.items()):
            return index
    return None
