"""NVIDIA Dynamo: a DynamoGraphDeployment, which its operator turns into Deployments, Services and their pods.

A graph has a frontend, which speaks OpenAI's API and takes no GPU, and workers: alike ones, or some that read
prompts and some that write answers. What each is made of is said once here; graph_versions.py writes it in the
version of the kind that the cluster serves. Pure: no Django, no I/O.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from deployments import naming
from deployments.context import RenderContext
from deployments.engines import environment
from deployments.manifests.common import (
    EngineNotOffered,
    Manifest,
    client_service,
    literal,
    metadata,
    secrets,
)
from deployments.manifests.dynamo_backends import FRAMEWORKS, command, worker_arguments
from deployments.manifests.graph_versions import Component, write
from deployments.manifests.pods import (
    DATA,
    GRACE,
    QUIET,
    attempts,
    health,
    locked_down,
    marks,
    placement,
    pulling,
    security,
    shared_size,
    start_budget,
    stopping,
    template_digest,
    variables,
)
from deployments.manifests.routes import route_secrets, routes
from deployments.manifests.scaling import autoscaler
from deployments.spec import DeploymentSpec, DynamoSpec, Gpu, PodGroup, Resources
from deployments.vocabulary import DynamoBackend, RolloutStrategy, SourceKind

GROUP: Final = "nvidia.com"
FRONTEND: Final = "frontend"

#: The frontend reads tokenizers and passes text on; it holds no weights.
_FRONTEND_RESOURCES: Final = Resources("1", "2Gi", None, "8Gi", Gpu(count=0))
_COMPONENTS: Final = {"worker": "Worker", "prefill": "Prefill", "decode": "Decode"}
_SCALED: Final = ("worker", "decode")

_USERS_GROUP: Final = 1000
_PATIENCE: Final = 7200
"""Seconds that the operator's own start-up probe waits for a worker."""


def render(spec: DeploymentSpec, context: RenderContext) -> list[Manifest]:
    """Secrets, client service, graph, autoscaler and route, in the order of creation.

    Raises EngineNotOffered where the cluster has no operator, or for weights that Dynamo cannot load.
    """
    _require(spec, context)
    scaling = spec.autoscaling.enabled and not context.stopped
    return [
        *secrets(spec, context),
        *route_secrets(spec, context),
        # Ours, next to the operator's own: its name depends on Dynamo, and routes need not know the engine.
        client_service(spec, context, role=FRONTEND),
        _graph(spec, context),
        *([autoscaler(spec, context, scale_target(spec, context))] if scaling else []),
        *routes(spec, context),
    ]


