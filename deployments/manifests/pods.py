"""What the pods of every engine have in common: how they stop, where they may run, what they may use and do.

Nothing here may depend on the revision number, prices, limits or texts: any change in a pod restarts it. Pure.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

from deployments import naming, quantity
from deployments.context import ModelSource, RenderContext
from deployments.engines import environment
from deployments.engines.memory import shared_memory
from deployments.manifests.common import (
    PORT_NAME,
    TOKEN_KEY,
    Manifest,
    from_secret,
    pull_secrets,
    secrets_checksum,
    variable,
)
from deployments.spec import DeploymentSpec, Resources

#: A stop, in seconds: first the routes forget the pod, then running answers finish, then some slack before
#: SIGKILL.
FORGET: Final = 15
DRAIN: Final = 60
SLACK: Final = 15
GRACE: Final = FORGET + DRAIN + SLACK

#: Start-up budgets in seconds. Few and far apart, so that correcting a model's facts seldom restarts pods.
BUDGETS: Final = (1800, 3600, 7200, 14400)
_COMPILE_SECONDS: Final = 600
_SLOW_DOWNLOAD: Final = 25_000_000
"""Bytes per second that the budget allows for weights from afar."""

DATA: Final = "/data"
SHM: Final = "/dev/shm"  # noqa: S108 - where NCCL looks for it

#: No process of ours or theirs reports usage to its makers.
QUIET: Final[Mapping[str, str]] = {"DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


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


def attempts(budget: int, period: int = 10) -> int:
    """How often a start-up probe asks: a minute longer than the engine waits, so that its own words end the start."""
    return -(-budget // period) + 6


def health(path: str, period: int, timeout: int, failures: int, port: str | int = PORT_NAME) -> Manifest:
    """A probe that asks over HTTP; seconds, and failures in a row."""
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }


def security(group: int, user: int | None = None) -> Manifest:
    """A pod's security context.

    The group makes the volume writable for images that do not run as root; OnRootMismatch spares big volumes a walk.
    """
    who = {} if user is None else {"runAsNonRoot": True, "runAsUser": user, "runAsGroup": group}
    return {
        **who,
        "fsGroup": group,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def locked_down() -> Manifest:
    """A container's security context."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def stopping() -> Manifest:
    """Waits until the routes have forgotten the pod; without a shell, so that SIGTERM arrives."""
    return {"preStop": {"exec": {"command": ["/bin/sleep", str(FORGET)]}}}


def shared(resources: Resources) -> Manifest:
    """The volume behind /dev/shm."""
    return {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": shared_size(resources)}}


def shared_size(resources: Resources) -> str:
    return quantity.from_bytes(shared_memory(resources))


def placement(resources: Resources) -> Manifest:
    """Which nodes: those with the product, and those kept for GPUs."""
    gpu = resources.gpu
    if gpu.count < 1:
        return {}
    vendor = gpu.resource.partition("/")[0]
    place: Manifest = {
        "tolerations": [{"key": f"{vendor}/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    }
    if gpu.product:
        place["nodeSelector"] = {naming.GPU_PRODUCT_LABEL: gpu.product}
    return place


def amounts(resources: Resources) -> Manifest:
    """GPUs stand in the limits only: Kubernetes takes the request from there and allows no other."""
    limits = {"memory": resources.memory_limit}
    if resources.cpu_limit is not None:
        limits["cpu"] = resources.cpu_limit
    if resources.gpu.count > 0:
        limits[resources.gpu.resource] = str(resources.gpu.count)
    return {"requests": {"cpu": resources.cpu_request, "memory": resources.memory_request}, "limits": limits}


def pulling(spec: DeploymentSpec, context: RenderContext) -> Manifest:
    """The pull secrets, where the image needs any."""
    names = pull_secrets(spec, context)
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}


def variables(
    spec: DeploymentSpec,
    context: RenderContext,
    ours: Mapping[str, str],
    secrets: Iterable[Manifest] = (),
    overridable: frozenset[str] = frozenset(),
) -> list[Manifest]:
    """Ours first, then the spec's. A name never comes twice: server-side apply refuses such a list."""
    made = {name: {"name": name, "value": value} for name, value in ours.items()}
    made |= {entry["name"]: entry for entry in secrets}
    if context.weights_token is not None:
        token = from_secret(environment.HUB_TOKEN, naming.weights_secret(spec.name), TOKEN_KEY)
        made[environment.HUB_TOKEN] = token
    free = {environment.HUB_TOKEN, *overridable}
    for given in spec.environment:
        if given.name not in made or given.name in free:
            made[given.name] = variable(spec, given)
    return list(made.values())


def marks(spec: DeploymentSpec, context: RenderContext) -> dict[str, str]:
    """Annotations whose change restarts pods: another secret value, or somebody asked for a restart."""
    made = {}
    if checksum := secrets_checksum(spec, context):
        made[naming.SECRETS_ANNOTATION] = checksum
    if context.restarted_at:
        made[naming.RESTARTED_ANNOTATION] = context.restarted_at
    return made


def template_digest(made_from: object) -> str:
    """A label value that is another one exactly when pods are made from something else."""
    text = json.dumps(made_from, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
