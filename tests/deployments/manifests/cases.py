"""The deployments whose objects are kept as golden files: the simplest, then one change each."""

import json
from dataclasses import replace
from typing import Any

from deployments.context import Exposure, ModelSource, RenderContext, SizingFacts
from deployments.spec import Autoscaling, DeploymentSpec, EngineSpec, Gpu, Resources, Variable
from deployments.vocabulary import Engine, Routing, SourceKind, TlsMode, UseCase

OPT = ModelSource("facebook/opt-125m")
SIMPLEST = DeploymentSpec(
    name="opt-125m",
    model="opt-125m",
    endpoint="main",
    engine=EngineSpec(Engine.VLLM, "vllm/vllm-openai", "v0.33.0"),
)
CONTEXT = RenderContext(namespace="models", source=OPT)
SECRET_TOKEN = Variable("EXTRA_TOKEN", secret=True)
GATEWAY = Exposure(
    hostname="llm.example.com",
    routing=Routing.GATEWAY,
    gateway_name="inference",
    gateway_namespace="gateways",
    gateway_section="https",
)
INGRESS = Exposure(hostname="llm.example.com", routing=Routing.INGRESS, ingress_class="nginx")
PULL = json.dumps({"auths": {"registry.example.com": {"auth": "cHVsbGVyOnB1bGw="}}})


def spec(**changes: Any) -> DeploymentSpec:
    """The simplest deployment with other values for parts of its spec."""
    return replace(SIMPLEST, **changes)


def engine(**changes: Any) -> DeploymentSpec:
    return replace(SIMPLEST, engine=replace(SIMPLEST.engine, **changes))


def gpus(count: int, **changes: Any) -> DeploymentSpec:
    return replace(SIMPLEST, resources=Resources(gpu=Gpu(count=count, **changes)))


def context(**changes: Any) -> RenderContext:
    return replace(CONTEXT, **changes)


def source(**changes: Any) -> RenderContext:
    return replace(CONTEXT, source=replace(OPT, **changes))


CASES: dict[str, tuple[DeploymentSpec, RenderContext]] = {
    "simplest": (SIMPLEST, CONTEXT),
    "stopped": (spec(autoscaling=Autoscaling(enabled=True)), context(stopped=True)),
    "autoscaled": (spec(autoscaling=Autoscaling(enabled=True, min_replicas=2)), CONTEXT),
    "four-gpus-of-one-product": (gpus(4, product="NVIDIA-H100-80GB-HBM3"), CONTEXT),
    "pipeline-of-four-gpus": (
        replace(gpus(4), engine=replace(SIMPLEST.engine, arguments=("--pipeline-parallel-size=2",))),
        CONTEXT,
    ),
    "without-gpu": (gpus(0), CONTEXT),
    "without-cpu-limit": (spec(resources=Resources(cpu_limit=None)), CONTEXT),
    "image-by-digest": (engine(tag="sha256:" + "0123456789abcdef" * 4), CONTEXT),
    "arguments-with-dollars": (
        engine(arguments=("--override-generation-config", '{"stop": "$(HOME) $$ $5"}')),
        CONTEXT,
    ),
    "variables": (spec(environment=(Variable("VLLM_LOGGING_LEVEL", "DEBUG"), SECRET_TOKEN)), CONTEXT),
    "secret-variables": (
        spec(environment=(SECRET_TOKEN,)),
        context(secret_values={"EXTRA_TOKEN": "s3cret"}, checksum_key=b"a key for tests"),
    ),
    "longer-start": (spec(environment=(Variable("VLLM_ENGINE_READY_TIMEOUT_S", "9000"),)), CONTEXT),
    "gated-weights": (SIMPLEST, context(weights_token="hf_token")),
    "private-registry": (SIMPLEST, context(registry_credentials=PULL)),
    "pinned-revision": (SIMPLEST, source(revision="27dcfa74d334bc871f3234de431e71c6eeba5dd6")),
    "large-weights": (SIMPLEST, source(sizing=SizingFacts(parameters=70_000_000_000, bits_per_parameter=16))),
    "embedding": (SIMPLEST, source(use_case=UseCase.EMBEDDING)),
    "object-storage": (SIMPLEST, source(kind=SourceKind.OBJECT_STORAGE, reference="s3://weights/opt-125m")),
    "weights-on-a-volume": (SIMPLEST, source(kind=SourceKind.VOLUME, reference="weights/opt/125m")),
    "storage-class": (SIMPLEST, context(storage_class="nvme-local")),
    "gateway-route": (SIMPLEST, context(exposure=GATEWAY)),
    "ingress": (SIMPLEST, context(exposure=INGRESS)),
    "ingress-with-own-certificate": (
        SIMPLEST,
        context(exposure=replace(INGRESS, tls=TlsMode.PEM), tls_pair=("a certificate", "a key")),
    ),
    "ingress-with-existing-secret": (
        SIMPLEST,
        context(exposure=replace(INGRESS, tls=TlsMode.SECRET, tls_secret="wildcard-tls")),
    ),
}
