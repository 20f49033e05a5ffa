"""Which resource an address means, and which verb a request is."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.sandbox.api import kinds
from deployments.sandbox.api.errors import ApiError
from deployments.sandbox.api.kinds import Kind


@dataclass(frozen=True, slots=True)
class Address:
    """The target of a request: a collection (empty name), an object, or a subresource of it."""

    kind: Kind
    namespace: str | None
    name: str
    subresource: str


def read(path: str) -> Address | None:
    """The resource behind a path; None for a path that is no resource. Raises ApiError 404 for an unknown one."""
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace: str | None = None
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    kind = kinds.at(group, version, rest[0])
    if kind is None or len(rest) > 3:
        raise ApiError(404, "the server could not find the requested resource", reason="NotFound")
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and subresource not in kind.subresources:
        raise ApiError(404, "the server could not find the requested resource", reason="NotFound")
    if namespace is not None and not kind.namespaced:
        raise ApiError(404, "the server could not find the requested resource", reason="NotFound")
    if kind.namespaced and name and namespace is None:
        raise ApiError(404, "the server could not find the requested resource", reason="NotFound")
    return Address(kind, namespace, name, subresource)


def verb(method: str, address: Address, *, watch: bool) -> str:
    """The Kubernetes verb of a request. Raises ApiError 405 for a method that the resource does not have."""
    single = bool(address.name)
    found = {
        "GET": "get" if single else ("watch" if watch else "list"),
        "POST": "create",
        "PUT": "update",
        "PATCH": "patch",
        "DELETE": "delete" if single else "deletecollection",
    }.get(method)
    if (
        found is None
        or (not address.subresource and found not in address.kind.verbs)
        or (method in ("PUT", "PATCH") and not single)
        or (method == "POST" and single and not address.subresource)
        or (method == "POST" and address.kind.namespaced and address.namespace is None)
    ):
        raise ApiError(405, "the server does not allow this method on the requested resource")
    return found