def scale_target(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    """What an autoscaler changes: the adapter of the workers, or of those that write answers."""
    role = next(group.role for group in spec.groups if group.role in _SCALED)
    return {
        "apiVersion": f"{GROUP}/{_version(context)}",
        "kind": "DynamoGraphDeploymentScalingAdapter",
        "metadata": {"name": naming.scaling_adapter(spec.name, _COMPONENTS[role])},
    }


def _require(spec: DeploymentSpec, context: RenderContext) -> None:
    if not context.offers.dynamo_versions:
        raise EngineNotOffered(
            "This cluster has no Dynamo operator that Slipway can use. Install NVIDIA's dynamo-platform chart, or "
            "upgrade it, and check the cluster again. Or choose vLLM."
        )
    source = context.source
    if source.kind is not SourceKind.HUGGING_FACE:
        raise EngineNotOffered(
            "Dynamo loads weights from Hugging Face only. Give the model such a source, or choose vLLM."
        )
    if source.revision and _dynamo(spec).backend is DynamoBackend.TRTLLM:
        raise EngineNotOffered(
            "TensorRT-LLM cannot load a pinned revision. Remove it from the catalogue entry, or choose another backend."
        )


def _dynamo(spec: DeploymentSpec) -> DynamoSpec:
    return spec.engine.dynamo or DynamoSpec()


def _version(context: RenderContext) -> str:
    return "v1beta1" if "v1beta1" in context.offers.dynamo_versions else "v1alpha1"


def _graph(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    """One digest for all components: a change of one worker makes the operator replace all of them."""
    components = [_frontend(spec, context), *(_worker(spec, context, group) for group in spec.groups)]
    template = template_digest([component.made_from for component in components])
    components = [component.labelled({naming.TEMPLATE_LABEL: template}) for component in components]
    about = metadata(
        spec, context, naming.graph(spec.name), {naming.MODEL_ANNOTATION: context.source.reference}
    )
    about["labels"] |= {naming.REVISION_LABEL: str(context.revision), naming.TEMPLATE_LABEL: template}
    version = _version(context)
    return {
        "apiVersion": f"{GROUP}/{version}",
        "kind": "DynamoGraphDeployment",
        "metadata": about,
        "spec": {
            "backendFramework": FRAMEWORKS[_dynamo(spec).backend],
            **write(components, version),
        },
    }


def _frontend(spec: DeploymentSpec, context: RenderContext) -> Component:
    """Always one more before the old one goes: it needs no GPU, and without it nothing answers."""
    container = {
        "name": "main",
        "image": spec.engine.reference,
        "env": variables(spec, context, QUIET),
        "lifecycle": stopping(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": locked_down(),
    }
    return Component(
        name="Frontend",
        role=FRONTEND,
        replicas=0 if context.stopped else 1,
        resources=_FRONTEND_RESOURCES,
        labels=_labels(spec, FRONTEND),
        annotations=marks(spec, context),
        pace=_pace(RolloutStrategy.SURGE),
        container=container,
        pod=_pod(spec, context),
    )


def _worker(spec: DeploymentSpec, context: RenderContext, group: PodGroup) -> Component:
    gpu = replace(spec.resources.gpu, count=group.gpus)
    resources = replace(spec.resources, gpu=gpu)
    scaled = spec.autoscaling.enabled and not context.stopped and group.role in _SCALED
    return Component(
        name=_COMPONENTS[group.role],
        role=group.role,
        replicas=0 if context.stopped else None if scaled else group.replicas,
        scaled=scaled,
        resources=resources,
        shared_memory=shared_size(resources),
        labels=_labels(spec, group.role),
        annotations=marks(spec, context),
        pace=_pace(context.strategy),
        container=_worker_container(spec, context, group),
        pod={**_pod(spec, context), "volumes": [_cache(spec, context)], **placement(resources)},
    )


def _worker_container(spec: DeploymentSpec, context: RenderContext, group: PodGroup) -> Manifest:
    backend = _dynamo(spec).backend
    budget = start_budget(spec, context.source)
    ours = {"HF_HOME": f"{DATA}/huggingface", **QUIET}
    if backend is DynamoBackend.VLLM:
        ours |= {
            "VLLM_CACHE_ROOT": f"{DATA}/vllm",
            "VLLM_NO_USAGE_STATS": "1",
            environment.READY_TIMEOUT: str(budget),
        }
    arguments = worker_arguments(spec, context.source, group)
    made: Manifest = {
        "name": "main",
        "image": spec.engine.reference,
        "command": command(backend),
        "args": [literal(argument) for argument in arguments],
        "env": variables(spec, context, ours, overridable=frozenset({environment.READY_TIMEOUT})),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": locked_down(),
        "volumeMounts": [{"name": "cache", "mountPath": DATA}],
    }
    if budget > _PATIENCE:
        made["startupProbe"] = health("/live", period=10, timeout=5, failures=attempts(budget), port="system")
    return made


def _pod(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    """The pod keeps its key to the cluster: components of a graph find each other through the Kubernetes API."""
    return {
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": security(_USERS_GROUP),
        **pulling(spec, context),
    }


def _labels(spec: DeploymentSpec, role: str) -> dict[str, str]:
    return {**naming.operated_labels(spec.name), naming.ROLE_LABEL: role}


def _pace(strategy: RolloutStrategy) -> dict[str, str]:
    pace = naming.ONE_MORE_FIRST if strategy is RolloutStrategy.SURGE else naming.IN_PLACE
    return dict(zip(naming.PACE_ANNOTATIONS, pace, strict=True))


def _cache(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    """A volume that comes and goes with the pod: the operator runs Deployments, whose pods have none of their own."""
    wanted: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": spec.engine.volume}},
    }
    if context.storage_class is not None:
        wanted["storageClassName"] = context.storage_class
    claim = {"metadata": {"labels": naming.operated_labels(spec.name)}, "spec": wanted}
    return {"name": "cache", "ephemeral": {"volumeClaimTemplate": claim}}
