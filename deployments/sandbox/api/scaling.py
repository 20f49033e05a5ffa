"""The scale subresource of the workload kinds."""

from __future__ import annotations

from typing import Any

from deployments.sandbox.api import bodies, patches
from deployments.sandbox.api.addresses import Address
from deployments.sandbox.api.errors import ApiError, invalid, modified, not_found
from deployments.sandbox.api.json_tree import clone
from deployments.sandbox.api.objects import read_dry_run
from deployments.sandbox.store import Object, Store


def get(store: Store, address: Address) -> Object:
    """The Scale of a workload."""
    return _scale(_workload(store, address))


def write(
    store: Store,
    address: Address,
    query: dict[str, str],
    content: bytes,
    media_type: str,
    method: str,
    agent: str,
) -> Object:
    """PUT or PATCH of a Scale."""
    workload = _workload(store, address)
    current = _scale(workload)
    if method == "PUT":
        wanted = bodies.parse(content, media_type)
    elif media_type == bodies.JSON_PATCH:
        wanted = patches.json_patch(current, bodies.parse(content, media_type, (media_type,)))
    elif media_type in (bodies.MERGE_PATCH, bodies.STRATEGIC_PATCH):
        wanted = patches.merge_patch(current, bodies.parse(content, media_type, (media_type,)))
    else:
        raise ApiError(415, "a scale takes JSON, merge and strategic merge patches")
    return _scale(_store(store, address, query, workload, wanted, agent))


def _store(
    store: Store, address: Address, query: dict[str, str], workload: Object, wanted: Any, agent: str
) -> Object:
    kind, meta = address.kind, workload["metadata"]
    spec = wanted.get("spec") if isinstance(wanted, dict) else None
    replicas = (spec or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise ApiError(400, "spec.replicas is not a number")
    if replicas < 0:
        raise invalid(
            "Scale", address.name, [("spec.replicas", f"Invalid value: {replicas}: must not be negative")]
        )
    version = (wanted.get("metadata") or {}).get("resourceVersion")
    if version and version != meta["resourceVersion"]:
        raise modified(kind.plural, address.name, kind.group)
    changed = clone(workload)
    changed["spec"]["replicas"] = replicas
    return store.replace(
        kind.store,
        workload,
        changed,
        manager=query.get("fieldManager") or agent.partition("/")[0] or "unknown",
        subresource="scale",
        dry_run=read_dry_run(query.get("dryRun", ""), "Scale"),
    )


def _workload(store: Store, address: Address) -> Object:
    workload = store.get(address.kind.store, address.namespace, address.name)
    if workload is None:
        raise not_found(address.kind.plural, address.name, address.kind.group)
    return workload


def _scale(workload: Object) -> Object:
    meta, spec = workload["metadata"], workload["spec"]
    pairs = (spec.get("selector") or {}).get("matchLabels") or {}
    # A custom kind tells its selector in its status.
    told = (workload.get("status") or {}).get("selector", "")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            field: meta[field]
            for field in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        },
        "spec": {"replicas": spec.get("replicas", 1)},
        "status": {
            "replicas": (workload.get("status") or {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(pairs.items())) or told,
        },
    }
