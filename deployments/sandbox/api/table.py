"""What `kubectl get` prints: columns and cells by kind, made by the server as a `Table`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from deployments.sandbox.api.kinds import Kind
from deployments.sandbox.clock import moment
from deployments.sandbox.workloads import pod_state

Object = dict[str, Any]
Cell = Callable[[Object, datetime], Any]
# A column is shown always (0) or only with `-o wide` (1).
Column = tuple[str, int, Cell]


def render(
    kind: Kind, objects: list[Object], now: datetime, *, header: bool = True, whole: bool = False
) -> Object:
    """A `Table` of objects; `whole` puts the objects into the rows instead of their metadata."""
    columns = _columns(kind)
    table: Object = {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [
            {
                "name": name,
                "type": "string",
                "format": "name" if name == "Name" else "",
                "description": name,
                "priority": priority,
            }
            for name, priority, _cell in columns
        ]
        if header
        else [],
        "rows": [
            {
                "cells": [cell(obj, now) for _name, _priority, cell in columns],
                "object": obj if whole else partial(obj),
            }
            for obj in objects
        ],
    }
    return table


def partial(obj: Object) -> Object:
    """Only the metadata of an object."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _columns(kind: Kind) -> list[Column]:
    special = _COLUMNS.get(kind.plural) if not kind.group.startswith("metrics") else None
    if kind.plural == "events":
        return _EVENTS
    return [("Name", 0, _name), *(special or []), ("Age", 0, _age), *_WIDE.get(kind.plural, [])]


def age(since: str | None, now: datetime) -> str:
    """A duration in kubectl's short form: 12s, 5m3s, 4h, 3d."""
    if not since:
        return "<unknown>"
    seconds = max(0, int((now - moment(since)).total_seconds()))
    if seconds < 120:
        return f"{seconds}s"
    minutes = seconds // 60
    if minutes < 10:
        rest = seconds % 60
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 48:
        return f"{hours}h"
    return f"{hours // 24}d"


def _name(obj: Object, now: datetime) -> str:
    return str(obj["metadata"]["name"])


def _age(obj: Object, now: datetime) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


def _at(path: str, missing: str = "<none>") -> Cell:
    fields = path.split(".")

    def read(obj: Object, now: datetime) -> Any:
        found: Any = obj
        for field in fields:
            found = found.get(field) if isinstance(found, dict) else None
        return str(missing if found in (None, "") else found)

    return read


def _containers(field: str) -> Cell:
    def read(obj: Object, now: datetime) -> str:
        spec = obj["spec"].get("template", {}).get("spec", {})
        return ",".join(str(container.get(field)) for container in spec.get("containers") or [])

    return read


