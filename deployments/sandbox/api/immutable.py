"""Fields that may not change once an object exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deployments import quantity
from deployments.sandbox.api.errors import forbidden
from deployments.sandbox.api.kinds import Kind

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

Problem = tuple[str, str]

_STATEFUL_SET_MAY = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_POD_CONTAINER_MAY = ("image", "resources")
_POD_MAY = (
    "activeDeadlineSeconds",
    "tolerations",
    "terminationGracePeriodSeconds",
    "nodeName",
)


def problems(kind: Kind, current: Object, wanted: Object) -> list[Problem]:
    """What a change touches that may not be touched."""
    old, new = current.get("spec") or {}, wanted.get("spec") or {}
    match kind.plural:
        case "statefulsets":
            if _without(old, _STATEFUL_SET_MAY) != _without(new, _STATEFUL_SET_MAY):
                listed = ", ".join(f"'{name}'" for name in _STATEFUL_SET_MAY[:-1])
                return [
                    (
                        "spec",
                        (
                            f"Forbidden: updates to statefulset spec for fields other than {listed} and "
                            f"'{_STATEFUL_SET_MAY[-1]}' are forbidden"
                        ),
                    )
                ]
        case "deployments" | "replicasets":
            if old.get("selector") != new.get("selector"):
                return [
                    (
                        "spec.selector",
                        f"Invalid value: {new.get('selector')}: field is immutable",
                    )
                ]
        case "services":
            if (
                old.get("clusterIP")
                and new.get("clusterIP") != old["clusterIP"]
                and new.get("type") != "ExternalName"
            ):
                return [
                    (
                        "spec.clusterIPs[0]",
                        f'Invalid value: "{new.get("clusterIP")}": may not change once set',
                    )
                ]
        case "secrets" | "configmaps":
            return _data(kind, current, wanted)
        case "pods":
            if _pod(old) != _pod(new):
                return [
                    (
                        "spec",
                        "Forbidden: pod updates may not change fields other than the image and tolerations",
                    )
                ]
        case "persistentvolumeclaims":
            return _claim(old, new)
        case "storageclasses":
            for field in (
                "provisioner",
                "parameters",
                "reclaimPolicy",
                "volumeBindingMode",
            ):
                if current.get(field) != wanted.get(field):
                    return [(field, "Forbidden: updates to this field are forbidden")]
    return []


def check_growth(store: Store, current: Object, wanted: Object) -> None:
    """Raise ApiError 403 if a bound volume is to grow but its storage class does not allow it."""
    if _size(current["spec"]) == _size(wanted["spec"]):
        return
    name = current["spec"].get("storageClassName") or ""
    storage_class = store.get("storageclasses", None, name)
    if storage_class is None or not storage_class.get("allowVolumeExpansion"):
        raise forbidden(
            "persistentvolumeclaims",
            current["metadata"]["name"],
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
            "support resize",
        )


def _claim(old: dict[str, Any], new: dict[str, Any]) -> list[Problem]:
    ignored: tuple[str, ...] = ("resources", "volumeName")
    if old.get("volumeName") and old["volumeName"] != new.get("volumeName"):
        ignored = ("resources",)
    if _without(old, ignored) != _without(new, ignored):
        return [
            (
                "spec",
                (
                    "Forbidden: spec is immutable after creation except resources.requests and "
                    "volumeAttributesClassName for bound claims"
                ),
            )
        ]
    if quantity.parse(_size(new)) < quantity.parse(_size(old)):
        return [
            (
                "spec.resources.requests.storage",
                "Forbidden: field can not be less than previous value",
            )
        ]
    return []


def _size(spec: dict[str, Any]) -> str:
    return str(((spec.get("resources") or {}).get("requests") or {}).get("storage", "0"))


def _data(kind: Kind, current: Object, wanted: Object) -> list[Problem]:
    if kind.plural == "secrets" and current.get("type") != wanted.get("type"):
        return [("type", f'Invalid value: "{wanted.get("type")}": field is immutable')]
    if current.get("immutable") and any(
        current.get(field) != wanted.get(field) for field in ("data", "binaryData", "immutable")
    ):
        return [("data", "Forbidden: field is immutable when `immutable` is set")]
    return []


def _pod(spec: dict[str, Any]) -> dict[str, Any]:
    fixed = _without(spec, _POD_MAY)
    for field in ("containers", "initContainers"):
        if field in fixed:
            fixed[field] = [_without(container, _POD_CONTAINER_MAY) for container in fixed[field]]
    return fixed


def _without(spec: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in fields}
