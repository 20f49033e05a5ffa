"""Checking a connection: what a cluster is, what it has, and what we may do there.

A fixed number of requests, however large the cluster: nodes, pods, classes and groups are each read once, and every
verb that a rollout needs is asked for by itself, because what an account may do cannot be derived from its roles.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from deployments import quantity
from deployments.facts import Addons, ClusterFacts, GpuNode, Quota, Taint
from deployments.facts import StorageClass as StorageClassFacts
from deployments.kube import pod_labels
from deployments.kube.client import Ask, Cluster, connect
from deployments.kube.decode import Node, Pod, StorageClass
from deployments.kube.errors import Forbidden, KubeError, Unauthorised
from deployments.kube.kinds import NODE, POD, STORAGE_CLASS
from deployments.kube.kubeconfig import ClusterAccess
from deployments.kube.quotas import RESOURCE_QUOTA, ResourceQuota, quotas

T = TypeVar("T")

_OWN = ("list", "get", "create", "patch", "delete")
#: Every verb that observing and reconciling use, by "resource.group" as kubectl writes it.
NEEDED: Mapping[str, tuple[str, ...]] = {
    "statefulsets.apps": _OWN,
    "services": _OWN,
    "secrets": _OWN,
    "persistentvolumeclaims": ("list", "get", "patch", "delete"),
    "pods": ("list", "get"),
    "pods/log": ("get",),
    "events": ("list",),
    "nodes": ("list",),
    "storageclasses.storage.k8s.io": ("list",),
    "horizontalpodautoscalers.autoscaling": _OWN,
    "httproutes.gateway.networking.k8s.io": _OWN,
    "ingresses.networking.k8s.io": _OWN,
    "resourcequotas": ("list",),
}
#: The same for kinds that only some clusters know, by the field of Addons that says so.
NEEDED_WITH: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "nim": {"nimservices.apps.nvidia.com": _OWN},
    "dynamo": {"dynamographdeployments.nvidia.com": _OWN},
    "keda": {"scaledobjects.keda.sh": _OWN},
}
#: Taints that a node's state says already.
_NODE_STATE = ("node.kubernetes.io/unschedulable", "node.kubernetes.io/not-ready")
_REPELLING = ("NoSchedule", "NoExecute")
_RDMA = re.compile(r"rdma/.+|nvidia\.com/(?:hostdev|roce.*|ib.*|mlnxnics)|vpc\.amazonaws\.com/efa", re.ASCII)
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_PRODUCT, _MEMORY = "nvidia.com/gpu.product", "nvidia.com/gpu.memory"


def probe(access: ClusterAccess) -> ClusterFacts:
    """Everything that a check learns. Raises a KubeError when the cluster does not answer or does not know us.

    What the account may not read stays unknown, and stands in `permissions_missing`.
    """
    with connect(access) as cluster:
        version = cluster.version()
        addons = _addons(cluster)
        missing = tuple(
            f"{verb} {resource}"
            for resource, verbs in needed(addons).items()
            for verb in verbs
            if not cluster.can_i(_ask(verb, resource))
        )
        nodes = _allowed(lambda: cluster.list(NODE, Node))
        pods = _allowed(lambda: cluster.list(POD, Pod))
        classes = _allowed(lambda: cluster.list(STORAGE_CLASS, StorageClass))
        return ClusterFacts(
            version=version,
            permissions_missing=missing,
            gpu_nodes=gpu_nodes(nodes, pods),
            storage_classes=tuple(map(_storage_class, classes)),
            addons=addons,
            quotas=_quotas(cluster),
        )


def needed(addons: Addons) -> dict[str, tuple[str, ...]]:
    """Every verb that a cluster with these add-ons has to allow."""
    extra = [verbs for addon, verbs in NEEDED_WITH.items() if getattr(addons, addon)]
    return dict(NEEDED) | {resource: verbs for each in extra for resource, verbs in each.items()}


def gpu_nodes(nodes: Sequence[Node], pods: Sequence[Pod]) -> tuple[GpuNode, ...]:
    """The nodes that offer GPUs, with what the pods on them have left free."""
    asked: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for pod in pods:
        if pod.spec.node_name and pod.status.phase not in ("Succeeded", "Failed"):
            for name, amount in demands(pod).items():
                asked[pod.spec.node_name][name] += amount
    found = []
    for node in nodes:
        name, offered = node.metadata.name, node.status.allocatable or {}
        labels = node.metadata.labels or {}
        memory = labels.get(_MEMORY, "")
        for resource, count in offered.items():
            if not is_gpu(resource) or not (total := _whole(resource, count)):
                continue
            found.append(
                GpuNode(
                    name=name,
                    product=labels.get(_PRODUCT, ""),
                    memory_bytes=int(memory) * quantity.MEBI
                    if memory.isascii() and memory.isdigit()
                    else None,
                    total=total,
                    free=max(total - asked[name][resource], 0),
                    resource=resource,
                    ready=_is_open(node),
                    cpu_free=_left("cpu", offered, asked[name]),
                    memory_free=_left("memory", offered, asked[name]),
                    taints=_taints(node, resource),
                    rdma=any(_RDMA.fullmatch(other) and _whole(other, n) for other, n in offered.items()),
                )
            )
    return tuple(found)


def demands(pod: Pod) -> dict[str, int]:
    """What a pod asks of its node: CPU in thousandths of a core, memory in bytes, devices by number."""
    total: dict[str, int] = defaultdict(int)
    for container in pod.spec.containers:
        if container.resources is None:
            continue
        # A limit stands in for a request that is not given.
        asked = {**(container.resources.limits or {}), **(container.resources.requests or {})}
        for name, amount in asked.items():
            total[name] += _whole(name, amount)
    return dict(total)


def is_gpu(resource: str) -> bool:
    """Whether an extended resource means GPUs, or parts of one."""
    return resource.endswith("/gpu") or resource.startswith(("nvidia.com/mig-", "gpu.intel.com/"))


def _whole(resource: str, amount: str | int) -> int:
    try:
        return quantity.to_millicores(str(amount)) if resource == "cpu" else quantity.to_bytes(str(amount))
    except ValueError:
        return 0


def _left(resource: str, offered: Mapping[str, str | int], asked: Mapping[str, int]) -> int | None:
    if resource not in offered:
        return None
    return max(_whole(resource, offered[resource]) - asked.get(resource, 0), 0)


def _is_open(node: Node) -> bool:
    ready = any(c.type == "Ready" and c.status == "True" for c in node.status.conditions or ())
    return ready and not node.spec.unschedulable


def _taints(node: Node, resource: str) -> tuple[Taint, ...]:
    """What keeps a pod of ours off, which asks for this GPU resource."""
    tolerated = (f"{resource.partition('/')[0]}/gpu", "NoSchedule")
    return tuple(
        Taint(taint.key, taint.value, taint.effect)
        for taint in node.spec.taints or ()
        if taint.effect in _REPELLING
        and (taint.key, taint.effect) != tolerated
        and taint.key not in _NODE_STATE
    )


def _quotas(cluster: Cluster) -> tuple[Quota, ...] | None:
    try:
        return quotas(cluster.list(RESOURCE_QUOTA, ResourceQuota))
    except Forbidden:
        return None


def _ask(verb: str, resource: str) -> Ask:
    name, _, group = resource.partition(".")
    name, _, subresource = name.partition("/")
    return Ask(verb, name, group, subresource=subresource)


def _storage_class(found: StorageClass) -> StorageClassFacts:
    return StorageClassFacts(
        name=found.metadata.name,
        default=(found.metadata.annotations or {}).get(_DEFAULT_CLASS) == "true",
        expandable=found.allow_volume_expansion,
        binding=found.volume_binding_mode,
    )


def _addons(cluster: Cluster) -> Addons:
    versions = cluster.api_groups()
    groups = {version.partition("/")[0] for version in versions}
    # NVIDIA's GPU operator uses the same group.
    dynamo = tuple(
        version
        for version in ("v1alpha1", "v1beta1")
        if f"nvidia.com/{version}" in versions
        and "dynamographdeployments" in _resources(cluster, f"nvidia.com/{version}")
    )
    keeping = pod_labels.keeping(cluster, dynamo) if dynamo else ()
    return Addons(
        # The group is known as soon as metrics-server is registered; it only answers when that one runs.
        metrics_server="metrics.k8s.io" in groups and bool(_resources(cluster, "metrics.k8s.io/v1beta1")),
        gateway_api="gateway.networking.k8s.io" in groups,
        keda="keda.sh" in groups,
        dynamo=bool(dynamo),
        dynamo_versions=keeping,
        nim="apps.nvidia.com" in groups,
        nim_versions=_served("apps.nvidia.com", versions),
        keda_versions=_served("keda.sh", versions),
    )


def _served(group: str, versions: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(v.partition("/")[2] for v in versions if v.startswith(f"{group}/")))


def _resources(cluster: Cluster, group_version: str) -> frozenset[str]:
    try:
        return cluster.resources(group_version)
    except Unauthorised:
        raise
    except KubeError:
        return frozenset()


def _allowed(read: Callable[[], Sequence[T]]) -> Sequence[T]:
    """What we may read; nothing where we may not."""
    try:
        return read()
    except Forbidden:
        return ()
