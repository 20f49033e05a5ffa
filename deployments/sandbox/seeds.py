"""The objects that a fresh sandbox cluster has before anybody deploys: namespaces, machines, classes, a gateway.

Idempotent: what exists is left alone, so that a cluster whose store was saved keeps its own state.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.sandbox.clock import stamp
from deployments.sandbox.settings import NodeSpec, Settings

if TYPE_CHECKING:
    from deployments.sandbox.store import Store

NAMESPACES = ("default", "kube-system", "models", "gateways")
GATEWAY = ("gateways", "inference")
GATEWAY_CLASS = "sandbox"
INGRESS_CLASS = "sandbox"
DEFAULT_STORAGE_CLASS = "fast-ssd"
FIXED_STORAGE_CLASS = "fixed-ssd"
KUBELET_VERSION = "v1.35.2"


def seed(store: Store, settings: Settings, now: datetime) -> None:
    """Create whatever of the basic objects is missing."""
    for name in NAMESPACES:
        _ensure(store, "namespaces", None, {"metadata": {"name": name}, "status": {"phase": "Active"}})
    for node in settings.nodes:
        _ensure(store, "nodes", None, _node(node, now))
    for storage_class in _storage_classes():
        _ensure(store, "storageclasses", None, storage_class)
    runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "nvidia"}}
    _ensure(store, "runtimeclasses", None, {**runtime, "handler": "nvidia"})
    ingress_class = {"metadata": {"name": INGRESS_CLASS}, "spec": {"controller": "sandbox.slipway/ingress"}}
    _ensure(store, "ingressclasses", None, ingress_class)
    _ensure(store, "gatewayclasses", None, _gateway_class())
    _ensure(store, "gateways", GATEWAY[0], _gateway())


def _ensure(store: Store, plural: str, namespace: str | None, obj: dict[str, Any]) -> None:
    name = obj["metadata"]["name"]
    if store.get(plural, namespace, name) is not None:
        return
    status = obj.get("status")
    store.create(plural, namespace, obj)
    if status is not None:
        store.update_status(plural, namespace, name, lambda live: live.update(status=status))


def _node(node: NodeSpec, now: datetime) -> dict[str, Any]:
    labels = {
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": node.zone,
        "node.kubernetes.io/instance-type": "sandbox",
    }
    capacity = {
        "cpu": node.cpu,
        "memory": node.memory,
        "ephemeral-storage": node.ephemeral_storage,
        "pods": str(node.pods),
    }
    spec: dict[str, Any] = {}
    if node.gpus:
        capacity["nvidia.com/gpu"] = str(node.gpus)
        labels |= {
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.product": node.gpu_product,
            "nvidia.com/gpu.count": str(node.gpus),
            "nvidia.com/gpu.memory": str(node.gpu_memory_mib),
            "feature.node.kubernetes.io/pci-10de.present": "true",
        }
        spec["taints"] = [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]
    time = stamp(now)
    good = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )
    machine = uuid.uuid5(uuid.NAMESPACE_DNS, f"{node.name}.sandbox").hex
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": labels},
        "spec": spec,
        "status": {
            "capacity": capacity,
            "allocatable": dict(capacity),
            "conditions": [
                {
                    "type": kind,
                    "status": status,
                    "reason": reason,
                    "message": message,
                    "lastHeartbeatTime": time,
                    "lastTransitionTime": time,
                }
                for kind, status, reason, message in good
            ],
            "addresses": [
                {"type": "InternalIP", "address": "127.0.0.1"},
                {"type": "Hostname", "address": node.name},
            ],
            "images": [],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": machine,
                "containerRuntimeVersion": "containerd://2.1.4",
                "kernelVersion": "6.8.0-sandbox",
                "kubeProxyVersion": "",
                "kubeletVersion": KUBELET_VERSION,
                "machineID": machine,
                "operatingSystem": "linux",
                "osImage": "Slipway sandbox",
                "systemUUID": machine,
            },
        },
    }


def _storage_classes() -> list[dict[str, Any]]:
    common = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "provisioner": "csi.sandbox.slipway",
        "reclaimPolicy": "Delete",
    }
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return [
        {
            **common,
            "metadata": {"name": DEFAULT_STORAGE_CLASS, "annotations": default},
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowVolumeExpansion": True,
        },
        {
            **common,
            "metadata": {"name": FIXED_STORAGE_CLASS},
            "volumeBindingMode": "Immediate",
            "allowVolumeExpansion": False,
        },
    ]


def _gateway_class() -> dict[str, Any]:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": GATEWAY_CLASS},
        "spec": {"controllerName": "sandbox.slipway/gateway"},
    }


def _gateway() -> dict[str, Any]:
    everyone = {"namespaces": {"from": "All"}}
    certificate = {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": "wildcard-tls"}]}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": GATEWAY[1], "namespace": GATEWAY[0]},
        "spec": {
            "gatewayClassName": GATEWAY_CLASS,
            "listeners": [
                {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": everyone},
                {
                    "name": "https",
                    "port": 443,
                    "protocol": "HTTPS",
                    "tls": certificate,
                    "allowedRoutes": everyone,
                },
            ],
        },
    }
