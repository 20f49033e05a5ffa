"""NVIDIA NIM: a StatefulSet with a volume per replica, or a NIMService for NVIDIA's operator (nim_operator.py).

A NIM brings its model and its engine in the image; what can be set are variables. 1.x and 2.x differ in which
(deployments/engines/ngc.py tells them apart by the tag). Pure: no Django, no I/O.
"""

from __future__ import annotations

import shlex
from typing import Final

from deployments import naming
from deployments.context import ModelSource, RenderContext
from deployments.engines import environment, ngc
from deployments.manifests import nim_operator
from deployments.manifests.common import (
    NGC_KEY,
    PORT,
    PORT_NAME,
    EngineNotOffered,
    Manifest,
    from_secret,
    literal,
    secrets,
    services,
)
from deployments.manifests.pods import (
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
from deployments.vocabulary import NimRunner, SourceKind

#: The user that NVIDIA's images are made for, and its group.
USER: Final = 1000

CACHE: Final = "/opt/nim/.cache"
LIVE: Final = "/v1/health/live"
READY: Final = "/v1/health/ready"

_SOURCES: Final = (SourceKind.NGC, SourceKind.HUGGING_FACE)


def render(spec: DeploymentSpec, context: RenderContext) -> list[Manifest]:
    """Every object of a NIM, in the order of creation. Raises EngineNotOffered for what cannot run."""
    _require(spec, context)
    if spec.engine.nim is not None and spec.engine.nim.runner is NimRunner.OPERATOR:
        return nim_operator.render(spec, context, settings(spec, context.source))
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


def settings(spec: DeploymentSpec, source: ModelSource) -> dict[str, str]:
    """The variables that say what is served and how, whoever runs the pods."""
    line = ngc.line_of(spec.engine.tag)
    made = {"NIM_SERVED_MODEL_NAME": spec.name, **QUIET}
    if spec.engine.nim is not None and spec.engine.nim.profile:
        made["NIM_MODEL_PROFILE"] = spec.engine.nim.profile
    if source.kind is SourceKind.HUGGING_FACE and ngc.is_model_free(spec.engine.image):
        name = "NIM_MODEL_PATH" if line.major >= 2 else "NIM_MODEL_NAME"
        made[name] = f"hf://{source.reference}"
    if line.takes_arguments:
        made[environment.READY_TIMEOUT] = str(start_budget(spec, source))
        if spec.engine.arguments:
            made["NIM_PASSTHROUGH_ARGS"] = literal(shlex.join(spec.engine.arguments))
    return made


def _require(spec: DeploymentSpec, context: RenderContext) -> None:
    engine, source = spec.engine, context.source
    if not engine.image:
        raise EngineNotOffered(
            "This model has no NGC image. Enter the image of the NIM, such as "
            "nvcr.io/nim/meta/llama-3.1-8b-instruct."
        )
    if source.kind not in _SOURCES:
        raise EngineNotOffered(
            "A NIM loads weights from NGC or from Hugging Face. Give the model such a source, or choose vLLM."
        )
    free = ngc.is_model_free(engine.image)
    if free and source.kind is SourceKind.NGC:
        raise EngineNotOffered(
            f"{engine.image} serves models of Hugging Face, and this one is an NGC image itself. "
            "Leave the image empty to use that."
        )
    if free and source.revision:
        raise EngineNotOffered(
            "A NIM cannot load a pinned revision. Remove it from the catalogue entry, or choose vLLM."
        )
    if engine.arguments and not ngc.line_of(engine.tag).takes_arguments:
        raise EngineNotOffered(
            "NIM 1.x takes no engine arguments. Set its variables instead, or choose a 2.x tag."
        )


def _pod(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    return {
        # A service called nim-server would otherwise set NIM_SERVER_PORT.
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": security(USER, USER),
        "containers": [_container(spec, context)],
        "volumes": [shared(spec.resources)],
        **pulling(spec, context),
        **placement(spec.resources),
    }


def _container(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    """Without a command: the image's own entry point finds the profile and starts the engine."""
    budget = start_budget(spec, context.source)
    return {
        "name": "engine",
        "image": spec.engine.reference,
        "env": _environment(spec, context),
        "ports": [{"name": PORT_NAME, "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": health(READY, period=10, timeout=5, failures=attempts(budget)),
        "livenessProbe": health(LIVE, period=10, timeout=5, failures=6),
        "readinessProbe": health(READY, period=5, timeout=3, failures=3),
        "lifecycle": stopping(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": amounts(spec.resources),
        "securityContext": locked_down(),
        "volumeMounts": [{"name": CLAIM, "mountPath": CACHE}, {"name": "shm", "mountPath": SHM}],
    }


def _environment(spec: DeploymentSpec, context: RenderContext) -> list[Manifest]:
    """Without a key the variable is left out: with an empty one a keyless image would try to log in, and fail."""
    ours = {
        "NIM_CACHE_PATH": CACHE,
        "NIM_SERVER_PORT": str(PORT),
        "NIM_HTTP_API_PORT": str(PORT),
        **settings(spec, context.source),
    }
    keys = [] if context.ngc_key is None else [from_secret(NGC_KEY, naming.ngc_secret(spec.name), NGC_KEY)]
    return variables(spec, context, ours, keys, overridable=frozenset({environment.READY_TIMEOUT}))
