"""The schema that a CustomResourceDefinition shows: what the sandbox keeps and drops of a kind, in outline.

Types of Kubernetes itself are written out two levels deep, so that pod templates show their metadata; what lies deeper
is shown as open. Values in, values out.
"""

from __future__ import annotations

from typing import Any

from deployments.sandbox.api import schema
from deployments.sandbox.api.kinds import Kind

Node = dict[str, Any]

_DEPTH = 2
_OPEN: Node = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_EITHER = ("quantity", "int-or-string")
#: What a definition may say beside the parts below; how lists merge in patches is no part of one.
_SAID = (
    *("type", "format", "required", "enum", "default", "pattern", "minLength", "maxLength"),
    *("minimum", "maximum", "minItems", "maxItems", "maxProperties"),
    *("x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string", "x-kubernetes-map-type"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
)


def outline(kind: Kind) -> Node:
    """Of a whole object. An object's own metadata is the API server's affair and stays without fields."""
    root = schema.root(kind)
    if "properties" not in root:
        return dict(_OPEN)
    made = _written({key: value for key, value in root.items() if key != "$ref"}, _DEPTH)
    made["properties"]["metadata"] = {"type": "object"}
    return made


def _written(node: Node, depth: int) -> Node:
    if "$ref" in node:
        target = schema.resolve(node)
        if depth == 0:
            return _end(target)
        node, depth = target, depth - 1
    if node.get("format") in _EITHER:
        return {"x-kubernetes-int-or-string": True}
    made = {key: node[key] for key in _SAID if key in node}
    if "properties" in node:
        made["properties"] = {name: _written(below, depth) for name, below in node["properties"].items()}
    for part in ("items", "additionalProperties"):
        if isinstance(node.get(part), dict):
            made[part] = _written(node[part], depth)
    return made


def _end(node: Node) -> Node:
    if node.get("format") in _EITHER:
        return {"x-kubernetes-int-or-string": True}
    kind = node.get("type", "object")
    return dict(_OPEN) if kind == "object" else {"type": kind}
