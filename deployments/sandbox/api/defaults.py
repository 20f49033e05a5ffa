"""The values that the server fills in where a client left a field out."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from deployments.sandbox.api.kinds import Kind

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def fill(store: Store, kind: Kind, obj: Object, current: Object | None) -> None:
    """Complete an object in place; `current` is None for a new one."""
    filler = _FILLERS.get(kind.plural)
    if filler is not None:
        filler(store, obj, current)
    meta = obj["metadata"]
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        if field in meta and not meta[field]:
            del meta[field]


def _namespace(store: Store, obj: Object, current: Object | None) -> None:
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    labels = obj["metadata"].get("labels") or {}
    obj["metadata"]["labels"] = labels | {_NAMESPACE_LABEL: obj["metadata"].get("name", "")}
    obj.setdefault("status", {"phase": "Active"})


def _secret(store: Store, obj: Object, current: Object | None) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if plain:
        encoded = {key: base64.b64encode(str(text).encode()).decode() for key, text in plain.items()}
        obj["data"] = (obj.get("data") or {}) | encoded


def _service(store: Store, obj: Object, current: Object | None) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        if current is not None:
            spec.setdefault("clusterIP", current["spec"].get("clusterIP", "None"))
        elif not spec.get("clusterIP"):
            spec["clusterIP"] = _free_address(store)
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
    obj.setdefault("status", {"loadBalancer": {}})


def _free_address(store: Store) -> str:
    taken = {service["spec"].get("clusterIP") for service in store.list("services")}
    number = 10
    while (address := f"10.96.{number // 256}.{number % 256}") in taken:
        number += 1
    return address


def _stateful_set(store: Store, obj: Object, current: Object | None) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    _template(spec)
    for claim in spec.get("volumeClaimTemplates") or []:
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
        claim.setdefault("status", {"phase": "Pending"})
    obj.setdefault("status", {"replicas": 0, "availableReplicas": 0})


def _deployment(store: Store, obj: Object, current: Object | None) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    _template(spec)
    obj.setdefault("status", {})


def _replica_set(store: Store, obj: Object, current: Object | None) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    _template(spec)
    obj.setdefault("status", {"replicas": 0})


def _template(spec: dict[str, Any]) -> None:
    template = spec.get("template")
    if isinstance(template, dict):
        template.setdefault("metadata", {}).setdefault("creationTimestamp", None)
        if isinstance(template.get("spec"), dict):
            _pod_spec(template["spec"])


def _pod(store: Store, obj: Object, current: Object | None) -> None:
    spec = obj.setdefault("spec", {})
    _pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("serviceAccountName", "default")
    for container in [
        *(spec.get("containers") or []),
        *(spec.get("initContainers") or []),
    ]:
        resources = container["resources"]
        if resources.get("limits"):
            resources["requests"] = dict(resources["limits"]) | (resources.get("requests") or {})
    status = obj.setdefault("status", {"phase": "Pending"})
    status.setdefault("phase", "Pending")
    status.setdefault("qosClass", _quality(spec.get("containers") or []))


def _quality(containers: list[dict[str, Any]]) -> str:
    asked = [container.get("resources") or {} for container in containers]
    if not any(resources.get("requests") or resources.get("limits") for resources in asked):
        return "BestEffort"
    same = all(
        (resources.get("limits") or {}).get(name)
        and (resources.get("requests") or {}).get(name) == resources["limits"][name]
        for resources in asked
        for name in ("cpu", "memory")
    )
    return "Guaranteed" if same else "Burstable"


def _pod_spec(spec: dict[str, Any]) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    for container in [
        *(spec.get("containers") or []),
        *(spec.get("initContainers") or []),
    ]:
        container.setdefault("resources", {})
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        container.setdefault("imagePullPolicy", _pull_policy(str(container.get("image", ""))))
        for port in container.get("ports") or []:
            port.setdefault("protocol", "TCP")
        for variable in container.get("env") or []:
            field = (variable.get("valueFrom") or {}).get("fieldRef")
            if field:
                field.setdefault("apiVersion", "v1")
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            if container.get(name):
                _probe(container[name])
    for volume in spec.get("volumes") or []:
        for source in ("secret", "configMap"):
            if isinstance(volume.get(source), dict):
                volume[source].setdefault("defaultMode", 420)


def _probe(probe: dict[str, Any]) -> None:
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        probe.setdefault(field, value)
    if isinstance(probe.get("httpGet"), dict):
        probe["httpGet"].setdefault("scheme", "HTTP")
        probe["httpGet"].setdefault("path", "/")


def _pull_policy(image: str) -> str:
    if "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _claim(store: Store, obj: Object, current: Object | None) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("volumeMode", "Filesystem")
    if current is None:
        if spec.get("storageClassName") is None:
            chosen = [
                found["metadata"]["name"]
                for found in store.list("storageclasses")
                if (found["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
            ]
            if chosen:
                spec["storageClassName"] = chosen[0]
        finalizers = obj["metadata"].get("finalizers") or []
        if "kubernetes.io/pvc-protection" not in finalizers:
            obj["metadata"]["finalizers"] = [
                *finalizers,
                "kubernetes.io/pvc-protection",
            ]
        obj.setdefault("status", {"phase": "Pending"})


def _autoscaler(store: Store, obj: Object, current: Object | None) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    for direction in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(direction)
        if rules:
            rules.setdefault("selectPolicy", "Max")
    obj.setdefault("status", {"currentMetrics": None, "desiredReplicas": 0})


def _http_route(store: Store, obj: Object, current: Object | None) -> None:
    spec = obj.setdefault("spec", {})
    for parent in spec.get("parentRefs") or []:
        parent.setdefault("group", "gateway.networking.k8s.io")
        parent.setdefault("kind", "Gateway")
    for rule in spec.setdefault("rules", [{}]):
        rule.setdefault("matches", [{"path": {"type": "PathPrefix", "value": "/"}}])
        for backend in rule.get("backendRefs") or []:
            backend.setdefault("group", "")
            backend.setdefault("kind", "Service")
            backend.setdefault("weight", 1)


def _nim_service(store: Store, obj: Object, current: Object | None) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("inferencePlatform", "standalone")
    service = (spec.get("expose") or {}).get("service")
    if service is not None:
        service.setdefault("port", 8000)
    autoscaler = (spec.get("scale") or {}).get("hpa")
    if autoscaler is not None:
        autoscaler.setdefault("minReplicas", 1)


def _ingress(store: Store, obj: Object, current: Object | None) -> None:
    obj.setdefault("spec", {})
    obj.setdefault("status", {"loadBalancer": {}})


_FILLERS = {
    "namespaces": _namespace,
    "secrets": _secret,
    "services": _service,
    "statefulsets": _stateful_set,
    "deployments": _deployment,
    "replicasets": _replica_set,
    "pods": _pod,
    "persistentvolumeclaims": _claim,
    "horizontalpodautoscalers": _autoscaler,
    "httproutes": _http_route,
    "ingresses": _ingress,
    "nimservices": _nim_service,
}
