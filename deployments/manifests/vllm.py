"""vLLM as a StatefulSet with a volume per replica.

Owns what vLLM needs to start, serve and stop well on Kubernetes. Pure: no Django, no I/O.
"""

from __future__ import annotations

from typing import Final

from deployments.context import ModelSource, RenderContext
from deployments.engines import environment
from deployments.engines.arguments import TENSOR, parallelism, value_of
from deployments.manifests.common import (
    PORT,
    PORT_NAME,
    EngineNotOffered,
    Manifest,
    literal,
    secrets,
    services,
)
from deployments.manifests.pods import (
    DATA,
    DRAIN,
    GRACE,
    QUIET,
    SHM,
    amounts,
    attempts,
    health,
    locked_down,
    placement,
    pulling,
    security,
    shared,
    start_budget,
    stopping,
    variables,
)
from deployments.manifests.routes import route_secrets, routes
from deployments.manifests.scaling import autoscaler
from deployments.manifests.stateful_set import CLAIM, stateful_set
from deployments.spec import DeploymentSpec
from deployments.vocabulary import SourceKind, UseCase

#: Above the idle time of common proxies, which would else send a request into a connection just closed.
KEEP_ALIVE: Final = 75

_GROUP: Final = 2000
_WEIGHTS: Final = "/weights"
_POOLING: Final = (UseCase.EMBEDDING, UseCase.RERANK)


def render(spec: DeploymentSpec, context: RenderContext) -> list[Manifest]:
    """Secrets, services, StatefulSet, autoscaler and route of a vLLM deployment, in the order of creation.

    A stopped deployment has no autoscaler: one that waits at zero replicas reports an error for as long as
    the deployment is stopped, and could not be told from one that is broken.
    """
    if context.source.kind is SourceKind.NGC:
        raise EngineNotOffered("An NGC image brings its own engine: vLLM cannot load weights from it.")
    workload = stateful_set(spec, context, _pod(spec, context))
    scaling = spec.autoscaling.enabled and not context.stopped
    return [
        *secrets(spec, context),
        *route_secrets(spec, context),
        *services(spec, context),
        workload,
        *([autoscaler(spec, context, workload)] if scaling else []),
        *routes(spec, context),
    ]


def volume_claim(reference: str) -> tuple[str, str]:
    """(claim, path inside it) of a volume source such as "models/llama" or "pvc://models/llama".

    Raises EngineNotOffered for a reference that names no claim or tries to leave it.
    """
    claim, _, path = reference.removeprefix("pvc://").partition("/")
    parts = [part for part in path.split("/") if part]
    if not claim or ".." in parts:
        raise EngineNotOffered(
            f"“{reference}” is not a volume. Write the claim's name, then the path inside it."
        )
    return claim, "/".join(parts)


def _pod(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    return {
        # Variables that Kubernetes derives from services collide with vLLM's own, such as VLLM_PORT.
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": security(_GROUP),
        "containers": [_container(spec, context)],
        "volumes": _volumes(spec, context.source),
        **pulling(spec, context),
        **placement(spec.resources),
    }


def _container(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    return {
        "name": "engine",
        "image": spec.engine.reference,
        # Explicit, because the image's own entry point changed between versions; no shell, so that SIGTERM
        # arrives.
        "command": ["vllm", "serve"],
        "args": [literal(argument) for argument in _arguments(spec, context.source)],
        "env": _environment(spec, context),
        "ports": [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        **_probes(start_budget(spec, context.source)),
        "lifecycle": stopping(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": amounts(spec.resources),
        "securityContext": locked_down(),
        "volumeMounts": _mounts(context.source),
    }


def _arguments(spec: DeploymentSpec, source: ModelSource) -> list[str]:
    """The model, what Slipway decides, then what people gave: vLLM takes the last of two equal flags."""
    given = spec.engine.arguments
    made = [
        _model(source),
        *("--host", "0.0.0.0"),  # noqa: S104 - inside the pod, where probes and the service look for it
        *("--port", str(PORT)),
        *("--served-model-name", spec.name),
        *("--shutdown-timeout", str(DRAIN)),
        *("--disable-access-log-for-endpoints", "/health,/metrics"),
        "--enable-force-include-usage",
        "--enable-prompt-tokens-details",
    ]
    if source.revision and source.kind is SourceKind.HUGGING_FACE:
        made += ["--revision", source.revision]
    if value_of(given, TENSOR) is None:
        # vLLM does not look at how many GPUs there are: without this it would use one.
        made += [TENSOR, str(parallelism(given, spec.resources.gpu.count).tensor)]
    if source.kind is SourceKind.OBJECT_STORAGE and value_of(given, "--load-format") is None:
        made += ["--load-format", "runai_streamer"]
    if source.use_case in _POOLING and value_of(given, "--runner") is None:
        made += ["--runner", "pooling"]
    return [*made, *given]


def _model(source: ModelSource) -> str:
    """What vLLM loads: a repository, a bucket URL (s3://, gs://, az://), or the path of the mounted claim."""
    if source.kind is not SourceKind.VOLUME:
        return source.reference
    return "/".join(part for part in (_WEIGHTS, volume_claim(source.reference)[1]) if part)


def _environment(spec: DeploymentSpec, context: RenderContext) -> list[Manifest]:
    ours = {
        # Everything that is worth keeping over a restart lands on the replica's volume.
        "HOME": f"{DATA}/home",
        "HF_HOME": f"{DATA}/huggingface",
        "VLLM_CACHE_ROOT": f"{DATA}/vllm",
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": str(KEEP_ALIVE),
        "VLLM_NO_USAGE_STATS": "1",
        **QUIET,
        environment.READY_TIMEOUT: str(start_budget(spec, context.source)),
    }
    return variables(spec, context, ours, overridable=frozenset({environment.READY_TIMEOUT}))


def _probes(budget: int) -> Manifest:
    """/health, because it needs no API key and answers only once the engine is up."""
    return {
        "startupProbe": health("/health", period=10, timeout=5, failures=attempts(budget)),
        "livenessProbe": health("/health", period=10, timeout=5, failures=6),
        "readinessProbe": health("/health", period=5, timeout=3, failures=3),
    }


def _mounts(source: ModelSource) -> list[Manifest]:
    mounts: list[Manifest] = [{"name": CLAIM, "mountPath": DATA}, {"name": "shm", "mountPath": SHM}]
    if source.kind is SourceKind.VOLUME:
        mounts.append({"name": "weights", "mountPath": _WEIGHTS, "readOnly": True})
    return mounts


def _volumes(spec: DeploymentSpec, source: ModelSource) -> list[Manifest]:
    volumes = [shared(spec.resources)]
    if source.kind is SourceKind.VOLUME:
        claim = {"claimName": volume_claim(source.reference)[0], "readOnly": True}
        volumes.append({"name": "weights", "persistentVolumeClaim": claim})
    return volumes
