"""The rules about pods: containers, their resources, ports, variables, mounts and probes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from deployments import quantity

Problem = tuple[str, str]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
# Since 1.34 a variable may have any printable ASCII name without "=".
_VARIABLE = re.compile(r"[ -<>-~]+")
_OVERCOMMIT = ("cpu", "memory", "ephemeral-storage")
_POLICIES = {
    "imagePullPolicy": ("Always", "IfNotPresent", "Never"),
    "terminationMessagePolicy": ("File", "FallbackToLogsOnError"),
}


def problems(path: str, spec: dict[str, Any], claims: list[str]) -> Iterator[Problem]:
    """Everything wrong with a pod's spec; `claims` are volumes that a StatefulSet adds."""
    containers = spec.get("containers") or []
    if not containers:
        yield f"{path}.containers", "Required value"
    if spec.get("restartPolicy") not in ("Always", "OnFailure", "Never"):
        yield (
            f"{path}.restartPolicy",
            f'Unsupported value: "{spec.get("restartPolicy")}"',
        )
    grace = spec.get("terminationGracePeriodSeconds", 0)
    if grace < 0:
        yield (
            f"{path}.terminationGracePeriodSeconds",
            f"Invalid value: {grace}: must be greater than or equal to 0",
        )
    volumes = set(claims)
    for index, volume in enumerate(spec.get("volumes") or []):
        name = volume.get("name") or ""
        where = f"{path}.volumes[{index}]"
        if not _NAME.fullmatch(name):
            yield f"{where}.name", f'Invalid value: "{name}": not a DNS label'
        if name in volumes:
            yield f"{where}.name", f'Duplicate value: "{name}"'
        volumes.add(name)
        limit = (volume.get("emptyDir") or {}).get("sizeLimit")
        if limit is not None:
            yield from amount(f"{where}.emptyDir.sizeLimit", limit)
    names: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or []):
            where = f"{path}.{field}[{index}]"
            if container.get("name") in names:
                yield f"{where}.name", f'Duplicate value: "{container.get("name")}"'
            names.add(container.get("name") or "")
            yield from _container(where, container, volumes)


def _container(path: str, container: dict[str, Any], volumes: set[str]) -> Iterator[Problem]:
    name = container.get("name") or ""
    if not _NAME.fullmatch(name):
        yield (
            f"{path}.name",
            f'Invalid value: "{name}": not a DNS label' if name else "Required value",
        )
    image = container.get("image") or ""
    if not image:
        yield f"{path}.image", "Required value"
    elif image != image.strip():
        yield (
            f"{path}.image",
            f'Invalid value: "{image}": must not have leading or trailing whitespace',
        )
    for field, allowed in _POLICIES.items():
        if container.get(field) not in allowed:
            yield f"{path}.{field}", f'Unsupported value: "{container.get(field)}"'
    yield from _resources(f"{path}.resources", container.get("resources") or {})
    yield from _ports(f"{path}.ports", container.get("ports") or [])
    for index, variable in enumerate(container.get("env") or []):
        where = f"{path}.env[{index}]"
        if not variable.get("name"):
            yield f"{where}.name", "Required value"
        elif not _VARIABLE.fullmatch(variable["name"]):
            yield (
                f"{where}.name",
                f'Invalid value: "{variable["name"]}": printable ASCII without "=" is allowed',
            )
        if variable.get("value") and variable.get("valueFrom"):
            yield (
                f"{where}.valueFrom",
                "Invalid value: may not be specified when `value` is not empty",
            )
    mounted: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or []):
        where = f"{path}.volumeMounts[{index}]"
        if mount.get("name") not in volumes:
            yield f"{where}.name", f'Not found: "{mount.get("name")}"'
        if mount.get("mountPath") in mounted:
            yield (
                f"{where}.mountPath",
                f'Invalid value: "{mount.get("mountPath")}": must be unique',
            )
        mounted.add(mount.get("mountPath") or "")
    for field in ("startupProbe", "livenessProbe", "readinessProbe"):
        if container.get(field):
            yield from _probe(f"{path}.{field}", container[field], readiness=field == "readinessProbe")


