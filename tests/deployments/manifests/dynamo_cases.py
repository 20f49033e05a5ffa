"""The deployments of Dynamo whose objects are kept as golden files: both versions, both modes, three backends."""

from dataclasses import replace
from typing import Any

from deployments.context import ClusterOffers, ModelSource, RenderContext, SizingFacts
from deployments.document import DYNAMO_IMAGES
from deployments.spec import (
    Autoscaling,
    DeploymentSpec,
    DynamoSpec,
    EngineSpec,
    Gpu,
    Resources,
    Variable,
    Workers,
)
from deployments.vocabulary import DynamoBackend, DynamoMode, Engine, RolloutStrategy
from tests.deployments.manifests.cases import GATEWAY

KEY = "nvapi-hush"
SOURCE = ModelSource("Qwen/Qwen3-0.6B")
SCALING = Autoscaling(enabled=True, min_replicas=2)
PINNED = ModelSource("Qwen/Qwen3-0.6B", revision="27dcfa74d334bc871f3234de431e71c6eeba5dd6")
VERSIONS = ("v1beta1", "v1alpha1")
CONTEXT = RenderContext(namespace="models", source=SOURCE)


def graph(
    mode: DynamoMode = DynamoMode.AGGREGATED,
    backend: DynamoBackend = DynamoBackend.VLLM,
    *,
    prefill: Workers | None = None,
    decode: Workers | None = None,
    arguments: tuple[str, ...] = (),
    **changes: Any,
) -> DeploymentSpec:
    """A graph of Qwen; disaggregated ones have one prefill and two decode workers."""
    dynamo = DynamoSpec(mode, backend, prefill or Workers(1), decode or Workers(2))
    engine = EngineSpec(
        Engine.DYNAMO, DYNAMO_IMAGES[backend], "1.3.1", replicas=2, arguments=arguments, dynamo=dynamo
    )
    return DeploymentSpec(name="qwen", model="qwen", endpoint="main", engine=engine, **changes)


def given(version: str = "v1beta1", **changes: Any) -> RenderContext:
    return replace(CONTEXT, offers=ClusterOffers(dynamo_versions=(version,)), **changes)


CASES: dict[str, tuple[DeploymentSpec, RenderContext]] = {
    **{
        f"dynamo-{version}-{mode.value}-{backend.value}": (graph(mode, backend), given(version))
        for version in VERSIONS
        for mode in DynamoMode
        for backend in DynamoBackend
    },
    **{
        f"dynamo-{version}-{mode.value}-autoscaled": (graph(mode, autoscaling=SCALING), given(version))
        for version in VERSIONS
        for mode in DynamoMode
    },
    **{
        f"dynamo-{version}-stopped": (graph(autoscaling=SCALING), given(version, stopped=True))
        for version in VERSIONS
    },
    **{
        f"dynamo-{version}-restarted": (graph(), given(version, restarted_at="2026-11-23T10:00:00+00:00"))
        for version in VERSIONS
    },
    **{
        f"dynamo-{version}-slices": (
            graph(resources=Resources(gpu=Gpu(1, resource="nvidia.com/mig-1g.10gb", product="A100-MIG"))),
            given(version),
        )
        for version in VERSIONS
    },
    "dynamo-gpus-by-role": (
        graph(
            DynamoMode.DISAGGREGATED,
            prefill=Workers(2, gpus=1),
            decode=Workers(1, gpus=4),
            arguments=("--max-model-len", "8192"),
        ),
        given(storage_class="nvme-local"),
    ),
    "dynamo-gated": (graph(), given(weights_token="hf_token")),
    "dynamo-ngc-key": (graph(), given(ngc_key=KEY, pull_secret="mirror")),
    "dynamo-surge": (graph(DynamoMode.DISAGGREGATED), given(strategy=RolloutStrategy.SURGE)),
    "dynamo-pinned-revision": (graph(backend=DynamoBackend.SGLANG), given(source=PINNED)),
    "dynamo-large-weights": (
        graph(),
        given(source=replace(SOURCE, sizing=SizingFacts(parameters=400 * 10**9, bits_per_parameter=16))),
    ),
    "dynamo-variables": (
        graph(environment=(Variable("DYN_LOG", "debug"), Variable("EXTRA_TOKEN", secret=True))),
        given(secret_values={"EXTRA_TOKEN": "s3cret"}, checksum_key=b"a key for tests"),
    ),
    "dynamo-gateway-route": (graph(), given(exposure=GATEWAY)),
}
