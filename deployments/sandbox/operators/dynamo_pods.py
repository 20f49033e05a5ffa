"""What Dynamo's operator makes of one component: labels, defaults of the container named `main`, a Deployment.

A component is given as v1beta1 writes it. Values in, values out.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from deployments.sandbox.api.json_tree import clone
from deployments.sandbox.operators.dynamo_versions import MAIN

Object = dict[str, Any]

GRAPH_LABEL = "nvidia.com/dynamo-graph-deployment-name"
COMPONENT_LABEL = "nvidia.com/dynamo-component"
TYPE_LABEL = "nvidia.com/dynamo-component-type"
HASH_LABEL = "nvidia.com/dynamo-worker-hash"
RESTART_ANNOTATION = "nvidia.com/restartAt"
_SELECTOR_LABEL = "nvidia.com/selector"
_NAMESPACE_LABEL = "nvidia.com/dynamo-namespace"
_OPERATOR = "dynamo-operator"
_WORKERS = ("worker", "prefill", "decode")
_SURGE = "nvidia.com/deployment-rolling-update-max-surge"
_UNAVAILABLE = "nvidia.com/deployment-rolling-update-max-unavailable"
_STRATEGY = "nvidia.com/deployment-strategy"
_GROUP_ID, _GRACE_SECONDS = 1000, 60
_MEMORY, _MEMORY_PATH, _MEMORY_SIZE = "shared-memory", "/dev/shm", "8Gi"  # noqa: S108 (a path in a pod)


def is_worker(component: Object) -> bool:
    """Whether a component loads a model."""
    return component.get("type") in _WORKERS


def name_of(graph: str, component: str) -> str:
    """`<graph>-<component in lower case>`."""
    return f"{graph}-{component.lower().replace('.', '-')}"


def namespace_of(graph: Object) -> str:
    """Dynamo's own namespace, in which the components of a graph find each other."""
    return f"{graph['metadata']['namespace']}-{graph['metadata']['name']}"


def worker_hash(spec: Object) -> str:
    """Eight digits over everything that the pods of all workers are made from; counts are no part of it."""
    parts = ("podTemplate", "multinode", "sharedMemorySize", "frontendSidecar", "compilationCache")
    workers = {
        component["name"]: {part: component[part] for part in parts if part in component}
        for component in spec.get("components") or []
        if is_worker(component)
    }
    made_from = [spec.get("backendFramework"), spec.get("env"), workers]
    text = json.dumps(made_from, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def pace(component: Object, graph: Object) -> Object:
    """The strategy of a Deployment, from the annotations of the pods or of the whole graph."""
    spec = graph.get("spec") or {}
    annotations = {**(spec.get("annotations") or {}), **_annotations(component)}
    if annotations.get(_STRATEGY) == "Recreate":
        return {"type": "Recreate"}
    rolling = {
        "maxSurge": _amount(annotations.get(_SURGE)),
        "maxUnavailable": _amount(annotations.get(_UNAVAILABLE)),
    }
    if all(str(value).rstrip("%") == "0" for value in rolling.values()):
        rolling["maxSurge"] = 1
    return {"type": "RollingUpdate", "rollingUpdate": rolling}


def deployment(
    graph: Object, component: Object, generation: str, replicas: int, restarted: str, pull_secrets: list[str]
) -> Object:
    """The Deployment of one component; `generation` is the hash of the workers, empty for the others."""
    meta = graph["metadata"]
    name = name_of(meta["name"], component["name"]) + (f"-{generation}" if generation else "")
    labels = _labels(graph, component, name, generation)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": meta["namespace"], "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {_SELECTOR_LABEL: name}},
            "strategy": pace(component, graph),
            "template": _template(graph, component, labels, generation, restarted, pull_secrets),
        },
    }


def service(graph: Object, component: Object) -> Object:
    """The Service of a frontend."""
    meta = graph["metadata"]
    selector = {TYPE_LABEL: "frontend", _NAMESPACE_LABEL: namespace_of(graph)}
    port = {"name": "http", "port": 8000, "targetPort": "http", "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name_of(meta["name"], component["name"]),
            "labels": {GRAPH_LABEL: meta["name"], COMPONENT_LABEL: component["name"]},
        },
        "spec": {"selector": selector, "ports": [port]},
    }


def _labels(graph: Object, component: Object, name: str, generation: str) -> dict[str, str]:
    labels = {
        GRAPH_LABEL: graph["metadata"]["name"],
        COMPONENT_LABEL: component["name"],
        TYPE_LABEL: component.get("type", ""),
        _NAMESPACE_LABEL: namespace_of(graph),
        _SELECTOR_LABEL: name,
        "nvidia.com/metrics-enabled": "true",
        "app.kubernetes.io/managed-by": _OPERATOR,
    }
    return labels | ({HASH_LABEL: generation} if generation else {})


