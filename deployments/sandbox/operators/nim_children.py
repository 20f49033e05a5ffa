"""What the NIM Operator makes of a NIMService: Deployment, Service, volume claim and autoscaler.

As its release 3.1.2 does it. Its own labels win over those of the spec; those of the spec go to everything but the
claim, the pods included.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from deployments.sandbox.api.json_tree import clone
from deployments.sandbox.workloads.revisions import owner_reference

if TYPE_CHECKING:
    from deployments.sandbox.store import Object

VERSION = "v3.1.2"
PARENT_HASH = "nvidia.com/parent-spec-hash"
_STORE = "/model-store"
_USER, _GROUP = 1000, 2000
_PASSED_ON = (
    "affinity",
    "nodeSelector",
    "tolerations",
    "runtimeClassName",
    "priorityClassName",
    "schedulerName",
)


def is_scaled(spec: dict[str, Any]) -> bool:
    """Whether an autoscaler decides about the replicas."""
    return bool((spec.get("scale") or {}).get("enabled"))


def replicas_of(spec: dict[str, Any]) -> int:
    """How many pods the Deployment starts with."""
    if is_scaled(spec):
        return int(((spec.get("scale") or {}).get("hpa") or {}).get("minReplicas", 1))
    return int(spec.get("replicas", 1))


def port_of(spec: dict[str, Any]) -> int:
    """Where clients and probes reach the NIM."""
    return int(((spec.get("expose") or {}).get("service") or {}).get("port", 8000))


def claim_name(service: Object) -> str:
    """The claim that all replicas share; empty for storage of another kind."""
    claim = (service["spec"].get("storage") or {}).get("pvc") or {}
    if claim.get("create"):
        return str(claim.get("name") or f"{service['metadata']['name']}-pvc")
    return str(claim.get("name") or "")


def parent_hash(service: Object) -> str:
    """Tells whether a child was made of the present spec."""
    text = json.dumps(service["spec"], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def claim(service: Object) -> dict[str, Any]:
    """The claim, with labels of the operator alone."""
    wanted, name = service["spec"]["storage"]["pvc"], service["metadata"]["name"]
    metadata: dict[str, Any] = {
        "name": claim_name(service),
        "labels": {
            "app": "k8s-nim-operator",
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/managed-by": "k8s-nim-operator",
        },
        "ownerReferences": [owner_reference(service)],
    }
    if wanted.get("annotations"):
        metadata["annotations"] = dict(wanted["annotations"])
    spec: dict[str, Any] = {
        "accessModes": [wanted.get("volumeAccessMode", "")],
        "resources": {"requests": {"storage": wanted.get("size", "")}},
    }
    if wanted.get("storageClass"):
        spec["storageClassName"] = wanted["storageClass"]
    return {"metadata": metadata, "spec": spec}


def service_object(service: Object) -> dict[str, Any]:
    """The Service that clients use, under the NIMService's own name."""
    asked = (service["spec"].get("expose") or {}).get("service") or {}
    metadata = _metadata(service)
    metadata["labels"] = {**(asked.get("labels") or {}), **metadata["labels"]}
    port = {"name": "api", "port": port_of(service["spec"]), "targetPort": "api", "protocol": "TCP"}
    selector = {"app": service["metadata"]["name"]}
    return {
        "metadata": metadata,
        "spec": {"type": asked.get("type") or "ClusterIP", "ports": [port], "selector": selector},
    }


def autoscaler(service: Object) -> dict[str, Any]:
    """The HorizontalPodAutoscaler of the Deployment."""
    wanted = clone(service["spec"]["scale"].get("hpa") or {})
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": service["metadata"]["name"]}
    return {"metadata": _metadata(service), "spec": {"scaleTargetRef": target, **wanted}}


def deployment(service: Object) -> dict[str, Any]:
    """The Deployment of the same name: no surge, a quarter of the pods may be missing."""
    name, spec = service["metadata"]["name"], service["spec"]
    metadata = _metadata(service)
    annotations = {key: value for key, value in metadata["annotations"].items() if key != PARENT_HASH}
    user, group = spec.get("userID", _USER), spec.get("groupID", _GROUP)
    pod: dict[str, Any] = {
        "serviceAccountName": name,
        "containers": [_container(service)],
        "volumes": _volumes(service),
        "imagePullSecrets": [{"name": each} for each in spec["image"].get("pullSecrets") or []],
        "securityContext": {"runAsUser": user, "runAsGroup": group, "fsGroup": group},
        **{field: clone(spec[field]) for field in _PASSED_ON if spec.get(field)},
    }
    return {
        "metadata": metadata,
        "spec": {
            "replicas": replicas_of(spec),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "25%"}},
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {**metadata["labels"], "app": name}, "annotations": annotations},
                "spec": {field: value for field, value in pod.items() if value not in ([], {})},
            },
        },
    }


