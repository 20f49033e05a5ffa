"""DELETE of an object or a collection: options, preconditions, what is answered."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.api.addresses import Address
from deployments.sandbox.api.errors import ApiError, not_found
from deployments.sandbox.api.kinds import Kind
from deployments.sandbox.api.objects import read_dry_run
from deployments.sandbox.api.selectors import Test
from deployments.sandbox.store import Object, Store

# Kinds for which the API answers with the deleted object instead of a Status.
_TELLS_OBJECT = (
    "pods",
    "services",
    "serviceaccounts",
    "persistentvolumeclaims",
    "persistentvolumes",
    "resourcequotas",
    "storageclasses",
)


def delete(store: Store, address: Address, query: dict[str, str], options: Any) -> Object:
    """Delete one object and return the body of the answer."""
    kind, namespace, name = address.kind, address.namespace, address.name
    current = store.get(kind.store, namespace, name)
    if current is None:
        raise not_found(kind.plural, name, kind.group)
    chosen = _options(query, options)
    wanted = (options or {}).get("preconditions") or {}
    for field, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        asked = wanted.get(field)
        if asked and asked != current["metadata"][field]:
            raise ApiError(
                409,
                f'Operation cannot be fulfilled on {kind.plural} "{name}": Precondition failed: {label} in '
                f"precondition: {asked}, {label} in object meta: {current['metadata'][field]}",
            )
    if _dry(query, options, kind):
        return current
    last = store.delete(kind.store, namespace, name, chosen[0], chosen[1])
    remains = store.get(kind.store, namespace, name)
    if remains is not None and remains["metadata"]["uid"] == last["metadata"]["uid"]:
        return remains
    if kind.plural in _TELLS_OBJECT:
        return last
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 200,
        "details": {"name": name, "group": kind.group, "kind": kind.plural, "uid": last["metadata"]["uid"]},
    }


def delete_collection(
    store: Store, address: Address, query: dict[str, str], options: Any, tests: tuple[Test, Test]
) -> Object:
    """Delete everything that the selectors find and return it as a list."""
    kind = address.kind
    found = [obj for obj in store.list(kind.store, address.namespace) if tests[0](obj) and tests[1](obj)]
    propagation, grace = _options(query, options)
    if not _dry(query, options, kind):
        for obj in found:
            meta = obj["metadata"]
            if store.get(kind.store, meta.get("namespace"), meta["name"]) is not None:
                store.delete(kind.store, meta.get("namespace"), meta["name"], propagation, grace)
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": {"resourceVersion": str(store.revision)},
        "items": found,
    }


def _options(query: dict[str, str], options: Any) -> tuple[str, int | None]:
    if options is not None and not isinstance(options, dict):
        raise ApiError(400, "DeleteOptions is not an object")
    options = options or {}
    propagation = options.get("propagationPolicy") or query.get("propagationPolicy")
    if not propagation:
        orphan = options.get("orphanDependents", query.get("orphanDependents") == "true")
        propagation = "Orphan" if orphan else "Background"
    grace = options.get("gracePeriodSeconds")
    if grace is None and query.get("gracePeriodSeconds"):
        grace = query["gracePeriodSeconds"]
    try:
        seconds = None if grace is None else int(grace)
    except (TypeError, ValueError):
        raise ApiError(400, "gracePeriodSeconds is not a number") from None
    if seconds is not None and seconds < 0:
        raise ApiError(422, "gracePeriodSeconds: Invalid value: must be greater than or equal to 0")
    return propagation, seconds


def _dry(query: dict[str, str], options: Any, kind: Kind) -> bool:
    asked = (options or {}).get("dryRun") or []
    return read_dry_run(asked[0] if asked else query.get("dryRun", ""), kind.kind)
