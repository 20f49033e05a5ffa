"""Keyed digests of what we apply: they tell a change of ours from one that others made. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from deployments.plan.values import APPLIED_ANNOTATION, Object, ObservedObject

#: Of a StatefulSet's pod template alone: whether a write makes pods anew.
TEMPLATE_ANNOTATION = "slipway/applied-template"
_OWN = (APPLIED_ANNOTATION, TEMPLATE_ANNOTATION)


def digest(object: Object, key: bytes) -> str:
    """A keyed digest of everything that an object says, our own annotations left out.

    Keyed, because it also covers secrets: nobody who may read annotations shall be able to guess a short one.
    """
    metadata = dict(object.get("metadata") or {})
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k not in _OWN}
    return _digest({**object, "metadata": {**metadata, "annotations": annotations}}, key)


def stamped(object: Object, key: bytes) -> Object:
    """The object with the digest of itself, as it is applied."""
    metadata = object.get("metadata") or {}
    marks = {APPLIED_ANNOTATION: digest(object, key)}
    if object.get("kind") == "StatefulSet":
        marks[TEMPLATE_ANNOTATION] = _digest(object["spec"].get("template"), key)
    annotations = {**(metadata.get("annotations") or {}), **marks}
    return {**object, "metadata": {**metadata, "annotations": annotations}}


def is_stamped(item: ObservedObject, wanted: Object) -> bool:
    """Whether what was applied last is `wanted`, which is stamped."""
    marks: dict[str, str] = wanted["metadata"]["annotations"]
    return all(item.annotations.get(name) == marks[name] for name in _OWN if name in marks)


def same_template(item: ObservedObject, wanted: Object) -> bool:
    """Whether the pod template that was applied last is that of `wanted`, which is stamped."""
    return bool(
        item.annotations.get(TEMPLATE_ANNOTATION) == wanted["metadata"]["annotations"][TEMPLATE_ANNOTATION]
    )


def _digest(value: Any, key: bytes) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]
