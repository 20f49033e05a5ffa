"""The rules of custom kinds: what their schema requires, and the sentences of their own validation.

An API server checks required fields, bounds and closed lists of a custom kind by its schema; rules that compare
fields stand in the definition as expressions, and here as functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from deployments.sandbox.api import schema
from deployments.sandbox.api.kinds import Kind

Problem = tuple[str, str]


def problems(kind: Kind, obj: dict[str, Any]) -> Iterator[Problem]:
    """Everything that the definition of a custom kind says against an object."""
    found = list(_walk(schema.root(kind), {key: obj[key] for key in obj if key == "spec"}, ""))
    yield from found
    rules = _RULES.get(kind.plural)
    # A server evaluates the expressions only once the shape is right.
    if rules is not None and not found:
        yield from rules(obj.get("spec") or {})


def _walk(node: schema.Node, value: Any, path: str) -> Iterator[Problem]:
    node = schema.resolve(node)
    if isinstance(value, (dict, list)):
        most = node.get("maxItems") or node.get("maxProperties")
        if most is not None and len(value) > most:
            yield path, f"Too many: {len(value)}: must have at most {most} items"
    if isinstance(value, dict):
        for field in node.get("required") or []:
            if value.get(field) is None and path:
                yield f"{path}.{field}", "Required value"
        for field, item in value.items():
            below = schema.child(node, field)
            if below is not None and item is not None:
                yield from _walk(below, item, f"{path}.{field}" if path else field)
    elif isinstance(value, list):
        below = schema.items(node)
        for index, item in enumerate(value):
            yield from _walk(below, item, f"{path}[{index}]")
    else:
        yield from _scalar(node, value, path)


def _scalar(node: schema.Node, value: Any, path: str) -> Iterator[Problem]:
    allowed = node.get("enum")
    if allowed and value not in allowed:
        listed = ", ".join(f'"{each}"' for each in sorted(allowed))
        yield path, f'Unsupported value: "{value}": supported values: {listed}'
    if isinstance(value, str):
        yield from _text(node, value, path)
    if not isinstance(value, int) or isinstance(value, bool):
        return
    for bound, wrong, word in (("minimum", -1, "greater"), ("maximum", 1, "less")):
        limit = node.get(bound)
        if limit is not None and (value - limit) * wrong > 0:
            yield path, f"Invalid value: {value}: {path} in body should be {word} than or equal to {limit}"


def _text(node: schema.Node, value: str, path: str) -> Iterator[Problem]:
    shortest, longest, pattern = node.get("minLength", 0), node.get("maxLength"), node.get("pattern")
    if len(value) < shortest:
        should = f"{path} in body should be at least {shortest} chars long"
        yield path, f'Invalid value: "{value}": {should}'
    elif longest is not None and len(value) > longest:
        yield path, f"Too long: may not be more than {longest} bytes"
    elif pattern and not re.search(pattern, value):
        yield path, f"Invalid value: \"{value}\": {path} in body should match '{pattern}'"


def _graph(spec: dict[str, Any]) -> Iterator[Problem]:
    names = [str(component["name"]).lower() for component in spec.get("components") or []]
    if len(set(names)) < len(names):
        yield "spec.components", "Invalid value: component names must be unique case-insensitively"
    for name, service in (spec.get("services") or {}).items():
        memory = service.get("sharedMemory")
        if memory is not None and not memory.get("disabled") and not memory.get("size"):
            path = f"spec.services[{name}].sharedMemory"
            yield path, "Invalid value: size is required when disabled is false"


def _scaled_object(spec: dict[str, Any]) -> Iterator[Problem]:
    if spec.get("minReplicaCount", 0) > spec.get("maxReplicaCount", 100):
        yield "spec", "Invalid value: minReplicaCount must be less than or equal to maxReplicaCount"


def _nim_service(spec: dict[str, Any]) -> Iterator[Problem]:
    scaled = bool((spec.get("scale") or {}).get("enabled"))
    if scaled and spec.get("replicas") is not None:
        yield "spec", "Invalid value: spec.replicas cannot be set when spec.scale.enabled is true"
    if scaled and spec.get("multiNode"):
        yield "spec", "Invalid value: autoScaling must be nil or disabled when multiNode is set"


_RULES = {
    "nimservices": _nim_service,
    "dynamographdeployments": _graph,
    "scaledobjects": _scaled_object,
}