def _template(
    graph: Object,
    component: Object,
    labels: dict[str, str],
    generation: str,
    restarted: str,
    pull_secrets: list[str],
) -> Object:
    given = clone(component.get("podTemplate") or {})
    spec = given.get("spec") or {}
    carried = given.get("metadata") or {}
    annotations = {
        **((graph.get("spec") or {}).get("annotations") or {}),
        **(carried.get("annotations") or {}),
    }
    if restarted:
        annotations[RESTART_ANNOTATION] = restarted
    containers = spec.get("containers") or []
    main = next((each for each in containers if each.get("name") == MAIN), {"name": MAIN})
    others = [each for each in containers if each.get("name") != MAIN]
    made = _main(graph, component, main, generation)
    _share_memory(component, spec, made)
    spec["containers"] = [made, *others]
    spec.setdefault("securityContext", {}).setdefault("fsGroup", _GROUP_ID)
    spec.setdefault("terminationGracePeriodSeconds", _GRACE_SECONDS)
    spec.setdefault("serviceAccountName", account_of(graph))
    named = {each["name"] for each in spec.get("imagePullSecrets") or []}
    found = [{"name": name} for name in pull_secrets if name not in named]
    if found:
        spec["imagePullSecrets"] = [*(spec.get("imagePullSecrets") or []), *found]
    metadata: Object = {"labels": {**(carried.get("labels") or {}), **labels}}
    if annotations:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": spec}


def account_of(graph: Object) -> str:
    """The service account with which the components ask the API server for each other."""
    return f"{graph['metadata']['name']}-k8s-service-discovery"


def _main(graph: Object, component: Object, given: Object, generation: str) -> Object:
    """The operator's container with what people gave merged over it."""
    worker = is_worker(component)
    base = _worker(generation) if worker else _frontend(graph) if component.get("type") == "frontend" else {}
    made = {**base, **given}
    env = [
        *_common_env(graph, component),
        *base.get("env", []),
        *((graph.get("spec") or {}).get("env") or []),
    ]
    chosen = {each["name"] for each in given.get("env") or []}
    made["env"] = [each for each in env if each["name"] not in chosen] + (given.get("env") or [])
    if given.get("command") and not given.get("args"):
        made.pop("args", None)
    return made


def _common_env(graph: Object, component: Object) -> list[Object]:
    meta = graph["metadata"]
    fields = {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace", "POD_UID": "metadata.uid"}
    return [
        {"name": "DYN_NAMESPACE", "value": namespace_of(graph)},
        {"name": "DYN_COMPONENT", "value": component.get("type", "")},
        {"name": "DYN_PARENT_DGD_K8S_NAME", "value": meta["name"]},
        {"name": "DYN_PARENT_DGD_K8S_NAMESPACE", "value": meta["namespace"]},
        {"name": "DYN_DISCOVERY_BACKEND", "value": "kubernetes"},
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
    ]


def _frontend(graph: Object) -> Object:
    return {
        "command": ["python3"],
        "args": ["-m", "dynamo.frontend"],
        "ports": [{"name": "http", "containerPort": 8000, "protocol": "TCP"}],
        "livenessProbe": _probe("/live", "http", 10, 1, 3, initialDelaySeconds=15),
        "readinessProbe": _probe("/health", "http", 10, 3, 3, initialDelaySeconds=10),
        "env": [
            {"name": "DYNAMO_PORT", "value": "8000"},
            {"name": "DYN_HTTP_PORT", "value": "8000"},
            {"name": "DYN_NAMESPACE_PREFIX", "value": namespace_of(graph)},
        ],
    }


def _worker(generation: str) -> Object:
    return {
        "ports": [
            {"name": "system", "containerPort": 9090, "protocol": "TCP"},
            {"name": "nixl", "containerPort": 19090, "protocol": "TCP"},
        ],
        "livenessProbe": _probe("/live", "system", 5, 4, 1),
        "readinessProbe": _probe("/health", "system", 10, 4, 3),
        "startupProbe": _probe("/live", "system", 10, 5, 720),
        "env": [
            {"name": "DYN_SYSTEM_ENABLED", "value": "true"},
            {"name": "DYN_SYSTEM_PORT", "value": "9090"},
            {"name": "DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS", "value": '["generate"]'},
            {"name": "DYN_HEALTH_CHECK_ENABLED", "value": "false"},
            {"name": "DYN_NAMESPACE_WORKER_SUFFIX", "value": generation},
        ],
    }


def _probe(path: str, port: str, period: int, timeout: int, failures: int, **more: int) -> Object:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
        **more,
    }


def _share_memory(component: Object, spec: Object, main: Object) -> None:
    size = str(component.get("sharedMemorySize", _MEMORY_SIZE))
    if size == "0":
        return
    volume = {"name": _MEMORY, "emptyDir": {"medium": "Memory", "sizeLimit": size}}
    spec["volumes"] = [*(spec.get("volumes") or []), volume]
    mount = {"name": _MEMORY, "mountPath": _MEMORY_PATH}
    main["volumeMounts"] = [*(main.get("volumeMounts") or []), mount]


def _annotations(component: Object) -> dict[str, str]:
    template = component.get("podTemplate") or {}
    return (template.get("metadata") or {}).get("annotations") or {}


def _amount(text: str | None) -> str | int:
    if not text:
        return "25%"
    return int(text) if text.isdecimal() else text
