"""Versions of a custom kind: an object lies on its shelf as it was written last, and is converted on the way out.

An operator's conversion webhook does this on a real cluster.
"""

from __future__ import annotations

from typing import Any

from deployments.sandbox.api import ownership
from deployments.sandbox.api.kinds import Kind
from deployments.sandbox.api.ownership import Object
from deployments.sandbox.operators import dynamo_versions

_INTO = {
    ("dynamographdeployments", "v1beta1"): dynamo_versions.graph_to_beta,
    ("dynamographdeployments", "v1alpha1"): dynamo_versions.graph_to_alpha,
    ("dynamographdeploymentscalingadapters", "v1beta1"): dynamo_versions.adapter_to_beta,
    ("dynamographdeploymentscalingadapters", "v1alpha1"): dynamo_versions.adapter_to_alpha,
}


def convert(kind: Kind, obj: Object) -> Object:
    """The object in the version of `kind`; the same object where it is in that version already."""
    into = _INTO.get((kind.plural, kind.version))
    if into is None or obj.get("apiVersion") == kind.api_version:
        return obj
    converted = {**into(obj), "apiVersion": kind.api_version}
    books = ownership.entries(obj)
    if books:
        fields = [_entry(kind, converted, each) for each in books]
        converted["metadata"] = {**obj["metadata"], "managedFields": fields}
    return converted


def _entry(kind: Kind, converted: Object, entry: dict[str, Any]) -> dict[str, Any]:
    """One manager's share under the new field names: whoever owned some of spec owns all of it."""
    tree = entry["fieldsV1"]
    kept = {key: below for key, below in tree.items() if key == "f:metadata"}
    for part in ("spec", "status"):
        if f"f:{part}" in tree:
            paths = set(ownership.leaves(kind.store, converted, frozenset({part})))
            kept |= ownership.encode(paths)
    return {**entry, "apiVersion": kind.api_version, "fieldsV1": kept}
