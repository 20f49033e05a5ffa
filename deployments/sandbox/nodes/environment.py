"""What a container is started with: resolved variables, command and arguments, as the kubelet puts them
together.

Service links, Secret and ConfigMap references and `$(NAME)` expansion are done the way Kubernetes does them,
because mistakes in them are among the usual reasons why an engine does not start.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")


class ConfigError(Exception):
    """A reason for CreateContainerConfigError, in the kubelet's words."""


def resolve_environment(store: Store, pod: Object, container: dict[str, Any]) -> dict[str, str]:
    """All variables of a container. Raises ConfigError for a missing Secret, ConfigMap or key that is not optional."""
    namespace = pod["metadata"]["namespace"]
    values = _service_links(store, namespace) if pod["spec"].get("enableServiceLinks", True) else {}
    for source in container.get("envFrom") or []:
        values |= _all_of(store, namespace, source)
    for variable in container.get("env") or []:
        value = _value(store, pod, variable)
        if value is not None:
            values[variable["name"]] = expand(value, values) if "value" in variable else value
    return values


def expand(text: str, values: dict[str, str]) -> str:
    """Replace `$(NAME)` by its value, leave unknown names as they are, and turn `$$` into `$`."""

    def one(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        return values.get(match[1], match[0])

    return _REFERENCE.sub(one, text)


def missing_volume_source(store: Store, pod: Object) -> str:
    """The mount failure of a Secret or ConfigMap volume whose source is not there; empty when all are."""
    namespace = pod["metadata"]["namespace"]
    for volume in pod["spec"].get("volumes") or []:
        for field, plural, kind in (
            ("secret", "secrets", "secret"),
            ("configMap", "configmaps", "configmap"),
        ):
            source = volume.get(field)
            if not source or source.get("optional"):
                continue
            name = source.get("secretName") or source.get("name")
            if store.get(plural, namespace, name) is None:
                return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {kind} "{name}" not found'
    return ""


def _value(store: Store, pod: Object, variable: dict[str, Any]) -> str | None:
    if "valueFrom" not in variable:
        return str(variable.get("value", ""))
    source = variable["valueFrom"]
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"]["fieldPath"])
    for field, plural, kind in (
        ("secretKeyRef", "secrets", "Secret"),
        ("configMapKeyRef", "configmaps", "ConfigMap"),
    ):
        if field in source:
            return _key(store, pod["metadata"]["namespace"], source[field], plural, kind)
    return ""


def _key(store: Store, namespace: str, reference: dict[str, Any], plural: str, kind: str) -> str | None:
    name, key = reference["name"], reference["key"]
    obj = store.get(plural, namespace, name)
    optional = reference.get("optional", False)
    if obj is None:
        if optional:
            return None
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    data = _plain(obj)
    if key not in data:
        if optional:
            return None
        raise ConfigError(f"couldn't find key {key} in {kind} {namespace}/{name}")
    return data[key]


def _all_of(store: Store, namespace: str, source: dict[str, Any]) -> dict[str, str]:
    field, plural = ("secretRef", "secrets") if "secretRef" in source else ("configMapRef", "configmaps")
    reference = source.get(field) or {}
    obj = store.get(plural, namespace, reference.get("name", ""))
    if obj is None:
        if reference.get("optional"):
            return {}
        raise ConfigError(f'{plural[:-1]} "{reference.get("name", "")}" not found')
    return {source.get("prefix", "") + key: value for key, value in _plain(obj).items()}


def _plain(obj: Object) -> dict[str, str]:
    data = obj.get("data") or {}
    if obj.get("kind") != "Secret":
        return dict(data)
    plain = {}
    for key, text in data.items():
        try:
            plain[key] = base64.b64decode(text, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            plain[key] = ""
    return plain


def _field(pod: Object, path: str) -> str:
    found: Any = pod
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    if found is None and path == "status.podIP":
        return "127.0.0.1"
    return "" if found is None else str(found)


def _service_links(store: Store, namespace: str) -> dict[str, str]:
    """The variables that every Service with an address adds to every container of its namespace."""
    values: dict[str, str] = {}
    for service in store.list("services", namespace):
        address = service["spec"].get("clusterIP")
        ports = service["spec"].get("ports") or []
        if not address or address == "None" or not ports:
            continue
        prefix = service["metadata"]["name"].upper().replace("-", "_")
        values[f"{prefix}_SERVICE_HOST"] = address
        values[f"{prefix}_SERVICE_PORT"] = str(ports[0]["port"])
        values[f"{prefix}_PORT"] = f"tcp://{address}:{ports[0]['port']}"
        for port in ports:
            link = f"{prefix}_PORT_{port['port']}_{port.get('protocol', 'TCP')}"
            values[link] = f"tcp://{address}:{port['port']}"
            values[f"{link}_ADDR"] = address
    return values
