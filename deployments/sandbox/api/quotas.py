"""Resource quotas: what a namespace uses, and the refusal of what would be too much."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from deployments import quantity
from deployments.sandbox.api.errors import forbidden

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

# Shelves whose objects a quota counts.
COUNTED = ("pods", "persistentvolumeclaims", "services", "secrets", "configmaps")
_BINARY_UNITS = ("memory", "storage", "ephemeral-storage")


def check(store: Store, plural: str, namespace: str, obj: Object) -> None:
    """Raise ApiError 403 if a new object would pass a quota of its namespace."""
    asked = _asked(plural, obj)
    for quota in store.list("resourcequotas", namespace):
        hard = quota.get("spec", {}).get("hard") or {}
        used = _used(store, namespace)
        for name in sorted(set(hard) & set(asked)):
            if plural == "pods" and name in _MUST_BE_SAID and not asked[name]:
                raise forbidden(
                    plural,
                    obj["metadata"]["name"],
                    f"failed quota: {quota['metadata']['name']}: must specify {name} for: "
                    + ",".join(container["name"] for container in obj["spec"]["containers"]),
                )
        over = [
            name
            for name in sorted(set(hard) & set(asked))
            if asked[name] and used[name] + asked[name] > quantity.parse(str(hard[name]))
        ]
        if over:
            parts = (
                "requested: " + ",".join(f"{name}={show(name, asked[name])}" for name in over),
                "used: " + ",".join(f"{name}={show(name, used[name])}" for name in over),
                "limited: " + ",".join(f"{name}={hard[name]}" for name in over),
            )
            raise forbidden(
                plural,
                obj["metadata"]["name"],
                f"exceeded quota: {quota['metadata']['name']}, " + ", ".join(parts),
            )


def refresh(store: Store, namespace: str) -> None:
    """Write the current use into the status of every quota of a namespace."""
    quotas = store.list("resourcequotas", namespace)
    if not quotas:
        return
    used = _used(store, namespace)
    for quota in quotas:
        hard = quota.get("spec", {}).get("hard") or {}
        status = {
            "hard": dict(hard),
            "used": {name: show(name, used[name]) for name in hard},
        }
        store.replace_status("resourcequotas", quota, {"status": status})


def show(name: str, amount: Decimal) -> str:
    """An amount as a quantity."""
    if name.rpartition(".")[2] in _BINARY_UNITS:
        return quantity.from_bytes(int(amount))
    if amount == amount.to_integral_value():
        return str(int(amount))
    return f"{int((amount * 1000).to_integral_value())}m"


_MUST_BE_SAID = (
    "requests.cpu",
    "requests.memory",
    "limits.cpu",
    "limits.memory",
    "cpu",
    "memory",
)


def _used(store: Store, namespace: str) -> dict[str, Decimal]:
    total: dict[str, Decimal] = defaultdict(Decimal)
    for plural in COUNTED:
        for obj in store.list(plural, namespace):
            if plural == "pods" and (obj.get("status") or {}).get("phase") in (
                "Succeeded",
                "Failed",
            ):
                continue
            for name, amount in _asked(plural, obj).items():
                total[name] += amount
    return total


def _asked(plural: str, obj: Object) -> dict[str, Decimal]:
    one = Decimal(1)
    asked = {plural: one, f"count/{plural}": one}
    if plural == "pods":
        asked |= dict.fromkeys(_MUST_BE_SAID, Decimal(0))
        for container in obj["spec"].get("containers") or []:
            resources: dict[str, Any] = container.get("resources") or {}
            for side in ("requests", "limits"):
                for name, amount in (resources.get(side) or {}).items():
                    value = quantity.parse(str(amount))
                    asked[f"{side}.{name}"] = asked.get(f"{side}.{name}", Decimal(0)) + value
                    if side == "requests":
                        asked[name] = asked.get(name, Decimal(0)) + value
    elif plural == "persistentvolumeclaims":
        request = obj["spec"].get("resources", {}).get("requests", {}).get("storage", "0")
        asked["requests.storage"] = quantity.parse(str(request))
        if storage_class := obj["spec"].get("storageClassName"):
            asked[f"{storage_class}.storageclass.storage.k8s.io/requests.storage"] = asked["requests.storage"]
    return asked
