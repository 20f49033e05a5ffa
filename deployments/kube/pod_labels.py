"""Which served versions of Dynamo's graph keep the labels of its pods, read from its definition.

An API server drops every field that a schema does not name. Development builds of the platform name no field of
`podTemplate.metadata` in v1beta1: our labels would be gone there, and the pods could not be found. Only the nodes on
the way to the labels are decoded; the rest of the definition, about a megabyte, is skipped over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from deployments.kube.client import Cluster
from deployments.kube.decode import Part
from deployments.kube.errors import KubeError, Unauthorised
from deployments.kube.kinds import CUSTOM_RESOURCE

DEFINITION: Final = "dynamographdeployments.nvidia.com"

#: Where our labels stand, by version; "*" is any item of a list or any key of a map.
_WAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "v1beta1": ("spec", "components", "*", "podTemplate", "metadata", "labels", "*"),
    "v1alpha1": ("spec", "services", "*", "extraPodMetadata", "labels", "*"),
}


_NOTHING: Final = msgspec.Raw()


class _Schema(Part, frozen=True):
    properties: dict[str, msgspec.Raw] | None = None
    additional_properties: msgspec.Raw = _NOTHING
    items: msgspec.Raw = _NOTHING
    free: bool = msgspec.field(default=False, name="x-kubernetes-preserve-unknown-fields")
    embedded: bool = msgspec.field(default=False, name="x-kubernetes-embedded-resource")


class _Root(msgspec.Struct, frozen=True):
    schema: msgspec.Raw = msgspec.field(default=_NOTHING, name="openAPIV3Schema")


class _Version(Part, frozen=True):
    name: str = ""
    schema: _Root = _Root()


class _Spec(Part, frozen=True):
    versions: tuple[_Version, ...] = ()


class Definition(Part, frozen=True):
    """A CustomResourceDefinition."""

    spec: _Spec = _Spec()


def keeping(cluster: Cluster, served: Sequence[str]) -> tuple[str, ...]:
    """Those of the served versions that keep labels; one request.

    All of them where the definition may not be read, or is none that we understand: then the versions are trusted.
    """
    try:
        definition = cluster.read(CUSTOM_RESOURCE, None, DEFINITION, Definition)
    except Unauthorised:
        raise
    except KubeError:
        definition = None
    return kept(definition, served) if definition else tuple(served)


def kept(definition: Definition, served: Sequence[str]) -> tuple[str, ...]:
    """Without a request. A version whose schema is not told is trusted."""
    roots = {version.name: version.schema.schema for version in definition.spec.versions}
    return tuple(
        version
        for version in served
        if not (root := roots.get(version, _NOTHING)) or version not in _WAYS or _leads(root, _WAYS[version])
    )


def _leads(raw: msgspec.Raw, way: Sequence[str]) -> bool:
    """Whether nothing on the way is dropped."""
    for field in way:
        if bytes(raw) == b"true":
            return True
        try:
            node = msgspec.json.decode(raw, type=_Schema)
        except msgspec.MsgspecError:
            return True  # not a schema as we know them
        below = (node.properties or {}).get(field) or (node.items if field == "*" else _NOTHING)
        below = below or node.additional_properties
        if not below:
            return node.free or (node.embedded and field == "metadata")
        raw = below
    return True
