"""vLLM as a StatefulSet with a volume per replica.

Owns what vLLM needs to start, serve and stop well on Kubernetes. Nothing in the pod template may depend on
the revision number, prices, limits or texts: any change there restarts every pod. Pure: no Django, no I/O.
"""

from __future__ import annotations

import re
from typing import Final

from deployments import environment, naming, quantity
from deployments.arguments import TENSOR, parallelism, value_of
from deployments.context import ModelSource, RenderContext
from deployments.manifests.common import (
    PORT,
    PORT_NAME,
    TOKEN_KEY,
    EngineNotOffered,
    Manifest,
    autoscaler,
    from_secret,
    literal,
    metadata,
    secrets,
    secrets_checksum,
    services,
    variable,
)
from deployments.manifests.routes import route_secrets, routes
from deployments.memory import shared_memory
from deployments.spec import DeploymentSpec, Resources
from deployments.vocabulary import SourceKind, UseCase

#: A stop, in seconds: first the routes forget the pod, then running answers finish, then some slack before
#: SIGKILL.
FORGET: Final = 15
DRAIN: Final = 60
SLACK: Final = 15

#: Above the idle time of common proxies, which would else send a request into a connection just closed.
KEEP_ALIVE: Final = 75

#: Start-up budgets in seconds. Few and far apart, so that correcting a model's facts seldom restarts pods.
BUDGETS: Final = (1800, 3600, 7200, 14400)
_COMPILE_SECONDS: Final = 600
_SLOW_DOWNLOAD: Final = 25_000_000
"""Bytes per second that the budget allows for weights from afar."""

_DATA: Final = "/data"
_WEIGHTS: Final = "/weights"
_SHM: Final = "/dev/shm"  # noqa: S108 - where NCCL looks for it
_POOLING: Final = (UseCase.EMBEDDING, UseCase.RERANK)


def render(spec: DeploymentSpec, context: RenderContext) -> list[Manifest]:
    """Secrets, services, StatefulSet, autoscaler and route of a vLLM deployment, in the order of creation.

    A stopped deployment has no autoscaler: one that waits at zero replicas reports an error for as long as
    the deployment is stopped, and could not be told from one that is broken.
    """
    if context.source.kind is SourceKind.NGC:
        raise EngineNotOffered("An NGC image brings its own engine: vLLM cannot load weights from it.")
    workload = _stateful_set(spec, context)
    scaling = spec.autoscaling.enabled and not context.stopped
    return [
        *secrets(spec, context),
        *route_secrets(spec, context),
        *services(spec, context),
        workload,
        *([autoscaler(spec, context, workload)] if scaling else []),
        *routes(spec, context),
    ]


def start_budget(spec: DeploymentSpec, source: ModelSource) -> int:
    """Seconds from the container's start to the first healthy answer: download, load, compile, capture.

    The variable VLLM_ENGINE_READY_TIMEOUT_S decides where it is set; else the weights' size; else an hour.
    """
    asked = next((v.value or "" for v in spec.environment if v.name == environment.READY_TIMEOUT), "")
    if re.fullmatch(r"[1-9]\d{1,4}", asked, re.ASCII):
        return int(asked)
    weights = source.sizing.weights_bytes
    if weights is None:
        return BUDGETS[1]
    seconds = _COMPILE_SECONDS + weights // _SLOW_DOWNLOAD
    return next((budget for budget in BUDGETS if budget >= seconds), BUDGETS[-1])


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


