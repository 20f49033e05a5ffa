"""NIM by NVIDIA's operator: one NIMService, of which the operator makes Deployment, Service, volume and autoscaler.

Three habits of the operator decide what is written here. It makes a Service of the NIMService's name, which is
therefore the one that clients use. It deletes autoscalers, routes and ingresses of that name when it was not told to
make them, so our route has another name. And it copies spec.labels to everything that it makes. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from deployments import naming
from deployments.context import RenderContext
from deployments.engines import environment
from deployments.manifests.common import (
    PORT,
    EngineNotOffered,
    Manifest,
    metadata,
    pull_secrets,
    secrets,
)
from deployments.manifests.pods import (
    amounts,
    attempts,
    health,
    marks,
    placement,
    shared_size,
    start_budget,
    template_digest,
    variables,
)
from deployments.manifests.routes import route_secrets, routes
from deployments.manifests.scaling import by_resource
from deployments.spec import DeploymentSpec

API_VERSION: Final = "apps.nvidia.com/v1alpha1"
_USER: Final = 1000
_GROUP: Final = 2000

#: What changes no pod: how many there are, how they are reached, and what volume they share.
_NOT_OF_PODS: Final = ("replicas", "scale", "expose", "storage")


def render(spec: DeploymentSpec, context: RenderContext, settings: Mapping[str, str]) -> list[Manifest]:
    """Secrets, NIMService and route. Raises EngineNotOffered for what this operator cannot do."""
    _require(spec, context)
    return [
        *secrets(spec, context),
        *route_secrets(spec, context),
        _service(spec, context, settings),
        *routes(spec, context, naming.route(spec.name)),
    ]


def _require(spec: DeploymentSpec, context: RenderContext) -> None:
    if not context.offers.nim_operator:
        raise EngineNotOffered(
            "This cluster has no NIM Operator. Install NVIDIA's k8s-nim-operator, or let Slipway run the pods."
        )
    if context.ngc_key is None:
        raise EngineNotOffered(
            "The NIM Operator needs an NGC key, also for images that do not. Add one to the cluster or the "
            "model, or let Slipway run the pods."
        )
    if spec.engine.tag.startswith("sha256:"):
        raise EngineNotOffered(
            "The NIM Operator takes a tag and no digest. Enter a tag, or let Slipway run the pods."
        )
    if spec.autoscaling.enabled and spec.autoscaling.metric.is_of_engine:
        raise EngineNotOffered(
            "The NIM Operator scales on CPU or memory only. Choose one of them, or let Slipway run the pods."
        )


def _service(spec: DeploymentSpec, context: RenderContext, settings: Mapping[str, str]) -> Manifest:
    wanted: Manifest = {
        "image": {
            "repository": spec.engine.image,
            "tag": spec.engine.tag,
            "pullPolicy": "IfNotPresent",
            "pullSecrets": pull_secrets(spec, context),
        },
        "authSecret": naming.ngc_secret(spec.name),
        "storage": _storage(spec, context),
        "resources": amounts(spec.resources),
        "env": variables(spec, context, settings, overridable=frozenset({environment.READY_TIMEOUT})),
        "expose": {"service": {"type": "ClusterIP", "port": PORT}},
        "startupProbe": {"enabled": True, "probe": _start(spec, context)},
        "userID": _USER,
        "groupID": _GROUP,
        **placement(spec.resources),
        **_replicas(spec, context),
    }
    if annotations := marks(spec, context):
        wanted["annotations"] = annotations
    template = template_digest(_made_from(wanted))
    wanted["labels"] = {**naming.operated_labels(spec.name), naming.TEMPLATE_LABEL: template}
    about = metadata(
        spec, context, naming.workload(spec.name), {naming.MODEL_ANNOTATION: context.source.reference}
    )
    about["labels"] |= {naming.REVISION_LABEL: str(context.revision), naming.TEMPLATE_LABEL: template}
    return {"apiVersion": API_VERSION, "kind": "NIMService", "metadata": about, "spec": wanted}


def _made_from(wanted: Manifest) -> Manifest:
    """All that decides the pods."""
    shared = wanted["storage"]["sharedMemorySizeLimit"]
    return {**{key: value for key, value in wanted.items() if key not in _NOT_OF_PODS}, "shm": shared}


def _storage(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    """One volume for all replicas: more than one can only mount it when it may be shared between nodes."""
    most = max(spec.replicas_at_most, spec.engine.replicas)
    claim: Manifest = {
        "create": True,
        "name": naming.cache_claim(spec.name),
        "size": spec.engine.volume,
        "volumeAccessMode": "ReadWriteOnce" if most <= 1 else "ReadWriteMany",
    }
    if context.storage_class is not None:
        claim["storageClass"] = context.storage_class
    return {"pvc": claim, "sharedMemorySizeLimit": shared_size(spec.resources)}


def _start(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    """Of the probes only this one: the operator itself allows 20 minutes, which large weights exceed."""
    budget = start_budget(spec, context.source)
    return health("/v1/health/ready", period=10, timeout=5, failures=attempts(budget), port=PORT)


def _replicas(spec: DeploymentSpec, context: RenderContext) -> dict[str, Any]:
    """A number, or bounds: the operator's schema refuses both together."""
    if context.stopped:
        return {"replicas": 0}
    if not spec.autoscaling.enabled:
        return {"replicas": spec.engine.replicas}
    return {"scale": {"enabled": True, "hpa": by_resource(spec)}}
