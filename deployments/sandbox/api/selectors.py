"""Label and field selectors, as they stand in the query of a list or watch."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.api.kinds import Kind

Object = dict[str, Any]
Test = Callable[[Object], bool]

_TERM = re.compile(
    r"\s*(?:"
    r"!\s*(?P<absent>[\w./-]+)"
    r"|(?P<key>[\w./-]+)\s*(?:"
    r"(?P<set>notin|in)\s*\((?P<values>[^()]*)\)"
    r"|(?P<operator>==|!=|=)\s*(?P<value>[\w.-]*)"
    r")?"
    r")\s*(?:,|$)"
)
_EVERYWHERE = {"metadata.name", "metadata.namespace"}
_FIELDS = {
    "pods": {
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    },
    "events": {
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    },
    "secrets": {"type"},
    "namespaces": {"status.phase"},
    "nodes": {"spec.unschedulable"},
    "replicasets": {"status.replicas"},
}
_ALIASES = {"source": "source.component"}


def everything(obj: Object) -> bool:
    """The selector that selects all objects."""
    return True


def by_labels(text: str) -> Test:
    """A label selector (equality and set based). Raises ApiError 400 if it cannot be read."""
    tests: list[Test] = []
    position = 0
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None or term.end() == position:
            raise ApiError(400, f"unable to parse requirement: {text[position : position + 60]!r}")
        position = term.end()
        tests.append(_label_test(term))
    return _all(tests)


def _label_test(term: re.Match[str]) -> Test:
    if absent := term["absent"]:
        return lambda obj: absent not in _labels(obj)
    key = term["key"]
    if kind := term["set"]:
        values = {value.strip() for value in term["values"].split(",")}
        if kind == "in":
            return lambda obj: _labels(obj).get(key) in values
        return lambda obj: _labels(obj).get(key) not in values
    value = term["value"]
    match term["operator"]:
        case None:
            return lambda obj: key in _labels(obj)
        case "!=":
            return lambda obj: _labels(obj).get(key) != value
    return lambda obj: _labels(obj).get(key) == value


def by_fields(kind: Kind, text: str) -> Test:
    """A field selector. Raises ApiError 400 for a field that the API server does not index for this kind."""
    tests: list[Test] = []
    known = _EVERYWHERE | _FIELDS.get(kind.plural, set())
    for term in filter(None, text.split(",")):
        path, operator, value = _field_term(term)
        if path not in known:
            raise ApiError(400, f'field label not supported: "{path}"')
        path = _ALIASES.get(path, path)
        tests.append(_field_test(path.split("."), value, same=operator != "!="))
    return _all(tests)


def _field_term(term: str) -> tuple[str, str, str]:
    for operator in ("!=", "==", "="):
        path, found, value = term.partition(operator)
        if found:
            return path.strip(), operator, value.strip()
    raise ApiError(400, f"invalid selector: {term!r}; can't understand it")


def _field_test(path: list[str], value: str, *, same: bool) -> Test:
    def test(obj: Object) -> bool:
        found: Any = obj
        for field in path:
            found = found.get(field) if isinstance(found, dict) else None
        if isinstance(found, bool):
            found = str(found).lower()
        elif path == ["spec", "unschedulable"] and found is None:
            found = "false"
        return (str("" if found is None else found) == value) is same

    return test


def _all(tests: list[Test]) -> Test:
    if not tests:
        return everything
    return lambda obj: all(test(obj) for test in tests)


def _labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}
