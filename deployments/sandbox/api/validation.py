"""The rules of the API server about names, labels, quantities and workloads, as (path, sentence) pairs.

Only rules that our own objects can meet are here; shapes and types are checked by the schema before this.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from deployments import quantity
from deployments.sandbox.api import custom_rules, pod_rules
from deployments.sandbox.api.kinds import Kind
from deployments.sandbox.workloads import rollout_math

Problem = tuple[str, str]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_ANNOTATION_BYTES = 256 * 1024
_DATA_BYTES = 1024 * 1024
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")

_SAYS_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character"
)
_SAYS_SERVICE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character"
)
_SAYS_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character"
)


def problems(kind: Kind, obj: dict[str, Any]) -> list[Problem]:
    """Everything that is wrong with an object."""
    found = list(_metadata(kind, obj["metadata"]))
    rules = _RULES.get(kind.plural)
    if kind.custom:
        found.extend(custom_rules.problems(kind, obj))
    if rules is not None:
        found.extend(rules(obj))
    return found


def _metadata(kind: Kind, meta: dict[str, Any]) -> Iterator[Problem]:
    name = meta.get("name")
    if not name:
        yield "metadata.name", "Required value: name or generateName is required"
        return
    if kind.plural == "services":
        pattern, says, longest = _SERVICE, _SAYS_SERVICE, 63
    elif kind.plural == "namespaces":
        pattern, says, longest = _LABEL, _SAYS_LABEL, 63
    else:
        pattern, says, longest = _SUBDOMAIN, _SAYS_SUBDOMAIN, 253
    if len(name) > longest:
        yield (
            "metadata.name",
            f'Invalid value: "{name}": must be no more than {longest} characters',
        )
    elif not pattern.fullmatch(name):
        yield "metadata.name", f'Invalid value: "{name}": {says}'
    yield from labels("metadata.labels", meta.get("labels") or {})
    size = 0
    for key, value in (meta.get("annotations") or {}).items():
        yield from _qualified("metadata.annotations", key.lower())
        size += len(key) + len(value)
    if size > _ANNOTATION_BYTES:
        yield (
            "metadata.annotations",
            f"Too long: may not be more than {_ANNOTATION_BYTES} bytes",
        )


def labels(path: str, given: dict[str, str]) -> Iterator[Problem]:
    """Problems of label keys and values."""
    for key, value in given.items():
        yield from _qualified(path, key)
        if not _LABEL_VALUE.fullmatch(value):
            yield (
                path,
                (
                    f'Invalid value: "{value}": a valid label must be an empty string or consist of alphanumeric '
                    "characters, '-', '_' or '.', at most 63, and must start and end with an alphanumeric character"
                ),
            )


def _qualified(path: str, key: str) -> Iterator[Problem]:
    prefix, slash, name = key.rpartition("/")
    if not _LABEL_NAME.fullmatch(name):
        yield (
            path,
            f"Invalid value: \"{key}\": name part must consist of alphanumeric characters, '-', '_' or '.', at most 63",
        )
    if slash and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix)):
        yield path, f'Invalid value: "{key}": prefix part {_SAYS_SUBDOMAIN}'


def _workload(obj: dict[str, Any]) -> Iterator[Problem]:
    spec = obj["spec"]
    replicas = spec.get("replicas")
    if replicas is not None and replicas < 0:
        yield (
            "spec.replicas",
            f"Invalid value: {replicas}: must be greater than or equal to 0",
        )
    selector = spec.get("selector")
    template = spec.get("template")
    if not selector:
        yield "spec.selector", "Required value"
    if not isinstance(template, dict) or not template.get("spec"):
        yield "spec.template.spec.containers", "Required value"
        return
    carried = (template.get("metadata") or {}).get("labels") or {}
    yield from labels("spec.template.metadata.labels", carried)
    if selector:
        wanted = selector.get("matchLabels") or {}
        if not wanted and not selector.get("matchExpressions"):
            yield (
                "spec.selector",
                "Invalid value: {}: empty selector is invalid for this kind",
            )
        if not wanted.items() <= carried.items():
            yield (
                "spec.template.metadata.labels",
                f"Invalid value: {carried}: `selector` does not match template `labels`",
            )
    claims = [claim.get("metadata", {}).get("name", "") for claim in spec.get("volumeClaimTemplates") or []]
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or []):
        yield from _claim_spec(f"spec.volumeClaimTemplates[{index}].spec", claim.get("spec") or {})
    yield from pod_rules.problems("spec.template.spec", template["spec"], claims)


def _stateful_set(obj: dict[str, Any]) -> Iterator[Problem]:
    policy = obj["spec"].get("podManagementPolicy")
    if policy not in ("OrderedReady", "Parallel"):
        yield (
            "spec.podManagementPolicy",
            f"Invalid value: \"{policy}\": must be 'OrderedReady' or 'Parallel'",
        )
    for field, value in (obj["spec"].get("persistentVolumeClaimRetentionPolicy") or {}).items():
        if value not in ("Retain", "Delete"):
            path = f"spec.persistentVolumeClaimRetentionPolicy.{field}"
            yield (
                path,
                f'Unsupported value: "{value}": supported values: "Delete", "Retain"',
            )
    yield from _workload(obj)


def _deployment(obj: dict[str, Any]) -> Iterator[Problem]:
    yield from rollout_math.problems(obj["spec"].get("strategy") or {})
    yield from _workload(obj)


def _pod(obj: dict[str, Any]) -> Iterator[Problem]:
    yield from pod_rules.problems("spec", obj["spec"], [])


def _claim(obj: dict[str, Any]) -> Iterator[Problem]:
    yield from _claim_spec("spec", obj["spec"])


_ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")


def _claim_spec(path: str, spec: dict[str, Any]) -> Iterator[Problem]:
    modes = spec.get("accessModes") or []
    if not modes:
        yield (
            f"{path}.accessModes",
            "Required value: at least 1 access mode is required",
        )
    for mode in modes:
        if mode not in _ACCESS_MODES:
            yield f"{path}.accessModes", f'Unsupported value: "{mode}"'
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        yield f"{path}.resources[storage]", "Required value"
    else:
        yield from pod_rules.amount(f"{path}.resources[storage]", size, positive=True)


def _service(obj: dict[str, Any]) -> Iterator[Problem]:
    spec = obj["spec"]
    if spec.get("type") not in (
        "ClusterIP",
        "NodePort",
        "LoadBalancer",
        "ExternalName",
    ):
        yield "spec.type", f'Unsupported value: "{spec.get("type")}"'
    ports = spec.get("ports") or []
    if not ports and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
        yield "spec.ports", "Required value"
    names: set[str] = set()
    numbers: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        if len(ports) > 1 and not port.get("name"):
            yield f"{path}.name", "Required value"
        if port.get("name") in names:
            yield f"{path}.name", f'Duplicate value: "{port["name"]}"'
        names.add(port.get("name") or "")
        yield from pod_rules.port_number(f"{path}.port", port.get("port"))
        if isinstance(port.get("targetPort"), int):
            yield from pod_rules.port_number(f"{path}.targetPort", port["targetPort"])
        if port["protocol"] not in ("TCP", "UDP", "SCTP"):
            yield (
                f"{path}.protocol",
                f'Unsupported value: "{port["protocol"]}": supported values: "SCTP", "TCP", "UDP"',
            )
        if (port.get("port"), port["protocol"]) in numbers:
            yield path, f"Duplicate value: port {port.get('port')}"
        numbers.add((port.get("port"), port["protocol"]))
    yield from labels("spec.selector", spec.get("selector") or {})


def _autoscaler(obj: dict[str, Any]) -> Iterator[Problem]:
    spec = obj["spec"]
    low, high = spec.get("minReplicas", 1), spec.get("maxReplicas")
    if not isinstance(high, int) or high < 1:
        yield "spec.maxReplicas", f"Invalid value: {high}: must be greater than 0"
    elif high < low:
        yield (
            "spec.maxReplicas",
            f"Invalid value: {high}: must be greater than or equal to `minReplicas`",
        )
    if low < 1:
        yield (
            "spec.minReplicas",
            f"Invalid value: {low}: must be greater than or equal to 1",
        )
    target = spec.get("scaleTargetRef") or {}
    for field in ("kind", "name"):
        if not target.get(field):
            yield f"spec.scaleTargetRef.{field}", "Required value"
    for index, metric in enumerate(spec.get("metrics") or []):
        if metric.get("type") != "Resource":
            continue
        goal = (metric.get("resource") or {}).get("target") or {}
        path = f"spec.metrics[{index}].resource.target"
        percent, value = goal.get("averageUtilization"), goal.get("averageValue")
        if percent is None and value is None:
            yield (
                path,
                "Required value: must set either a target raw value or a target utilization",
            )
        if percent is not None and percent < 1:
            yield (
                f"{path}.averageUtilization",
                f"Invalid value: {percent}: must be greater than 0",
            )


def _data(obj: dict[str, Any]) -> Iterator[Problem]:
    size = 0
    secret = obj["kind"] == "Secret"
    for key, value in (obj.get("data") or {}).items():
        if not _DATA_KEY.fullmatch(key):
            yield (
                f"data[{key}]",
                "Invalid value: a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            )
        if secret:
            try:
                base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                yield f"data[{key}]", "Invalid value: illegal base64 data"
        size += len(value)
    if size > _DATA_BYTES * (4 / 3 if secret else 1):
        yield "data", f"Too long: may not be more than {_DATA_BYTES} bytes"


def _quota(obj: dict[str, Any]) -> Iterator[Problem]:
    for name, hard in ((obj.get("spec") or {}).get("hard") or {}).items():
        try:
            quantity.parse(str(hard))
        except ValueError as problem:
            yield f"spec.hard[{name}]", f"Invalid value: {problem}"


def _http_route(obj: dict[str, Any]) -> Iterator[Problem]:
    for index, name in enumerate(obj["spec"].get("hostnames") or []):
        if not _SUBDOMAIN.fullmatch(name.removeprefix("*.")) or len(name) > 253:
            yield (
                f"spec.hostnames[{index}]",
                f'Invalid value: "{name}": should match a DNS name, with "*." only in front',
            )


_RULES = {
    "pods": _pod,
    "statefulsets": _stateful_set,
    "deployments": _deployment,
    "replicasets": _workload,
    "persistentvolumeclaims": _claim,
    "services": _service,
    "horizontalpodautoscalers": _autoscaler,
    "secrets": _data,
    "configmaps": _data,
    "resourcequotas": _quota,
    "httproutes": _http_route,
}
