"""JSON patch, merge patch and strategic merge patch; server-side apply has a file of its own."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.api import schema
from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.api.json_tree import clone

_DIRECTIVE = "$patch"
_DELETE_ITEMS = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_RETAIN = "$retainKeys"


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: objects merge, null deletes, everything else replaces."""
    if not isinstance(patch, dict):
        return clone(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902. Raises ApiError 400 for a malformed patch and 422 for one that does not fit the object."""
    if not isinstance(operations, list):
        raise ApiError(400, "a JSON patch is a list of operations")
    document = {"root": clone(target)}
    for operation in operations:
        if (
            not isinstance(operation, dict)
            or "op" not in operation
            or not isinstance(operation.get("path"), str)
        ):
            raise ApiError(400, "each operation of a JSON patch needs op and path")
        try:
            _operate(document, operation)
        except (KeyError, IndexError, ValueError, TypeError) as problem:
            raise ApiError(
                422,
                f"the server rejected our request due to an error in our request: {operation['op']} "
                f"{operation['path']}: {problem}",
            ) from problem
    return document["root"]


def _operate(document: dict[str, Any], operation: dict[str, Any]) -> None:
    path = operation["path"]
    match operation["op"]:
        case "add":
            _add(document, path, clone(operation["value"]))
        case "remove":
            _remove(document, path)
        case "replace":
            _read(document, path)
            if path:
                _remove(document, path)
            _add(document, path, clone(operation["value"]))
        case "move":
            value = _read(document, operation["from"])
            _remove(document, operation["from"])
            _add(document, path, value)
        case "copy":
            _add(document, path, clone(_read(document, operation["from"])))
        case "test":
            if _read(document, path) != operation["value"]:
                raise ValueError("testing value failed")
        case unknown:
            raise ValueError(f"unexpected kind: {unknown}")


def _steps(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise ValueError("a path starts with /")
    return ["root", *(step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:])]


def _parent(document: dict[str, Any], path: str) -> tuple[Any, str]:
    steps = _steps(path)
    node: Any = document
    for step in steps[:-1]:
        node = node[_index(node, step)] if isinstance(node, list) else node[step]
    return node, steps[-1]


def _index(node: list[Any], step: str) -> int:
    if not step.isdigit():
        raise ValueError(f"{step!r} is not an index")
    index = int(step)
    if index >= len(node):
        raise IndexError(f"index {index} is out of range")
    return index


def _read(document: dict[str, Any], path: str) -> Any:
    node, last = _parent(document, path)
    return node[_index(node, last)] if isinstance(node, list) else node[last]


def _add(document: dict[str, Any], path: str, value: Any) -> None:
    node, last = _parent(document, path)
    if not isinstance(node, list):
        node[last] = value
    elif last == "-":
        node.append(value)
    elif last.isdigit() and int(last) <= len(node):
        node.insert(int(last), value)
    else:
        raise IndexError(f"index {last} is out of range")


def _remove(document: dict[str, Any], path: str) -> None:
    node, last = _parent(document, path)
    if isinstance(node, list):
        del node[_index(node, last)]
    else:
        del node[last]


def strategic_patch(target: Any, patch: dict[str, Any], node: schema.Node) -> dict[str, Any]:
    """A merge patch that merges lists by key where the schema says so, with the `$` directives of kubectl."""
    if patch.get(_DIRECTIVE) == "replace":
        return {key: clone(value) for key, value in patch.items() if not key.startswith("$")}
    merged = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        kept = set(patch[_RETAIN])
        merged = {key: value for key, value in merged.items() if key in kept}
    for key, value in patch.items():
        if key.startswith(_DELETE_ITEMS):
            field = key.removeprefix(_DELETE_ITEMS)
            merged[field] = [item for item in merged.get(field) or [] if item not in value]
        elif not key.startswith("$"):
            _merge_field(merged, key, value, schema.child(node, key) or {})
    for key, order in patch.items():
        if key.startswith(_ORDER):
            field = key.removeprefix(_ORDER)
            below = schema.child(node, field) or {}
            if isinstance(merged.get(field), list):
                merged[field] = _sorted(merged[field], order, below.get("x-kubernetes-patch-merge-key"))
    return merged


def _merge_field(merged: dict[str, Any], key: str, value: Any, node: schema.Node) -> None:
    if value is None:
        merged.pop(key, None)
    elif isinstance(value, dict):
        if value.get(_DIRECTIVE) == "delete":
            merged.pop(key, None)
        else:
            merged[key] = strategic_patch(merged.get(key), value, node)
    elif isinstance(value, list) and "merge" in str(node.get("x-kubernetes-patch-strategy", "")):
        merged[key] = _merge_list(merged.get(key) or [], value, node)
    else:
        merged[key] = clone(value)


def _merge_list(current: list[Any], patch: list[Any], node: schema.Node) -> list[Any]:
    key = node.get("x-kubernetes-patch-merge-key")
    if key is None:
        return current + [item for item in patch if item not in current]
    below = schema.items(node)
    if any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" for item in patch):
        return [clone(item) for item in patch if _DIRECTIVE not in item]
    merged = list(current)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise ApiError(400, f"map: {item} does not contain declared merge key: {key}")
        place = next((index for index, known in enumerate(merged) if known.get(key) == item[key]), None)
        if item.get(_DIRECTIVE) == "delete":
            merged = [known for known in merged if known.get(key) != item[key]]
        elif place is None:
            merged.append(strategic_patch({}, item, below))
        else:
            merged[place] = strategic_patch(merged[place], item, below)
    return merged


def _sorted(items: list[Any], order: list[Any], key: str | None) -> list[Any]:
    def name(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    ranks = {str(name(item)): rank for rank, item in enumerate(order)}
    return sorted(items, key=lambda item: ranks.get(str(name(item)), len(ranks)))
