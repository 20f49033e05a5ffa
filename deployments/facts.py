"""What a connection check learned about a cluster, as frozen values.

Kept apart from the check that gathers them (it talks to Kubernetes) and from the preflight that judges them (it
does no I/O). Stored as JSON beside the cluster; from_mapping() reads what to_mapping() wrote, and takes a document of
an older version: what is missing there is unknown here. Pure: no Django, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from deployments.spec import GPU_RESOURCE


@dataclass(frozen=True, slots=True)
class Taint:
    """What keeps our pods off a node."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


@dataclass(frozen=True, slots=True)
class GpuNode:
    """A node with GPUs of one product."""

    name: str
    product: str
    """Label nvidia.com/gpu.product; empty when the node has none."""
    memory_bytes: int | None
    """Memory of one GPU; None when the node does not say."""
    total: int
    """GPUs that the node offers to pods."""
    free: int
    """GPUs that no pod has asked for."""
    resource: str = GPU_RESOURCE
    ready: bool = True
    """False: not ready, or closed to new pods."""
    cpu_free: int | None = None
    """Thousandths of a core that no pod has asked for; None when unknown."""
    memory_free: int | None = None
    """Bytes of host memory that no pod has asked for; None when unknown."""
    taints: tuple[Taint, ...] = ()
    """Only those that our pods do not tolerate."""
    rdma: bool = False
    """True when the node offers a network device that moves memory between nodes."""

    @property
    def is_open(self) -> bool:
        """True when new pods of ours can go there."""
        return self.ready and not self.taints


@dataclass(frozen=True, slots=True)
class Quota:
    """A ResourceQuota that bounds what a deployment asks for."""

    namespace: str
    name: str
    hard: Mapping[str, str] = field(default_factory=dict)
    """By resource, as the quota spells it: "requests.nvidia.com/gpu", "pods", "limits.memory"; amounts are Kubernetes
    quantities."""
    used: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StorageClass:
    name: str
    default: bool = False
    expandable: bool = False
    binding: str = "WaitForFirstConsumer"
    """volumeBindingMode: when a volume gets its place."""


@dataclass(frozen=True, slots=True)
class Addons:
    """Optional parts of a cluster that some settings need."""

    metrics_server: bool = False
    gateway_api: bool = False
    keda: bool = False
    dynamo: bool = False
    dynamo_versions: tuple[str, ...] = ()
    """Served versions of DynamoGraphDeployment that keep the labels of its pods, such as "v1alpha1" and "v1beta1"."""
    nim: bool = False
    nim_versions: tuple[str, ...] = ()
    """Served versions of NIMService."""
    keda_versions: tuple[str, ...] = ()
    """Served versions of ScaledObject."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    version: str
    """Of the API server, as in "v1.34.2"."""
    permissions_missing: tuple[str, ...] = ()
    """What we need and may not do, as "verb resource": "patch statefulsets.apps"."""
    gpu_nodes: tuple[GpuNode, ...] = ()
    storage_classes: tuple[StorageClass, ...] = ()
    addons: Addons = field(default_factory=Addons)
    quotas: tuple[Quota, ...] | None = None
    """Of every namespace; None when they could not be read."""
    checked_at: datetime | None = None
    """Aware; None when unknown."""

    def offering(self, resource: str, product: str | None) -> tuple[GpuNode, ...]:
        """Nodes that can run a pod asking for this GPU resource, of this product if one is named."""
        return tuple(
            node
            for node in self.gpu_nodes
            if node.resource == resource and (product is None or node.product == product)
        )

    def quotas_of(self, namespace: str) -> tuple[Quota, ...]:
        return tuple(quota for quota in self.quotas or () if quota.namespace == namespace)

    @property
    def default_storage_class(self) -> StorageClass | None:
        return next((found for found in self.storage_classes if found.default), None)

    def to_mapping(self) -> dict[str, Any]:
        """Only what JSON knows: lists, texts, numbers, true and false."""
        made = asdict(self)
        made["permissions_missing"] = list(self.permissions_missing)
        made["gpu_nodes"] = [asdict(node) for node in self.gpu_nodes]
        made["storage_classes"] = [asdict(found) for found in self.storage_classes]
        for node in made["gpu_nodes"]:
            node["taints"] = list(node["taints"])
        for versions in _VERSIONS:
            made["addons"][versions] = list(made["addons"][versions])
        made["quotas"] = None if self.quotas is None else [asdict(quota) for quota in self.quotas]
        made["checked_at"] = self.checked_at.isoformat() if self.checked_at else None
        return made

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any]) -> ClusterFacts:
        """The facts that to_mapping() wrote. Unknown keys are passed over."""
        checked_at = raw.get("checked_at")
        return cls(
            version=str(raw.get("version", "")),
            permissions_missing=tuple(raw.get("permissions_missing", ())),
            gpu_nodes=tuple(map(_gpu_node, raw.get("gpu_nodes", ()))),
            storage_classes=tuple(
                StorageClass(**_known(StorageClass, found)) for found in raw.get("storage_classes", ())
            ),
            addons=_addons(raw.get("addons", {})),
            quotas=_quotas(raw.get("quotas")),
            checked_at=datetime.fromisoformat(checked_at) if checked_at else None,
        )


_VERSIONS = ("dynamo_versions", "nim_versions", "keda_versions")


def _addons(raw: Mapping[str, Any]) -> Addons:
    known = _known(Addons, raw)
    return Addons(**{**known, **{name: tuple(known.get(name, ())) for name in _VERSIONS}})


def _gpu_node(raw: Mapping[str, Any]) -> GpuNode:
    known = _known(GpuNode, raw)
    return GpuNode(**{**known, "taints": tuple(Taint(**_known(Taint, t)) for t in known.get("taints", ()))})


def _quotas(raw: Any) -> tuple[Quota, ...] | None:
    return None if raw is None else tuple(Quota(**_known(Quota, quota)) for quota in raw)


def _known(kind: type, raw: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key in kind.__dataclass_fields__}  # type: ignore[attr-defined]
