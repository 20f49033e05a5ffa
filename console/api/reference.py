"""The OpenAPI document as people read it: what each operation takes and gives, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a body, of an address, or of an answer."""

    name: str
    kind: str
    """In words, such as "text or null"."""
    is_required: bool
    note: str


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    summary: str
    description: str
    takes: tuple[Field, ...]
    gives: tuple[Field, ...]


def groups(document: Document) -> list[tuple[str, list[Operation]]]:
    """Operations by what they are about, in the order of the document."""
    found: dict[str, list[Operation]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            told = Operation(
                method=method.upper(),
                path=path,
                summary=operation["summary"].capitalize(),
                description=operation.get("description", "").replace("`", ""),
                takes=(*_parameters(document, operation), *_body(document, operation)),
                gives=_answer(document, operation),
            )
            found.setdefault(operation["tags"][0], []).append(told)
    return list(found.items())


def _parameters(document: Document, operation: Mapping[str, Any]) -> Iterator[Field]:
    for each in operation.get("parameters", ()):
        if each["in"] == "path":
            continue  # it stands in the address
        where = " (header)" if each["in"] == "header" else " (query)"
        kind = _kind(document, each["schema"])
        yield Field(each["name"], kind + where, bool(each.get("required")), each.get("description", ""))


def _body(document: Document, operation: Mapping[str, Any]) -> Iterator[Field]:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield from _fields(document, content["schema"])
        return  # one form of it is enough


def _answer(document: Document, operation: Mapping[str, Any]) -> tuple[Field, ...]:
    for status, answer in operation["responses"].items():
        if str(status).startswith("2"):
            for content in answer.get("content", {}).values():
                return tuple(_fields(document, content["schema"]))
    return ()


def _fields(document: Document, schema: Mapping[str, Any]) -> Iterator[Field]:
    schema = _resolved(document, schema)
    required = set(schema.get("required", ()))
    for name, each in schema.get("properties", {}).items():
        yield Field(name, _kind(document, each), name in required, each.get("description", ""))


def _kind(document: Document, schema: Mapping[str, Any]) -> str:
    """In words; of objects the names of what is in them."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(document, each) for each in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(str(each) for each in schema["enum"])
    whole = _resolved(document, schema)
    match whole.get("type"):
        case "array":
            return f"list of {_kind(document, whole.get('items', {}))}"
        case "object" if "properties" in whole:
            return "{" + ", ".join(whole["properties"]) + "}"
        case "string":
            return f"text, at most {whole['maxLength']}" if "maxLength" in whole else "text"
        case "integer":
            return "whole number"
        case "boolean":
            return "true or false"
        case "null":
            return "null"
        case other:
            return str(other or "any")


def _resolved(document: Document, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema
