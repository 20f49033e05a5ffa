"""From a container of a pod to the life of its process: gathers what the process finds and picks the right script."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deployments.quantity import to_bytes
from deployments.sandbox.engines.boot import Boot, Surroundings, no_such_command, plain_process
from deployments.sandbox.engines.command_line import split_shell
from deployments.sandbox.engines.dynamo_boot import dynamo_boot, starts_dynamo
from deployments.sandbox.engines.nim_boot import nim_boot
from deployments.sandbox.engines.vllm_boot import vllm_boot
from deployments.sandbox.nodes.environment import ConfigError, expand, resolve_environment
from deployments.sandbox.nodes.registry import Image
from deployments.sandbox.settings import Settings
from deployments.sandbox.workloads.volumes import capacity

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store

_GPU = "nvidia.com/gpu"
_DEFAULT_CACHE = "/root/.cache/huggingface"
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 (a mount path in a pod, not a file of ours)
_NIM_CACHE = "/opt/nim/.cache"


def launch(
    store: Store,
    settings: Settings,
    pod: Object,
    container: dict[str, Any],
    image: Image,
    cached: dict[str, set[str]],
) -> Boot:
    """What the container's process will do. `cached` maps a claim's uid to the models on its volume.

    Raises ConfigError when the container cannot even be created.
    """
    _check_user(pod, container, image)
    env = resolve_environment(store, pod, container)
    command = [expand(str(word), env) for word in container.get("command") or []]
    arguments = [expand(str(word), env) for word in container.get("args") or []]
    argv = split_shell([*command, *arguments] if command else arguments)
    variable, folder = ("NIM_CACHE_PATH", _NIM_CACHE) if image.serves_nim else ("HF_HOME", _DEFAULT_CACHE)
    weights = env.get(variable, folder)
    claim = _weights_claim(store, pod, container, weights)
    limits = (container.get("resources") or {}).get("limits") or {}
    node = store.get("nodes", None, pod["spec"].get("nodeName") or "")
    labels = (node or {"metadata": {}})["metadata"].get("labels") or {}
    around = Surroundings(
        argv=tuple(argv),
        env=env,
        settings=settings,
        gpus=int(str(limits.get(_GPU, 0))),
        gpu_memory_bytes=int(labels.get("nvidia.com/gpu.memory", 0)) * 1024**2,
        gpu_product=labels.get("nvidia.com/gpu.product", ""),
        memory_limit_bytes=to_bytes(str(limits["memory"])) if "memory" in limits else None,
        volume_bytes=int(capacity(claim)) if claim else None,
        shared_memory=_has_shared_memory(pod, container),
        cache_writable=_is_writable(pod, container, weights),
        cached=frozenset(cached.get(claim["metadata"]["uid"], ())) if claim else frozenset(),
    )
    if image.serves_nim:
        boot = nim_boot(around, image)
    elif starts_dynamo(around.argv):
        boot = dynamo_boot(around, image)
    elif image.serves_vllm:
        boot = _vllm(around, argv, bool(command), image)
    else:
        boot = plain_process(around.argv, image.path)
    return replace(boot, weights_claim=claim["metadata"]["uid"]) if claim else boot


def _vllm(around: Surroundings, argv: list[str], with_command: bool, image: Image) -> Boot:
    version = image.tag.removeprefix("v") if re.fullmatch(r"v\d+\.\d+\.\d+", image.tag) else "0.33.0"
    if not with_command:
        # The image's entrypoint is `vllm serve`.
        return vllm_boot(around, argv, version)
    program = argv[0].rsplit("/", 1)[-1] if argv else ""
    if program == "vllm" and argv[1:2] == ["serve"]:
        return vllm_boot(around, argv[2:], version)
    if program in ("python", "python3") and argv[1:3] == ["-m", "vllm.entrypoints.openai.api_server"]:
        return vllm_boot(around, argv[3:], version)
    if program in ("sh", "bash", "sleep", "true", "env", "echo", "tail"):
        return plain_process(tuple(argv), image.path)
    return no_such_command(argv[0] if argv else "")


def _check_user(pod: Object, container: dict[str, Any], image: Image) -> None:
    merged = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
    # NVIDIA's images carry an ordinary user; the others run as root unless told otherwise.
    if merged.get("runAsNonRoot") and not merged.get("runAsUser") and not image.serves_nim:
        raise ConfigError("container has runAsNonRoot and image will run as root")


def _weights_claim(store: Store, pod: Object, container: dict[str, Any], path: str) -> Object | None:
    """The claim behind the mount that holds `path`."""
    _mount, volume = _mounted_at(pod, container, path)
    if volume.get("ephemeral"):
        name = f"{pod['metadata']['name']}-{volume['name']}"
    elif volume.get("persistentVolumeClaim"):
        name = volume["persistentVolumeClaim"]["claimName"]
    else:
        return None
    return store.get("persistentvolumeclaims", pod["metadata"]["namespace"], name)


def _mounted_at(pod: Object, container: dict[str, Any], path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The innermost mount that holds `path` and its volume; two empty mappings when nothing is mounted there."""
    found: dict[str, Any] = {}
    for mount in container.get("volumeMounts") or []:
        folder = mount["mountPath"].rstrip("/")
        inside = path == folder or path.startswith(folder + "/")
        if inside and len(folder) > len(found.get("mountPath", "").rstrip("/")):
            found = mount
    for volume in pod["spec"].get("volumes") or []:
        if found and volume["name"] == found["name"]:
            return found, volume
    return {}, {}


def _is_writable(pod: Object, container: dict[str, Any], path: str) -> bool:
    """Whether the container's user may write to a path: a fresh disk belongs to root until fsGroup hands it over."""
    shared, own = pod["spec"].get("securityContext") or {}, container.get("securityContext") or {}
    mount, volume = _mounted_at(pod, container, path)
    if not mount:
        return not own.get("readOnlyRootFilesystem")
    claim = volume.get("persistentVolumeClaim")
    if mount.get("readOnly") or (claim and claim.get("readOnly")):
        return False
    if not claim:
        return True
    return own.get("runAsUser", shared.get("runAsUser")) == 0 or "fsGroup" in shared


def _has_shared_memory(pod: Object, container: dict[str, Any]) -> bool:
    if pod["spec"].get("hostIPC"):
        return True
    mounts = {
        mount["name"] for mount in container.get("volumeMounts") or [] if mount["mountPath"] == _SHARED_MEMORY
    }
    volumes = pod["spec"].get("volumes") or []
    return any(volume["name"] in mounts and "emptyDir" in volume for volume in volumes)
