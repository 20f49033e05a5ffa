"""GET: one object, a list with selectors and pages, and the form in which the client wants it."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from deployments.sandbox import events
from deployments.sandbox.api import computed, selectors, table, versions
from deployments.sandbox.api.addresses import Address
from deployments.sandbox.api.errors import ApiError, not_found
from deployments.sandbox.api.kinds import Kind
from deployments.sandbox.api.selectors import Test
from deployments.sandbox.store import Object, Store

_TOKEN_LIVES_WRITES = 50_000


def tests(kind: Kind, query: dict[str, str]) -> tuple[Test, Test]:
    """The label and the field selector of a request."""
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    return (
        selectors.by_labels(labels) if labels else selectors.everything,
        selectors.by_fields(kind, fields) if fields else selectors.everything,
    )


def get(store: Store, address: Address, query: dict[str, str], form: str) -> Any:
    """One object in the wanted form."""
    kind = address.kind
    if not kind.store:
        obj: Object | None = computed.get(store, kind, address.namespace, address.name)
    else:
        obj = store.get(kind.store, address.namespace, address.name)
    if obj is None:
        raise not_found(kind.plural, address.name, kind.group)
    if form == "":
        return show(store, kind, obj)
    return in_form(store, kind, [obj], query, form)


def list_(store: Store, address: Address, query: dict[str, str], form: str) -> Any:
    """A collection, or one page of it, in the wanted form."""
    kind = address.kind
    by_label, by_field = tests(kind, query)
    source = (
        store.list(kind.store, address.namespace)
        if kind.store
        else computed.list_(store, kind, address.namespace)
    )
    found = [obj for obj in source if by_label(obj) and by_field(obj)]
    found.sort(key=_place)
    metadata: dict[str, Any] = {"resourceVersion": str(store.revision)}
    limit = _number(query, "limit")
    if token := query.get("continue"):
        revision, after = _read_token(token)
        if store.revision - revision > _TOKEN_LIVES_WRITES or revision > store.revision:
            raise ApiError(
                410,
                "The provided continue parameter is too old to display a consistent list result. You must start a new "
                "list without the continue parameter.",
                reason="Expired",
            )
        metadata["resourceVersion"] = str(revision)
        found = [obj for obj in found if _place(obj) > after]
    if limit and len(found) > limit:
        metadata["remainingItemCount"] = len(found) - limit
        found = found[:limit]
        metadata["continue"] = _token(int(metadata["resourceVersion"]), _place(found[-1]))
    if form:
        shaped = in_form(store, kind, found, query, form)
        shaped["metadata"] = metadata
        return shaped
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": [show(store, kind, obj) for obj in found],
    }


def show(store: Store, kind: Kind, obj: Object) -> Any:
    """An object ready to be encoded: the kept encoding where there is one."""
    if not kind.store:
        return obj
    if kind.group == "events.k8s.io":
        return events.as_v1(obj)
    if kind.custom and obj["apiVersion"] != kind.api_version:
        return versions.convert(kind, obj)
    return store.encoded(kind.store, obj)


def in_form(
    store: Store, kind: Kind, objects: list[Object], query: dict[str, str], form: str, *, header: bool = True
) -> Any:
    """Objects as a Table, or as their metadata only."""
    if kind.custom:
        objects = [versions.convert(kind, obj) for obj in objects]
    if form == "Table":
        included = query.get("includeObject", "Metadata")
        return table.render(kind, objects, store.now(), header=header, whole=included == "Object")
    if form == "PartialObjectMetadata":
        return table.partial(objects[0])
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "items": [table.partial(obj) for obj in objects],
    }


def _place(obj: Object) -> tuple[str, str]:
    return (obj["metadata"].get("namespace") or "", obj["metadata"]["name"])


def _number(query: dict[str, str], name: str) -> int:
    text = query.get(name) or "0"
    if not text.isdigit():
        raise ApiError(400, f"{name} is not a number")
    return int(text)


def _token(revision: int, place: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((revision, place))).decode()


def _read_token(text: str) -> tuple[int, tuple[str, str]]:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=tuple[int, tuple[str, str]])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise ApiError(400, "continue key is not valid") from None
