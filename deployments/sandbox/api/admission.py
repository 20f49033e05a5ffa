"""What the server does with an object before it is stored: defaults, then the rules, then quota."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.sandbox.api import defaults, immutable, quotas, validation
from deployments.sandbox.api.errors import forbidden, invalid, not_found
from deployments.sandbox.api.kinds import Kind

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store


def prepare(store: Store, kind: Kind, obj: Object, current: Object | None) -> None:
    """Fill in what the server decides, in place."""
    defaults.fill(store, kind, obj, current)


def check_create(store: Store, kind: Kind, namespace: str | None, obj: Object) -> None:
    """Refuse a new object: missing namespace (404), bad fields (422), runtime class or quota (403)."""
    name = obj["metadata"]["name"]
    if kind.namespaced:
        space = store.get("namespaces", None, namespace or "")
        if space is None:
            raise not_found("namespaces", namespace or "")
        if space["metadata"].get("deletionTimestamp"):
            raise forbidden(
                kind.plural,
                name,
                f"unable to create new content in namespace {namespace} because it is being terminated",
                kind.group,
            )
    _refuse(kind, obj, validation.problems(kind, obj))
    if kind.plural == "pods":
        runtime = obj["spec"].get("runtimeClassName")
        if runtime and store.get("runtimeclasses", None, runtime) is None:
            raise forbidden("pods", name, f'pod rejected: RuntimeClass "{runtime}" not found')
    if kind.plural in quotas.COUNTED:
        quotas.check(store, kind.plural, namespace or "", obj)


def check_update(store: Store, kind: Kind, current: Object, wanted: Object) -> None:
    """Refuse a change: bad fields or fields that may not change (422), a volume that cannot grow (403)."""
    if wanted["metadata"].get("deletionTimestamp") and wanted.get("spec") == current.get("spec"):
        return
    _refuse(
        kind,
        wanted,
        [
            *validation.problems(kind, wanted),
            *immutable.problems(kind, current, wanted),
        ],
    )
    if kind.plural == "persistentvolumeclaims":
        immutable.check_growth(store, current, wanted)


def _refuse(kind: Kind, obj: Object, problems: list[tuple[str, str]]) -> None:
    if problems:
        raise invalid(kind.kind, obj["metadata"].get("name", ""), problems, kind.group)
