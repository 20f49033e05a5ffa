"""The kinds that the sandbox serves: names, scope, short names and subresources, as discovery tells them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_ALL_VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of the API. `store` names the shelf of the store on which its objects lie."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = _ALL_VERBS
    # Whether metadata.generation counts changes of spec.
    generation: bool = False
    # Another kind's shelf for a view of the same objects; "" where the objects are computed on each request.
    shelf: str | None = None
    custom: bool = False
    # The add-on that brings the kind; empty for what every cluster has.
    addon: str = ""
    singular: str = field(default="")

    @property
    def api_version(self) -> str:
        """`v1` or `group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def store(self) -> str:
        """The plural under which the store keeps the objects; empty for computed kinds."""
        return self.plural if self.shelf is None else self.shelf

    @property
    def single(self) -> str:
        """The singular resource name."""
        return self.singular or self.kind.lower()


_READ = ("get", "list", "watch")
_STATUS = ("status",)
_SCALED = ("status", "scale")
_GATEWAY = "gateway.networking.k8s.io"
_NVIDIA = "nvidia.com"
_GRAPHS, _ADAPTERS = "dynamographdeployments", "dynamographdeploymentscalingadapters"
_GRAPH, _ADAPTER = "DynamoGraphDeployment", "DynamoGraphDeploymentScalingAdapter"
DYNAMO, KEDA = "dynamo", "keda"


def _brought(
    addon: str,
    api_version: str,
    plural: str,
    kind: str,
    short: tuple[str, ...],
    subresources: tuple[str, ...] = _STATUS,
    shelf: str | None = None,
) -> Kind:
    """A kind of an add-on. Further versions of a kind name the shelf of the first."""
    group, _, version = api_version.partition("/")
    return Kind(
        group,
        version,
        plural,
        kind,
        True,
        short,
        subresources=subresources,
        generation=True,
        shelf=shelf,
        custom=True,
        addon=addon,
    )


NIM_GROUP = "apps.nvidia.com"

KINDS: tuple[Kind, ...] = (
    Kind("", "v1", "namespaces", "Namespace", False, ("ns",), subresources=_STATUS),
    Kind("", "v1", "nodes", "Node", False, ("no",), subresources=_STATUS),
    Kind(
        "",
        "v1",
        "pods",
        "Pod",
        True,
        ("po",),
        ("all",),
        subresources=("status", "log", "eviction"),
        generation=True,
    ),
    Kind("", "v1", "services", "Service", True, ("svc",), ("all",), subresources=_STATUS),
    Kind("", "v1", "endpoints", "Endpoints", True, ("ep",), singular="endpoints"),
    Kind("", "v1", "secrets", "Secret", True),
    Kind("", "v1", "configmaps", "ConfigMap", True, ("cm",)),
    Kind("", "v1", "serviceaccounts", "ServiceAccount", True, ("sa",)),
    Kind(
        "",
        "v1",
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        True,
        ("pvc",),
        subresources=_STATUS,
    ),
    Kind(
        "",
        "v1",
        "persistentvolumes",
        "PersistentVolume",
        False,
        ("pv",),
        subresources=_STATUS,
    ),
    Kind("", "v1", "events", "Event", True, ("ev",)),
    Kind(
        "",
        "v1",
        "resourcequotas",
        "ResourceQuota",
        True,
        ("quota",),
        subresources=_STATUS,
    ),
    Kind(
        "events.k8s.io",
        "v1",
        "events",
        "Event",
        True,
        ("ev",),
        verbs=_READ,
        shelf="events",
    ),
    Kind(
        "apps",
        "v1",
        "statefulsets",
        "StatefulSet",
        True,
        ("sts",),
        ("all",),
        _SCALED,
        generation=True,
    ),
    Kind(
        "apps",
        "v1",
        "deployments",
        "Deployment",
        True,
        ("deploy",),
        ("all",),
        _SCALED,
        generation=True,
    ),
    Kind(
        "apps",
        "v1",
        "replicasets",
        "ReplicaSet",
        True,
        ("rs",),
        ("all",),
        _SCALED,
        generation=True,
    ),
    Kind("apps", "v1", "controllerrevisions", "ControllerRevision", True),
    Kind(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        True,
        ("hpa",),
        ("all",),
        _STATUS,
    ),
    Kind(
        "networking.k8s.io",
        "v1",
        "ingresses",
        "Ingress",
        True,
        ("ing",),
        (),
        _STATUS,
        generation=True,
    ),
    Kind("networking.k8s.io", "v1", "ingressclasses", "IngressClass", False, generation=True),
    Kind("storage.k8s.io", "v1", "storageclasses", "StorageClass", False, ("sc",)),
    Kind("coordination.k8s.io", "v1", "leases", "Lease", True),
    Kind("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", False),
    Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True),
    Kind(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        False,
        ("crd", "crds"),
        ("api-extensions",),
        verbs=_READ,
    ),
    Kind(
        "apiregistration.k8s.io",
        "v1",
        "apiservices",
        "APIService",
        False,
        categories=("api-extensions",),
        verbs=_READ,
    ),
    Kind(
        _GATEWAY,
        "v1",
        "gatewayclasses",
        "GatewayClass",
        False,
        ("gc",),
        (),
        _STATUS,
        generation=True,
        custom=True,
    ),
    Kind(
        _GATEWAY,
        "v1",
        "gateways",
        "Gateway",
        True,
        ("gtw",),
        (),
        _STATUS,
        generation=True,
        custom=True,
    ),
    Kind(
        _GATEWAY,
        "v1",
        "httproutes",
        "HTTPRoute",
        True,
        (),
        (),
        _STATUS,
        generation=True,
        custom=True,
    ),
    Kind(
        NIM_GROUP,
        "v1alpha1",
        "nimservices",
        "NIMService",
        True,
        subresources=_STATUS,
        generation=True,
        custom=True,
    ),
    _brought(DYNAMO, f"{_NVIDIA}/v1beta1", _GRAPHS, _GRAPH, ("dgd",)),
    _brought(DYNAMO, f"{_NVIDIA}/v1beta1", _ADAPTERS, _ADAPTER, ("dgdsa",), _SCALED),
    _brought(DYNAMO, f"{_NVIDIA}/v1alpha1", _GRAPHS, _GRAPH, ("dgd",), shelf=_GRAPHS),
    _brought(DYNAMO, f"{_NVIDIA}/v1alpha1", _ADAPTERS, _ADAPTER, ("dgdsa",), _SCALED, _ADAPTERS),
    _brought(KEDA, "keda.sh/v1alpha1", "scaledobjects", "ScaledObject", ("so",)),
    Kind(
        "metrics.k8s.io",
        "v1beta1",
        "nodes",
        "NodeMetrics",
        False,
        verbs=("get", "list"),
        shelf="",
    ),
    Kind(
        "metrics.k8s.io",
        "v1beta1",
        "pods",
        "PodMetrics",
        True,
        verbs=("get", "list"),
        shelf="",
    ),
    Kind(
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        False,
        verbs=("create",),
        shelf="",
    ),
    Kind(
        "authorization.k8s.io",
        "v1",
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
        False,
        verbs=("create",),
        shelf="",
    ),
)

_BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
# The kind that writes to a shelf: views come later in the list and do not displace it.
_BY_SHELF: dict[str, Kind] = {}
for _kind in KINDS:
    if _kind.shelf is None:
        _BY_SHELF[_kind.plural] = _kind


def at(group: str, version: str, plural: str) -> Kind | None:
    """The kind at an API path, or None."""
    return _BY_PATH.get((group, version, plural))


def on_shelf(plural: str) -> Kind:
    """The kind whose objects the store keeps under `plural`; KeyError for a name that is not stored."""
    return _BY_SHELF[plural]


def written_as(plural: str, obj: dict[str, Any]) -> Kind:
    """The kind in the version in which an object lies on its shelf; add-ons have several."""
    group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
    found = _BY_PATH.get((group, version, plural))
    return found if found is not None and found.custom else _BY_SHELF[plural]


def is_absent(kind: Kind, absent: frozenset[str]) -> bool:
    """Whether a kind belongs to an API group, or to one version of it, that the cluster does not have."""
    return kind.group in absent or kind.api_version in absent


def stored() -> tuple[str, ...]:
    """Every shelf of the store."""
    return tuple(_BY_SHELF)
