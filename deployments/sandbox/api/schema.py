"""The published schemas of the kinds that we serve: field types, and how lists and maps merge."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from deployments.sandbox.api.kinds import Kind

Node = dict[str, Any]

_FOLDER = Path(__file__).parent / "schemas"
# The files of custom kinds, by what they hold.
_CUSTOM = {
    "gateway.json": ("gateway.networking.k8s.io", "v1"),
    "nim.json": ("apps.nvidia.com", "v1alpha1"),
    "dynamo-v1beta1.json": ("nvidia.com", "v1beta1"),
    "dynamo-v1alpha1.json": ("nvidia.com", "v1alpha1"),
    "keda.json": ("keda.sh", "v1alpha1"),
}
# A field that is left out of a list's key has the value that the server would give it.
_KEY_DEFAULTS = {"protocol": "TCP"}
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_FREE: Node = {"x-kubernetes-preserve-unknown-fields": True}


@cache
def definitions() -> dict[str, Node]:
    """All definitions by full name; the custom kinds stand under their group's reversed name."""
    known: dict[str, Node] = json.loads((_FOLDER / "kubernetes.json").read_text())
    for file, (group, version) in _CUSTOM.items():
        reverse = ".".join(reversed(group.split(".")))
        for name, node in json.loads((_FOLDER / file).read_text()).items():
            node["properties"]["metadata"] = {
                "$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
            }
            node["x-kubernetes-group-version-kind"] = [{"group": group, "version": version, "kind": name}]
            known[f"{reverse}.{version}.{name}"] = node
    return known


@cache
def _names() -> dict[tuple[str, str, str], str]:
    return {
        (gvk["group"], gvk["version"], gvk["kind"]): name
        for name, node in definitions().items()
        for gvk in node.get("x-kubernetes-group-version-kind", ())
    } | {("", "v1", "Event"): "io.k8s.api.core.v1.Event"}


def name_of(kind: Kind) -> str | None:
    """The full definition name of a kind, or None for one without a schema."""
    return _names().get((kind.group, kind.version, kind.kind))


def root(kind: Kind) -> Node:
    """The schema of a whole object."""
    name = name_of(kind)
    return definitions()[name] if name else _FREE


def resolve(node: Node) -> Node:
    """Follow references until a schema says something itself; its siblings (merge rules) win."""
    while "$ref" in node:
        target = definitions()[node["$ref"].rsplit("/", 1)[-1]]
        node = target | {key: value for key, value in node.items() if key != "$ref"}
    return node


def child(node: Node, field: str) -> Node | None:
    """The schema of a field; None if the object has no such field."""
    node = resolve(node)
    properties = node.get("properties")
    if properties and field in properties:
        return resolve(properties[field])
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        return resolve(extra)
    if not properties or node.get("x-kubernetes-preserve-unknown-fields"):
        return _FREE
    return None


def items(node: Node) -> Node:
    """The schema of a list's items."""
    return resolve(resolve(node).get("items", _FREE))


def merge_keys(node: Node) -> list[str] | None:
    """The key fields of a list whose items are merged one by one under server-side apply; None for other lists."""
    if node.get("x-kubernetes-list-type") != "map":
        return None
    keys: list[str] = node["x-kubernetes-list-map-keys"]
    return keys


def is_set(node: Node) -> bool:
    """A list of distinct scalars that managers may share."""
    return node.get("x-kubernetes-list-type") == "set"


def is_atomic(node: Node) -> bool:
    """An object that is owned and replaced as a whole (selectors, references)."""
    return node.get("x-kubernetes-map-type") == "atomic"


def key_of(item: Node, keys: list[str]) -> str:
    """An item's key in the notation of managedFields: compact JSON with sorted fields."""
    values = {key: item.get(key, _KEY_DEFAULTS.get(key)) for key in sorted(keys)}
    return json.dumps(
        {key: value for key, value in values.items() if value is not None},
        separators=(",", ":"),
    )


def find_problems(kind: Kind, obj: dict[str, Any]) -> tuple[list[str], list[str]]:
    """(unknown fields, wrongly typed or missing fields), each as a sentence with its path."""
    unknown: list[str] = []
    wrong: list[str] = []
    _walk(root(kind), obj, "", unknown, wrong)
    return unknown, wrong


def prune(kind: Kind, obj: dict[str, Any]) -> None:
    """Drop the fields that the schema does not know, in place."""
    _prune(root(kind), obj)


def _prune(node: Node, value: Any) -> None:
    if isinstance(value, dict):
        for field in list(value):
            below = child(node, field)
            if below is None:
                del value[field]
            else:
                _prune(below, value[field])
    elif isinstance(value, list):
        below = items(node)
        for item in value:
            _prune(below, item)


def _walk(node: Node, value: Any, path: str, unknown: list[str], wrong: list[str]) -> None:
    if value is None:
        return
    declared = node.get("type")
    if node.get("x-kubernetes-int-or-string") or node.get("format") == "int-or-string":
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            wrong.append(f"{path or '.'}: expected a number or a string")
        return
    if node.get("format") == "quantity":
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            wrong.append(f"{path}: quantities must be strings or numbers")
        return
    if declared and not _has_type(value, declared):
        wrong.append(f"cannot unmarshal {_json_name(value)} into field {path or '.'} of type {declared}")
        return
    if isinstance(value, dict):
        for field, item in value.items():
            below = child(node, field)
            where = f"{path}.{field}" if path else field
            if below is None:
                unknown.append(f'unknown field "{where}"')
            else:
                _walk(below, item, where, unknown, wrong)
    elif isinstance(value, list):
        below = items(node)
        for index, item in enumerate(value):
            _walk(below, item, f"{path}[{index}]", unknown, wrong)


def _has_type(value: Any, declared: str) -> bool:
    if isinstance(value, bool):
        return declared == "boolean"
    if declared == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _JSON_TYPES[declared])


def _json_name(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return {
        str: "string",
        int: "number",
        float: "number",
        dict: "object",
        list: "array",
    }[type(value)]
