"""What KEDA's own webhook refuses: two autoscalers for one workload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

_TAKES_OVER = "scaledobject.keda.sh/transfer-hpa-ownership"
DEFAULT_TARGET = ("apps/v1", "Deployment")


def target_of(reference: dict[str, Any]) -> tuple[str, str, str]:
    """(apiVersion, kind, name) of what is scaled; a Deployment unless it is said otherwise."""
    api_version, kind = DEFAULT_TARGET
    return (
        str(reference.get("apiVersion") or api_version),
        str(reference.get("kind") or kind),
        str(reference.get("name", "")),
    )


def told(api_version: str, kind: str) -> str:
    """`apps/v1.StatefulSet`: how KEDA writes a kind."""
    return f"{api_version}.{kind}"


def denial(store: Store, wanted: Object) -> str:
    """Why a ScaledObject may not be; empty when it may."""
    meta, spec = wanted["metadata"], wanted.get("spec") or {}
    target = target_of(spec.get("scaleTargetRef") or {})
    for hpa in store.list("horizontalpodautoscalers", meta.get("namespace")):
        if target_of(hpa["spec"]["scaleTargetRef"]) != target or _owns(meta["name"], hpa):
            continue
        name = hpa["metadata"]["name"]
        takes_over = (meta.get("annotations") or {}).get(_TAKES_OVER) == "true"
        if takes_over and hpa_name(wanted) == name:
            continue
        return (
            f"the workload '{target[2]}' of type '{told(*target[:2])}' is already managed by the hpa '{name}'"
        )
    for other in store.list("scaledobjects", meta.get("namespace")):
        name = other["metadata"]["name"]
        if name != meta["name"] and target_of(other["spec"]["scaleTargetRef"]) == target:
            workload = f"the workload '{target[2]}' of type '{told(*target[:2])}'"
            return f"{workload} is already managed by the ScaledObject '{name}'"
    return ""


def hpa_name(scaled: Object) -> str:
    """The name of the autoscaler that belongs to a ScaledObject."""
    advanced = (scaled.get("spec") or {}).get("advanced") or {}
    chosen = (advanced.get("horizontalPodAutoscalerConfig") or {}).get("name")
    return str(chosen or f"keda-hpa-{scaled['metadata']['name']}")


def _owns(name: str, hpa: Object) -> bool:
    owners = hpa["metadata"].get("ownerReferences") or []
    return any(owner["kind"] == "ScaledObject" and owner["name"] == name for owner in owners)
