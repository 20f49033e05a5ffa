"""Bodies in Kubernetes' protobuf envelope, for the few kinds that kubectl's typed commands send that way.

`kubectl create secret`, `create namespace` and `auth can-i` offer no JSON. Other kinds get 415 and a clear sentence.
"""

from __future__ import annotations

import base64
from typing import Any

from deployments.sandbox.api.errors import ApiError

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# A message is a table of field number -> (name, form). A form is a word below or another message's name; a leading `*`
# means repeated.
_MESSAGES: dict[str, dict[int, tuple[str, str]]] = {
    "ObjectMeta": {
        1: ("name", "text"),
        2: ("generateName", "text"),
        3: ("namespace", "text"),
        5: ("uid", "text"),
        6: ("resourceVersion", "text"),
        11: ("labels", "map"),
        12: ("annotations", "map"),
        14: ("finalizers", "*text"),
    },
    "Namespace": {1: ("metadata", "ObjectMeta"), 2: ("spec", "NamespaceSpec")},
    "NamespaceSpec": {1: ("finalizers", "*text")},
    "Secret": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "map of bytes"),
        3: ("type", "text"),
        4: ("stringData", "map"),
        5: ("immutable", "flag"),
    },
    "ConfigMap": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "map"),
        3: ("binaryData", "map of bytes"),
        4: ("immutable", "flag"),
    },
    "ServiceAccount": {1: ("metadata", "ObjectMeta")},
    "SelfSubjectAccessReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "AccessReviewSpec")},
    "AccessReviewSpec": {
        1: ("resourceAttributes", "ResourceAttributes"),
        2: ("nonResourceAttributes", "PathAttributes"),
    },
    "ResourceAttributes": {
        1: ("namespace", "text"),
        2: ("verb", "text"),
        3: ("group", "text"),
        4: ("version", "text"),
        5: ("resource", "text"),
        6: ("subresource", "text"),
        7: ("name", "text"),
    },
    "PathAttributes": {1: ("path", "text"), 2: ("verb", "text")},
    "SelfSubjectRulesReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "RulesReviewSpec")},
    "RulesReviewSpec": {1: ("namespace", "text")},
    "DeleteOptions": {
        1: ("gracePeriodSeconds", "number"),
        2: ("preconditions", "Preconditions"),
        3: ("orphanDependents", "flag"),
        4: ("propagationPolicy", "text"),
        5: ("dryRun", "*text"),
    },
    "Preconditions": {1: ("uid", "text"), 2: ("resourceVersion", "text")},
    "Envelope": {1: ("type", "Type"), 2: ("raw", "bytes")},
    "Type": {1: ("apiVersion", "text"), 2: ("kind", "text")},
    "Entry": {1: ("key", "text"), 2: ("value", "bytes")},
}


def parse(content: bytes) -> dict[str, Any]:
    """The object in an envelope. Raises ApiError 415 for a kind without a table, 400 for what cannot be read."""
    if not content.startswith(_MAGIC):
        raise ApiError(400, "the body is not in the Kubernetes protobuf format")
    try:
        envelope = _read("Envelope", content[len(_MAGIC) :])
        kind = envelope["type"]["kind"]
        if kind not in _MESSAGES:
            raise ApiError(415, f"the sandbox does not read {kind} as protobuf; send application/json")
        return {"apiVersion": envelope["type"].get("apiVersion", ""), "kind": kind} | _read(
            kind, envelope["raw"]
        )
    except (KeyError, IndexError, TypeError, UnicodeDecodeError) as problem:
        raise ApiError(400, "the protobuf body cannot be read") from problem


def _read(message: str, content: bytes) -> dict[str, Any]:
    fields = _MESSAGES[message]
    found: dict[str, Any] = {}
    position = 0
    while position < len(content):
        tag, position = _varint(content, position)
        value, position = _value(content, position, tag & 7)
        if tag >> 3 not in fields:
            continue
        name, form = fields[tag >> 3]
        if form.startswith("map"):
            entry = _read("Entry", value)
            found.setdefault(name, {})[entry.get("key", "")] = (
                base64.b64encode(entry.get("value", b"")).decode()
                if form == "map of bytes"
                else entry.get("value", b"").decode()
            )
        elif form.startswith("*"):
            found.setdefault(name, []).append(value.decode())
        elif form == "text":
            # Empty texts are written too; they mean "not said".
            if value:
                found[name] = value.decode()
        elif form in ("number", "bytes"):
            found[name] = value
        elif form == "flag":
            found[name] = bool(value)
        else:
            found[name] = _read(form, value)
    return found


def _varint(content: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
        if shift > 63:
            raise IndexError("a number has too many bytes")


def _value(content: bytes, position: int, form: int) -> tuple[Any, int]:
    if form == _VARINT:
        return _varint(content, position)
    if form == _BYTES:
        length, position = _varint(content, position)
    elif form in (_FIXED32, _FIXED64):
        length = 4 if form == _FIXED32 else 8
    else:
        raise IndexError(f"wire type {form}")
    if position + length > len(content):
        raise IndexError("the message is cut off")
    return content[position : position + length], position + length
