"""Who owns which field: the sets of paths behind metadata.managedFields.

A path is a tuple of elements as they stand in `fieldsV1`: `f:spec` (field), `k:{"name":"x"}` (list item by key),
`v:"x"` (item of a set). A set of paths holds the leaves and the list items themselves.
"""

from __future__ import annotations

import json
from typing import Any

from deployments.sandbox.api import kinds, schema
from deployments.sandbox.api.errors import ApiError

Object = dict[str, Any]
Path = tuple[str, ...]
Entry = dict[str, Any]

_IDENTITY = frozenset(
    [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "resourceVersion",
        "managedFields",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
    ]
)
_MEMBER = object()


def leaves(
    plural: str, obj: Object, only: frozenset[str] | None = None, *, strict: bool = False
) -> dict[Path, Any]:
    """Every path of an object that can be owned, with its value; `only` limits it to some top-level fields.

    Two list items with one key are possible in a plain write. With `strict` they raise ApiError 500, which is what an
    API server answers to a server-side apply of them.
    """
    root = schema.root(kinds.written_as(plural, obj))
    found: dict[Path, Any] = {}
    for field, value in obj.items():
        if field in ("apiVersion", "kind") or (only is not None and field not in only):
            continue
        node = schema.child(root, field) or {}
        if field == "metadata":
            for name, item in value.items():
                if name not in _IDENTITY:
                    _collect(schema.child(node, name) or {}, item, ("f:metadata", f"f:{name}"), found, strict)
        else:
            _collect(node, value, (f"f:{field}",), found, strict)
    return found


def _collect(node: schema.Node, value: Any, path: Path, found: dict[Path, Any], strict: bool) -> None:
    if isinstance(value, dict) and value and not schema.is_atomic(node):
        for field, item in value.items():
            _collect(schema.child(node, field) or {}, item, (*path, f"f:{field}"), found, strict)
    elif isinstance(value, list) and (keys := schema.merge_keys(node)):
        below = schema.items(node)
        for item in value:
            place = (*path, f"k:{schema.key_of(item, keys)}")
            if strict and place in found:
                told = ",".join(
                    f"{key}={json.dumps(part)}" for key, part in json.loads(place[-1][2:]).items()
                )
                raise ApiError(
                    500,
                    f"failed to create typed patch object: {shown(path)}: duplicate entries for key [{told}]",
                    reason="Unknown",
                )
            found[place] = _MEMBER
            for field, inner in item.items():
                _collect(
                    schema.child(below, field) or {},
                    inner,
                    (*place, f"f:{field}"),
                    found,
                    strict,
                )
    elif isinstance(value, list) and schema.is_set(node):
        for item in value:
            found[(*path, f"v:{json.dumps(item)}")] = _MEMBER
    else:
        found[path] = value


def shown(path: Path) -> str:
    """A path as messages write it: `.spec.template.spec.containers[name="engine"].image`."""
    text = ""
    for element in path:
        if element.startswith("f:"):
            text += f".{element[2:]}"
        elif element.startswith("k:"):
            text += (
                "["
                + ",".join(f"{key}={json.dumps(item)}" for key, item in json.loads(element[2:]).items())
                + "]"
            )
        else:
            text += f"[={element[2:]}]"
    return text


def encode(paths: set[Path]) -> dict[str, Any]:
    """A set of paths as a `fieldsV1` tree."""
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _trim(tree)


def _trim(node: dict[str, Any]) -> dict[str, Any]:
    if set(node) == {"."}:
        return {}
    return {key: {} if key == "." else _trim(below) for key, below in node.items()}


def decode(tree: dict[str, Any], prefix: Path = ()) -> set[Path]:
    """The set of paths of a `fieldsV1` tree."""
    if not tree:
        return {prefix} if prefix else set()
    found: set[Path] = set()
    for element, below in tree.items():
        if element == ".":
            found.add(prefix)
        else:
            found |= decode(below, (*prefix, element))
    return found


def entries(obj: Object) -> list[Entry]:
    """The managedFields of an object (empty if it has none)."""
    return list(obj.get("metadata", {}).get("managedFields") or [])


def readable(given: Any, otherwise: list[Entry]) -> list[Entry]:
    """The entries that a client sent, without those that cannot be read; `otherwise` if it sent none at all."""
    if not isinstance(given, list):
        return otherwise
    return [
        each
        for each in given
        if isinstance(each, dict)
        and isinstance(each.get("fieldsV1"), dict)
        and each.get("manager")
        and each.get("operation") in ("Apply", "Update")
    ]


def entry(
    obj: Object,
    manager: str,
    operation: str,
    paths: set[Path],
    moment: str,
    subresource: str = "",
) -> Entry:
    """One managedFields entry."""
    made: Entry = {
        "manager": manager,
        "operation": operation,
        "apiVersion": obj["apiVersion"],
        "time": moment,
        "fieldsType": "FieldsV1",
        "fieldsV1": encode(paths),
    }
    if subresource:
        made["subresource"] = subresource
    return made


def track(
    before: Object | None,
    after: Object,
    manager: str,
    moment: str,
    subresource: str = "",
) -> None:
    """Make `manager` the owner of everything that a plain write changed, and take it from all others.

    Writes metadata.managedFields of `after`, in place.
    """
    plural = _shelf(after)
    only = _changed_tops(before, after, subresource)
    if not only:
        return
    new = leaves(plural, after, only)
    old = leaves(plural, before, only) if before else {}
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    lost = changed | (old.keys() - new.keys())
    kept: list[Entry] = []
    mine: set[Path] = set()
    for known in entries(after):
        paths = decode(known["fieldsV1"])
        if _is(known, manager, "Update", subresource):
            mine = paths
            continue
        left = paths - lost
        if left == paths:
            kept.append(known)
        elif left:
            kept.append(known | {"fieldsV1": encode(left)})
    mine = (mine - (old.keys() - new.keys())) | changed
    if mine:
        kept.append(entry(after, manager, "Update", mine, moment, subresource))
    after["metadata"]["managedFields"] = kept


def _changed_tops(before: Object | None, after: Object, subresource: str) -> frozenset[str]:
    if subresource == "status":
        return frozenset({"status"})
    fields = set(after) | set(before or ())
    return frozenset(
        field
        for field in fields - {"apiVersion", "kind", "status"}
        if before is None or before.get(field) != after.get(field)
    )


def _is(known: Entry, manager: str, operation: str, subresource: str) -> bool:
    return (known["manager"], known["operation"], known.get("subresource", "")) == (
        manager,
        operation,
        subresource,
    )


def _shelf(obj: Object) -> str:
    return _shelves()[obj["kind"]]


def _shelves() -> dict[str, str]:
    return {kinds.on_shelf(plural).kind: plural for plural in kinds.stored()}