def _resources(path: str, resources: dict[str, Any]) -> Iterator[Problem]:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    wrong = False
    for side, amounts in (("requests", requests), ("limits", limits)):
        for name, value in amounts.items():
            found = list(amount(f"{path}.{side}[{name}]", value))
            wrong = wrong or bool(found)
            yield from found
            if (
                not found
                and name not in _OVERCOMMIT
                and not name.startswith("hugepages-")
                and "/" not in name
            ):
                yield (
                    f"{path}.{side}[{name}]",
                    f'Invalid value: "{name}": must be a standard resource type or fully qualified',
                )
            if not found and "/" in name and quantity.parse(str(value)) % 1:
                yield (
                    f"{path}.{side}[{name}]",
                    f'Invalid value: "{value}": must be an integer',
                )
    if wrong:
        return
    for name, value in requests.items():
        where = f"{path}.requests"
        if name not in limits:
            if name not in _OVERCOMMIT:
                yield (
                    f"{path}.limits",
                    f"Required value: Limit must be set for non overcommitable resources: {name}",
                )
            continue
        asked, most = quantity.parse(str(value)), quantity.parse(str(limits[name]))
        if name not in _OVERCOMMIT and asked != most:
            yield (
                where,
                f'Invalid value: "{value}": must be equal to {name} limit of {limits[name]}',
            )
        elif asked > most:
            yield (
                where,
                f'Invalid value: "{value}": must be less than or equal to {name} limit of {limits[name]}',
            )


def amount(path: str, value: Any, *, positive: bool = False) -> Iterator[Problem]:
    """Problems of one quantity."""
    try:
        parsed = quantity.parse(str(value))
    except ValueError:
        if str(value).startswith("-"):
            yield path, f'Invalid value: "{value}": must be greater than or equal to 0'
        else:
            yield (
                path,
                (
                    f'Invalid value: "{value}": quantities must match the regular expression '
                    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
                ),
            )
        return
    if positive and not parsed:
        yield path, f'Invalid value: "{value}": must be greater than zero'


def port_number(path: str, number: Any) -> Iterator[Problem]:
    """Problems of one port number."""
    if not isinstance(number, int) or not 1 <= number <= 65_535:
        yield path, f"Invalid value: {number}: must be between 1 and 65535, inclusive"


def _ports(path: str, ports: list[dict[str, Any]]) -> Iterator[Problem]:
    names: set[str] = set()
    for index, port in enumerate(ports):
        yield from port_number(f"{path}[{index}].containerPort", port.get("containerPort"))
        name = port.get("name")
        if name:
            if not _PORT_NAME.fullmatch(name):
                yield (
                    f"{path}[{index}].name",
                    f'Invalid value: "{name}": must be no more than 15 characters with a letter',
                )
            if name in names:
                yield f"{path}[{index}].name", f'Duplicate value: "{name}"'
            names.add(name)
        if port.get("protocol") not in ("TCP", "UDP", "SCTP"):
            yield (
                f"{path}[{index}].protocol",
                f'Unsupported value: "{port.get("protocol")}": supported values: "SCTP", "TCP", "UDP"',
            )


def _probe(path: str, probe: dict[str, Any], *, readiness: bool) -> Iterator[Problem]:
    for field in (
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ):
        if probe.get(field, 1) < 1:
            yield (
                f"{path}.{field}",
                f"Invalid value: {probe[field]}: must be greater than 0",
            )
    if not readiness and probe.get("successThreshold", 1) != 1:
        yield (
            f"{path}.successThreshold",
            f"Invalid value: {probe['successThreshold']}: must be 1",
        )
    handlers = [name for name in ("httpGet", "exec", "tcpSocket", "grpc") if probe.get(name)]
    if len(handlers) != 1:
        yield (
            path,
            "Required value: must specify one handler type"
            if not handlers
            else "Forbidden: more than 1 handler type",
        )
