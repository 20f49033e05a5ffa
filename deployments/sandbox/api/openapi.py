"""The OpenAPI documents from which kubectl learns whether we check fields, and the shape of the kinds."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from deployments.sandbox.api import discovery, schema
from deployments.sandbox.api.kinds import KINDS, Kind, is_absent

_QUERY = ("dryRun", "fieldManager", "fieldValidation", "force", "pretty")


def index(absent: frozenset[str] = frozenset()) -> dict[str, Any]:
    """GET /openapi/v3: one document for each group and version that is there."""
    paths = {
        _path(kind): {"serverRelativeURL": f"/openapi/v3/{_path(kind)}?hash=sandbox"}
        for kind in KINDS
        if schema.name_of(kind) and not is_absent(kind, absent)
    }
    return {"paths": paths}


@cache
def document_v3(path: str) -> bytes | None:
    """GET /openapi/v3/PATH as JSON; None for an unknown path."""
    kinds = [kind for kind in KINDS if _path(kind) == path and schema.name_of(kind)]
    if not kinds:
        return None
    document = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes (sandbox)", "version": discovery.version()["gitVersion"]},
        "paths": _paths(kinds, "application/json", v3=True),
        "components": {"schemas": _schemas(kinds)},
    }
    return msgspec.json.encode(document).replace(b"#/definitions/", b"#/components/schemas/")


@cache
def document_v2() -> bytes:
    """GET /openapi/v2 as JSON."""
    kinds = [kind for kind in KINDS if schema.name_of(kind)]
    document = {
        "swagger": "2.0",
        "info": {"title": "Kubernetes (sandbox)", "version": discovery.version()["gitVersion"]},
        "paths": _paths(kinds, "application/json", v3=False),
        "definitions": schema.definitions(),
    }
    return msgspec.json.encode(document)


def _path(kind: Kind) -> str:
    return f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"


def _paths(kinds: list[Kind], media: str, *, v3: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in kinds:
        base = f"/{_path(kind)}/" + ("namespaces/{namespace}/" if kind.namespaced else "") + kind.plural
        for path, methods in (
            (base, {"post": "create"}),
            (base + "/{name}", {"patch": "patch", "put": "update"}),
        ):
            found[path] = {
                method: _operation(kind, verb, media, v3=v3)
                for method, verb in methods.items()
                if verb in kind.verbs
            }
    return found


def _operation(kind: Kind, verb: str, media: str, *, v3: bool) -> dict[str, Any]:
    group_version_kind = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    reference = {"$ref": f"#/definitions/{schema.name_of(kind)}"}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query"} | ({"schema": {"type": "string"}} if v3 else {"type": "string"})
        for name in _QUERY
    ]
    operation: dict[str, Any] = {
        "operationId": f"{verb}{kind.group}{kind.version}{kind.kind}",
        "parameters": parameters,
        "x-kubernetes-action": {"create": "post", "update": "put", "patch": "patch"}[verb],
        "x-kubernetes-group-version-kind": group_version_kind,
    }
    answer: dict[str, Any] = {"description": "OK"}
    if v3:
        answer["content"] = {media: {"schema": reference}}
        operation["requestBody"] = {"content": {media: {"schema": reference}}}
    else:
        answer["schema"] = reference
        parameters.append({"name": "body", "in": "body", "required": True, "schema": reference})
    operation["responses"] = {"200": answer}
    return operation


def _schemas(kinds: list[Kind]) -> dict[str, Any]:
    """The definitions that some kinds need, with everything that they refer to."""
    everything = schema.definitions()
    found: dict[str, Any] = {}
    waiting = [name for kind in kinds if (name := schema.name_of(kind))]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = everything[name]
            _references(everything[name], waiting)
    return found


def _references(node: Any, into: list[str]) -> None:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            into.append(reference.rsplit("/", 1)[-1])
        for value in node.values():
            _references(value, into)
    elif isinstance(node, list):
        for value in node:
            _references(value, into)