def _stateful_set(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    name = naming.workload(spec.name)
    made = metadata(spec, context, name, {naming.MODEL_ANNOTATION: context.source.reference})
    made["labels"][naming.REVISION_LABEL] = str(context.revision)
    replicas = _replicas(spec, context)
    wanted: Manifest = {
        **({} if replicas is None else {"replicas": replicas}),
        "serviceName": naming.headless_service(spec.name),
        "podManagementPolicy": "Parallel",
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
        "updateStrategy": {"type": "RollingUpdate"},
        "selector": {"matchLabels": naming.selector(spec.name)},
        "template": _template(spec, context),
        "volumeClaimTemplates": [_claim(spec, context)],
    }
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": made, "spec": wanted}


def _replicas(spec: DeploymentSpec, context: RenderContext) -> int | None:
    """None leaves the number to the autoscaler.

    Leaving out a number that we used to apply would reset it to 1, so while the autoscaler takes over, the
    live number is sent instead, within the autoscaler's own bounds. Without autoscaling the spec's number
    counts.
    """
    if context.stopped:
        return 0
    scaling = spec.autoscaling
    if not scaling.enabled:
        return spec.engine.replicas
    if context.live_replicas is None:
        return None
    return max(scaling.min_replicas, min(context.live_replicas, scaling.max_replicas))


def _template(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    pod: Manifest = {
        # Variables that Kubernetes derives from services collide with vLLM's own, such as VLLM_PORT.
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": FORGET + DRAIN + SLACK,
        # The group makes the volume writable for images that do not run as root; OnRootMismatch spares big
        # volumes a walk.
        "securityContext": {
            "fsGroup": 2000,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(spec, context)],
        "volumes": _volumes(spec, context.source),
    }
    if context.registry_credentials is not None:
        pod["imagePullSecrets"] = [{"name": naming.registry_secret(spec.name)}]
    pod.update(_placement(spec))
    about: Manifest = {"labels": naming.labels(spec.name, spec.engine.kind)}
    if checksum := secrets_checksum(spec, context):
        about["annotations"] = {naming.SECRETS_ANNOTATION: checksum}
    return {"metadata": about, "spec": pod}


def _placement(spec: DeploymentSpec) -> Manifest:
    gpu = spec.resources.gpu
    if gpu.count < 1:
        return {}
    vendor = gpu.resource.partition("/")[0]
    placement: Manifest = {
        "tolerations": [{"key": f"{vendor}/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    }
    if gpu.product:
        placement["nodeSelector"] = {naming.GPU_PRODUCT_LABEL: gpu.product}
    return placement


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
        "lifecycle": {"preStop": {"exec": {"command": ["/bin/sleep", str(FORGET)]}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": _resources(spec.resources),
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
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
    """Ours first, then the spec's. A name never comes twice: server-side apply refuses such a list."""
    ours = {
        # Everything that is worth keeping over a restart lands on the replica's volume.
        "HOME": f"{_DATA}/home",
        "HF_HOME": f"{_DATA}/huggingface",
        "VLLM_CACHE_ROOT": f"{_DATA}/vllm",
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": str(KEEP_ALIVE),
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        environment.READY_TIMEOUT: str(start_budget(spec, context.source)),
    }
    made = {name: {"name": name, "value": value} for name, value in ours.items()}
    if context.weights_token is not None:
        token = from_secret(environment.HUB_TOKEN, naming.weights_secret(spec.name), TOKEN_KEY)
        made[environment.HUB_TOKEN] = token
    overridable = {environment.HUB_TOKEN, environment.READY_TIMEOUT}
    for given in spec.environment:
        if given.name not in made or given.name in overridable:
            made[given.name] = variable(spec, given)
    return list(made.values())


def _probes(budget: int) -> Manifest:
    """/health, because it needs no API key and answers only once the engine is up.

    The start-up probe waits a minute longer than vLLM itself, so that vLLM's own message ends the start.
    """
    return {
        "startupProbe": _health(period=10, timeout=5, failures=-(-budget // 10) + 6),
        "livenessProbe": _health(period=10, timeout=5, failures=6),
        "readinessProbe": _health(period=5, timeout=3, failures=3),
    }


def _health(period: int, timeout: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": "/health", "port": PORT_NAME},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }


def _resources(resources: Resources) -> Manifest:
    """GPUs stand in the limits only: Kubernetes takes the request from there and allows no other."""
    limits = {"memory": resources.memory_limit}
    if resources.cpu_limit is not None:
        limits["cpu"] = resources.cpu_limit
    if resources.gpu.count > 0:
        limits[resources.gpu.resource] = str(resources.gpu.count)
    return {"requests": {"cpu": resources.cpu_request, "memory": resources.memory_request}, "limits": limits}


def _mounts(source: ModelSource) -> list[Manifest]:
    mounts: list[Manifest] = [{"name": "data", "mountPath": _DATA}, {"name": "shm", "mountPath": _SHM}]
    if source.kind is SourceKind.VOLUME:
        mounts.append({"name": "weights", "mountPath": _WEIGHTS, "readOnly": True})
    return mounts


def _volumes(spec: DeploymentSpec, source: ModelSource) -> list[Manifest]:
    size = quantity.from_bytes(shared_memory(spec.resources))
    volumes: list[Manifest] = [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": size}}]
    if source.kind is SourceKind.VOLUME:
        claim = {"claimName": volume_claim(source.reference)[0], "readOnly": True}
        volumes.append({"name": "weights", "persistentVolumeClaim": claim})
    return volumes


def _claim(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    """Claim templates can never be changed, so they carry no label that might."""
    wanted: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": spec.engine.volume}},
    }
    if context.storage_class is not None:
        wanted["storageClassName"] = context.storage_class
    stable = {naming.MANAGED_BY_LABEL: naming.PRODUCT, **naming.selector(spec.name)}
    return {"metadata": {"name": "data", "labels": stable}, "spec": wanted}
