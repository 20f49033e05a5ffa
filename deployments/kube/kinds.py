"""The kinds of objects that we read and write, and where the API keeps them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of the Kubernetes API."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True
    optional: bool = False
    """True for kinds that a cluster may not know; a list of them is then empty instead of an error."""

    @property
    def group(self) -> str:
        group, slash, _version = self.api_version.partition("/")
        return group if slash else ""

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The address below the server; without a namespace, that of all namespaces."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{inside}/{self.plural}" + (f"/{name}" if name else "")


POD = Kind("v1", "Pod", "pods")
SERVICE = Kind("v1", "Service", "services")
SECRET = Kind("v1", "Secret", "secrets")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
EVENT = Kind("v1", "Event", "events")
NODE = Kind("v1", "Node", "nodes", namespaced=False)
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
INGRESS = Kind("networking.k8s.io/v1", "Ingress", "ingresses")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes", optional=True)
NIM_SERVICE = Kind("apps.nvidia.com/v1alpha1", "NIMService", "nimservices", optional=True)
GRAPH_V1BETA1 = Kind("nvidia.com/v1beta1", "DynamoGraphDeployment", "dynamographdeployments", optional=True)
GRAPH_V1ALPHA1 = Kind("nvidia.com/v1alpha1", "DynamoGraphDeployment", "dynamographdeployments", optional=True)
SCALED_OBJECT = Kind("keda.sh/v1alpha1", "ScaledObject", "scaledobjects", optional=True)
STORAGE_CLASS = Kind("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False)
CUSTOM_RESOURCE = Kind(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)

#: Everything that a deployment may consist of, in the order in which it is created.
OWNED = (SECRET, SERVICE, STATEFUL_SET, AUTOSCALER, HTTP_ROUTE, INGRESS, CLAIM)

_BY_TYPE = {
    (kind.api_version, kind.name): kind
    for kind in (*OWNED, NIM_SERVICE, GRAPH_V1BETA1, GRAPH_V1ALPHA1, SCALED_OBJECT, POD, CONFIG_MAP, NODE)
}


def owned_kinds(dynamo_versions: tuple[str, ...], *, nim_operator: bool, keda: bool) -> tuple[Kind, ...]:
    """Everything that a deployment may consist of on a cluster that offers this, in the order of creation."""
    graph = GRAPH_V1BETA1 if "v1beta1" in dynamo_versions else GRAPH_V1ALPHA1
    extra = (
        *((NIM_SERVICE,) if nim_operator else ()),
        *((graph,) if dynamo_versions else ()),
        *((SCALED_OBJECT,) if keda else ()),
    )
    place = OWNED.index(AUTOSCALER)
    return (*OWNED[:place], *extra, *OWNED[place:])


def kind_of(object: dict[str, Any]) -> Kind:
    """The kind of an object as it is written. KeyError for one that we never write."""
    return _BY_TYPE[object["apiVersion"], object["kind"]]
