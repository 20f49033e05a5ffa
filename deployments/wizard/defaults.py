"""The settings that a new draft begins with, worked out from the model's size and the cluster's GPUs.

Every one of them can be changed; none is meant to be clever. Where the size is unknown, the document's own defaults
stand. Pure: no I/O.
"""

from __future__ import annotations

from typing import Any

from deployments import document
from deployments.context import ModelSource, SizingFacts
from deployments.engines import ngc
from deployments.facts import ClusterFacts
from deployments.quantity import GIBI
from deployments.spec import GPU_RESOURCE, Autoscaling, Gpu, Resources
from deployments.vocabulary import DynamoBackend, DynamoMode, Engine, NimRunner, SourceKind

#: Runtime images have the version of the platform; platforms up to 1.1 serve graphs as v1alpha1 alone.
DYNAMO_TAG, OLD_DYNAMO_TAG = "1.4.0", "1.1.1"

#: Caches, logs and the hub's own files beside the weights on a volume.
_BESIDE_WEIGHTS = 20 * GIBI
#: What activations, CUDA and a short context need of a GPU beside the weights and a tenth of them.
_BESIDE_ON_GPU = 4 * GIBI


def propose(source: ModelSource, facts: ClusterFacts | None) -> dict[str, Any]:
    """Sections for every step after General, in the document's format."""
    scaling = Autoscaling()
    return {
        "engine": engine(best_engine(source), source, facts),
        "resources": resources(source.sizing, facts),
        "autoscaling": {
            "enabled": scaling.enabled,
            "minReplicas": scaling.min_replicas,
            "maxReplicas": scaling.max_replicas,
            "metric": scaling.metric.value,
            "threshold": scaling.threshold,
        },
        "environment": [],
        "rate-limits": {},
        "pricing": None,
        "sharing": None,
    }


def best_engine(source: ModelSource) -> Engine:
    """NIM for an NGC image, which brings its own engine; vLLM for everything else."""
    return Engine.NIM if source.kind is SourceKind.NGC else Engine.VLLM


def engine(kind: Engine, source: ModelSource, facts: ClusterFacts | None) -> dict[str, Any]:
    """What a draft begins with when this engine is chosen."""
    common = {
        "kind": kind.value,
        "replicas": 1,
        "volume": volume(source.sizing.weights_bytes),
        "arguments": [],
    }
    if kind is Engine.NIM:
        image, tag = nim_image(source)
        return {**common, "image": image, "tag": tag, "profile": "", "runner": NimRunner.PODS.value}
    if kind is Engine.DYNAMO:
        return {
            **common,
            "image": document.DYNAMO_IMAGES[DynamoBackend.VLLM],
            "tag": dynamo_tag(facts),
            "mode": DynamoMode.AGGREGATED.value,
            "backend": DynamoBackend.VLLM.value,
        }
    return {**common, "image": document.DEFAULT_IMAGES[Engine.VLLM], "tag": document.DEFAULT_VLLM_TAG}


def nim_image(source: ModelSource) -> tuple[str, str]:
    """The image of an NGC source with its newest known tag; for a repository of Hugging Face one that serves any.

    Both empty where no image is known: those that serve any model take no pinned revision.
    """
    image = ngc.image_of(source)
    if image:
        return image, _tag_of(source) or ngc.newest_tag(image)
    if source.kind is not SourceKind.HUGGING_FACE or source.revision:
        return "", ""
    free = [known for known in ngc.KNOWN if ngc.is_model_free(known.image)]
    newest = max(free, key=lambda known: ngc.line_of(known.tag).major)
    return newest.image, newest.tag


def dynamo_tag(facts: ClusterFacts | None) -> str:
    """The newest runtime known; the last of the old line where the platform serves only its first version."""
    versions = facts.addons.dynamo_versions if facts else ()
    return OLD_DYNAMO_TAG if versions and "v1beta1" not in versions else DYNAMO_TAG


def _tag_of(source: ModelSource) -> str:
    """The tag or digest that an NGC source names, empty for none."""
    if source.kind is not SourceKind.NGC:
        return ""
    image, at, digest = source.reference.strip().partition("@")
    return digest if at else image.rpartition("/")[2].partition(":")[2]


def volume(weights: int | None) -> str:
    """Room for the weights, a tenth more and the caches, in tens of GiB; 100Gi when the size is unknown."""
    if weights is None:
        return "100Gi"
    return f"{_up(weights + weights // 10 + _BESIDE_WEIGHTS, 10)}Gi"


def resources(sizing: SizingFacts, facts: ClusterFacts | None) -> dict[str, Any]:
    """Host memory for loading the weights, twice that as the limit, and GPUs that hold them."""
    gpu, usual = gpus(sizing, facts), Resources()
    request, limit = usual.memory_request, usual.memory_limit
    if sizing.weights_bytes is not None:
        needed = _up(8 * GIBI * gpu.count + min(sizing.weights_bytes, 40 * GIBI), 8)
        request, limit = f"{needed}Gi", f"{needed * 2}Gi"
    return {
        "requests": {"cpu": usual.cpu_request, "memory": request},
        "limits": {"cpu": usual.cpu_limit, "memory": limit},
        "gpu": {"count": gpu.count, "resource": gpu.resource, "product": gpu.product},
    }


def gpus(sizing: SizingFacts, facts: ClusterFacts | None) -> Gpu:
    """The fewest GPUs that hold the weights: of any product if the smallest does, else of the smallest that does."""
    weights = sizing.weights_bytes
    nodes = [n for n in facts.gpu_nodes if n.resource == GPU_RESOURCE and n.memory_bytes] if facts else []
    if weights is None or not nodes:
        return Gpu()
    smallest = min(node.memory_bytes or 0 for node in nodes)
    products = sorted({(node.memory_bytes or 0, node.product) for node in nodes if node.product})
    for count in (1, 2, 4, 8):
        if sizing.attention_heads and sizing.attention_heads % count:
            continue
        for memory, product in [(smallest, None), *products]:
            largest = max(node.total for node in nodes if product in (None, node.product))
            if count <= largest and weights * 11 // (10 * count) + _BESIDE_ON_GPU <= memory * 9 // 10:
                return Gpu(count, GPU_RESOURCE, product)
    return Gpu()


def _up(size: int, step: int) -> int:
    """Bytes as GiB, rounded up to a multiple of `step`."""
    return -(-size // (step * GIBI)) * step