def _restarts(obj: Object, now: datetime) -> str:
    statuses = obj.get("status", {}).get("containerStatuses") or []
    count = sum(status.get("restartCount", 0) for status in statuses)
    ends = [
        finished
        for status in statuses
        if (finished := ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt"))
    ]
    return f"{count} ({age(max(ends), now)} ago)" if count and ends else str(count)


def _node_status(obj: Object, now: datetime) -> str:
    conditions = {item["type"]: item["status"] for item in obj.get("status", {}).get("conditions") or []}
    told = "Ready" if conditions.get("Ready") == "True" else "NotReady"
    return told + (",SchedulingDisabled" if obj.get("spec", {}).get("unschedulable") else "")


def _node_roles(obj: Object, now: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = [
        key.removeprefix(prefix) for key in obj["metadata"].get("labels") or {} if key.startswith(prefix)
    ]
    return ",".join(sorted(roles)) or "<none>"


def _ports(obj: Object, now: datetime) -> str:
    ports = obj["spec"].get("ports") or []
    return ",".join(f"{port['port']}/{port['protocol']}" for port in ports) or "<none>"


def _external(obj: Object, now: datetime) -> str:
    given = (obj.get("status", {}).get("loadBalancer") or {}).get("ingress") or []
    return ",".join(entry.get("ip") or entry.get("hostname") or "" for entry in given) or "<none>"


def _ready_of(obj: Object, now: datetime) -> str:
    return f"{obj.get('status', {}).get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}"


def _number(field: str) -> Cell:
    return lambda obj, now: str(obj.get("status", {}).get(field) or 0)


def _scaled_component(obj: Object) -> str:
    target = obj["spec"].get("dgdRef") or {}
    return str(target.get("componentName") or target.get("serviceName") or "<none>")


def _external_target(metric: Object, seen: list[Object]) -> str:
    identity, target = metric["external"]["metric"], metric["external"]["target"]
    known = (each["external"] for each in seen if each.get("external"))
    current: Object = next((each["current"] for each in known if each["metric"] == identity), {})
    if "averageValue" in target:
        return f"{current.get('averageValue', '<unknown>')}/{target['averageValue']} (avg)"
    return f"{current.get('value', '<unknown>')}/{target.get('value')}"


def _targets(obj: Object, now: datetime) -> str:
    seen = {
        metric["resource"]["name"]: metric["resource"].get("current", {})
        for metric in obj.get("status", {}).get("currentMetrics") or []
        if metric.get("resource")
    }
    told = []
    for metric in obj["spec"].get("metrics") or []:
        if metric.get("type") == "External":
            told.append(_external_target(metric, obj.get("status", {}).get("currentMetrics") or []))
            continue
        if metric.get("type") != "Resource":
            told.append("<unknown>")
            continue
        name, target = metric["resource"]["name"], metric["resource"]["target"]
        current = seen.get(name, {})
        if "averageUtilization" in target:
            value = current.get("averageUtilization")
            told.append(
                f"{name}: {'<unknown>' if value is None else f'{value}%'}/{target['averageUtilization']}%"
            )
        else:
            told.append(f"{name}: {current.get('averageValue', '<unknown>')}/{target.get('averageValue')}")
    return ", ".join(told) or "<none>"


_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(obj: Object, now: datetime) -> str:
    return ",".join(_MODES.get(mode, mode) for mode in obj["spec"].get("accessModes") or [])


def _volume_claim(obj: Object, now: datetime) -> str:
    claim = obj["spec"].get("claimRef")
    return f"{claim['namespace']}/{claim['name']}" if claim else ""


def _claim_status(obj: Object, now: datetime) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str(obj.get("status", {}).get("phase", "Pending"))


def _hosts(obj: Object, now: datetime) -> str:
    return ",".join(rule.get("host") or "*" for rule in obj["spec"].get("rules") or []) or "*"


def _condition(kind: str) -> Cell:
    def read(obj: Object, now: datetime) -> str:
        conditions = obj.get("status", {}).get("conditions") or []
        return next((item["status"] for item in conditions if item["type"] == kind), "Unknown")

    return read


def _event_object(obj: Object, now: datetime) -> str:
    involved = obj.get("involvedObject") or obj.get("regarding") or {}
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


def _last_seen(obj: Object, now: datetime) -> str:
    return age(obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp") or obj.get("eventTime"), now)


_EVENTS: list[Column] = [
    ("Last Seen", 0, _last_seen),
    ("Type", 0, _at("type")),
    ("Reason", 0, _at("reason")),
    ("Object", 0, _event_object),
    ("Message", 0, lambda obj, now: str(obj.get("message", obj.get("note", ""))).strip()),
    ("Count", 1, _at("count", "1")),
    ("Name", 1, _name),
]
_COLUMNS: dict[str, list[Column]] = {
    "pods": [
        ("Ready", 0, lambda obj, now: pod_state.ready(obj)),
        ("Status", 0, lambda obj, now: pod_state.told(obj)),
        ("Restarts", 0, _restarts),
    ],
    "nodes": [
        ("Status", 0, _node_status),
        ("Roles", 0, _node_roles),
        ("Version", 0, _at("status.nodeInfo.kubeletVersion")),
        ("GPUs", 0, lambda obj, now: _gpus(obj)),
    ],
    "namespaces": [("Status", 0, _at("status.phase", "Active"))],
    "services": [
        ("Type", 0, _at("spec.type")),
        ("Cluster-IP", 0, _at("spec.clusterIP")),
        ("External-IP", 0, _external),
        ("Port(s)", 0, _ports),
    ],
    "statefulsets": [("Ready", 0, _ready_of)],
    "deployments": [
        ("Ready", 0, _ready_of),
        ("Up-to-date", 0, _number("updatedReplicas")),
        ("Available", 0, _number("availableReplicas")),
    ],
    "replicasets": [
        ("Desired", 0, _at("spec.replicas")),
        ("Current", 0, _number("replicas")),
        ("Ready", 0, _number("readyReplicas")),
    ],
    "horizontalpodautoscalers": [
        (
            "Reference",
            0,
            lambda obj, now: (
                f"{obj['spec']['scaleTargetRef']['kind']}/{obj['spec']['scaleTargetRef']['name']}"
            ),
        ),
        ("Targets", 0, _targets),
        ("MinPods", 0, _at("spec.minReplicas")),
        ("MaxPods", 0, _at("spec.maxReplicas")),
        ("Replicas", 0, _number("currentReplicas")),
    ],
    "persistentvolumeclaims": [
        ("Status", 0, _claim_status),
        ("Volume", 0, _at("spec.volumeName", "")),
        ("Capacity", 0, _at("status.capacity.storage", "")),
        ("Access Modes", 0, _modes),
        ("StorageClass", 0, _at("spec.storageClassName", "")),
    ],
    "persistentvolumes": [
        ("Capacity", 0, _at("spec.capacity.storage")),
        ("Access Modes", 0, _modes),
        ("Reclaim Policy", 0, _at("spec.persistentVolumeReclaimPolicy")),
        ("Status", 0, _at("status.phase", "Pending")),
        ("Claim", 0, _volume_claim),
        ("StorageClass", 0, _at("spec.storageClassName", "")),
    ],
    "secrets": [("Type", 0, _at("type")), ("Data", 0, lambda obj, now: str(len(obj.get("data") or {})))],
    "configmaps": [("Data", 0, lambda obj, now: str(len(obj.get("data") or {})))],
    "storageclasses": [
        ("Provisioner", 0, _at("provisioner")),
        ("ReclaimPolicy", 0, _at("reclaimPolicy", "Delete")),
        ("VolumeBindingMode", 0, _at("volumeBindingMode", "Immediate")),
        ("AllowVolumeExpansion", 0, _at("allowVolumeExpansion", "False")),
    ],
    "ingresses": [
        ("Class", 0, _at("spec.ingressClassName")),
        ("Hosts", 0, _hosts),
        ("Address", 0, _external),
    ],
    "ingressclasses": [("Controller", 0, _at("spec.controller"))],
    "nimservices": [("Status", 0, _at("status.state", ""))],
    "dynamographdeployments": [
        ("Ready", 0, _condition("Ready")),
        ("Backend", 0, _at("spec.backendFramework", "")),
    ],
    "dynamographdeploymentscalingadapters": [
        ("DGD", 0, _at("spec.dgdRef.name")),
        ("Component", 0, lambda obj, now: _scaled_component(obj)),
        ("Replicas", 0, _number("replicas")),
    ],
    "scaledobjects": [
        ("ScaleTargetKind", 0, _at("status.scaleTargetKind", "")),
        ("ScaleTargetName", 0, _at("spec.scaleTargetRef.name")),
        ("Min", 0, _at("spec.minReplicaCount", "")),
        ("Max", 0, _at("spec.maxReplicaCount", "")),
        *((kind, 0, _condition(kind)) for kind in ("Ready", "Active", "Fallback", "Paused")),
        ("Triggers", 0, _at("status.triggersTypes", "")),
    ],
    "leases": [("Holder", 0, _at("spec.holderIdentity", ""))],
    "runtimeclasses": [("Handler", 0, _at("handler"))],
    "gateways": [("Class", 0, _at("spec.gatewayClassName")), ("Programmed", 0, _condition("Programmed"))],
    "gatewayclasses": [
        ("Controller", 0, _at("spec.controllerName")),
        ("Accepted", 0, _condition("Accepted")),
    ],
    "httproutes": [
        ("Hostnames", 0, lambda obj, now: str(obj["spec"].get("hostnames") or []).replace("'", '"'))
    ],
}
_WIDE: dict[str, list[Column]] = {
    "pods": [("IP", 1, _at("status.podIP")), ("Node", 1, _at("spec.nodeName"))],
    "statefulsets": [("Containers", 1, _containers("name")), ("Images", 1, _containers("image"))],
    "deployments": [("Containers", 1, _containers("name")), ("Images", 1, _containers("image"))],
    "nodes": [("Internal-IP", 1, lambda obj, now: _address(obj)), ("GPU", 1, lambda obj, now: _product(obj))],
}


def _address(obj: Object) -> str:
    known = obj.get("status", {}).get("addresses") or []
    return next((entry["address"] for entry in known if entry["type"] == "InternalIP"), "<none>")


def _product(obj: Object) -> str:
    return str((obj["metadata"].get("labels") or {}).get("nvidia.com/gpu.product", "<none>"))


def _gpus(obj: Object) -> str:
    return str((obj.get("status", {}).get("allocatable") or {}).get("nvidia.com/gpu", "0"))