def _metadata(service: Object) -> dict[str, Any]:
    name, spec = service["metadata"]["name"], service["spec"]
    own = {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/operator-version": VERSION,
        "app.kubernetes.io/part-of": "nim-service",
        "app.kubernetes.io/managed-by": "k8s-nim-operator",
    }
    standard = {"openshift.io/required-scc": "nonroot", PARENT_HASH: parent_hash(service)}
    return {
        "name": name,
        "labels": {**(spec.get("labels") or {}), **own},
        "annotations": {**(spec.get("annotations") or {}), **standard},
        "ownerReferences": [owner_reference(service)],
    }


def _container(service: Object) -> dict[str, Any]:
    name, spec = service["metadata"]["name"], service["spec"]
    image = spec["image"]
    made: dict[str, Any] = {
        "name": f"{name}-ctr",
        "image": f"{image['repository']}:{image['tag']}",
        "env": _environment(spec),
        "ports": [{"name": "api", "containerPort": port_of(spec), "protocol": "TCP"}],
        "volumeMounts": [
            {"name": "model-store", "mountPath": _STORE},
            {"name": "dshm", "mountPath": "/dev/shm"},  # noqa: S108 (a mount path in a pod)
        ],
        **_probes(spec),
    }
    if image.get("pullPolicy"):
        made["imagePullPolicy"] = image["pullPolicy"]
    amounts = spec.get("resources") or {}
    if amounts:
        made["resources"] = {
            part: dict(amounts[part]) for part in ("requests", "limits") if amounts.get(part)
        }
    for field in ("command", "args"):
        if spec.get(field):
            made[field] = list(spec[field])
    return made


def _environment(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The spec's variables first; the operator's own where the spec does not name them."""
    key = {"secretKeyRef": {"name": spec.get("authSecret", ""), "key": "NGC_API_KEY"}}
    port = str(port_of(spec))
    standard: list[dict[str, Any]] = [
        {"name": "NIM_CACHE_PATH", "value": _STORE},
        {"name": "NGC_API_KEY", "valueFrom": key},
        {"name": "OUTLINES_CACHE_DIR", "value": "/tmp/outlines"},  # noqa: S108 (a folder in a pod)
        {"name": "NIM_SERVER_PORT", "value": port},
        {"name": "NIM_HTTP_API_PORT", "value": port},
        {"name": "NIM_JSONL_LOGGING", "value": "1"},
        {"name": "NIM_LOG_LEVEL", "value": "INFO"},
    ]
    given = clone(spec.get("env") or [])
    named = {each.get("name") for each in given}
    return [*given, *(each for each in standard if each["name"] not in named)]


def _probes(spec: dict[str, Any]) -> dict[str, Any]:
    made = {}
    for field, path, delay, failures in (
        ("livenessProbe", "/v1/health/live", 15, 3),
        ("readinessProbe", "/v1/health/ready", 15, 3),
        ("startupProbe", "/v1/health/ready", 30, 120),
    ):
        asked = spec.get(field) or {}
        if asked.get("enabled") is False:
            continue
        made[field] = clone(asked.get("probe") or {}) or {
            "httpGet": {"path": path, "port": "api"},
            "initialDelaySeconds": delay,
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": failures,
        }
    return made


def _volumes(service: Object) -> list[dict[str, Any]]:
    storage = service["spec"].get("storage") or {}
    shared: dict[str, Any] = {"medium": "Memory"}
    if storage.get("sharedMemorySizeLimit"):
        shared["sizeLimit"] = str(storage["sharedMemorySizeLimit"])
    volumes: list[dict[str, Any]] = [{"name": "dshm", "emptyDir": shared}]
    name = claim_name(service)
    if name:
        source: dict[str, Any] = {"claimName": name}
        if storage.get("readOnly"):
            source["readOnly"] = True
        volumes.append({"name": "model-store", "persistentVolumeClaim": source})
    elif storage.get("emptyDir") is not None:
        volumes.append({"name": "model-store", "emptyDir": dict(storage["emptyDir"])})
    else:
        volumes.append({"name": "model-store", "hostPath": {"path": storage.get("hostPath", "")}})
    return volumes
