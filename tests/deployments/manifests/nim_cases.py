"""The deployments of NIM whose objects are kept as golden files."""

from dataclasses import replace
from typing import Any

from deployments.context import ModelSource, RenderContext, SizingFacts
from deployments.spec import Autoscaling, DeploymentSpec, EngineSpec, Gpu, NimSpec, Resources, Variable
from deployments.vocabulary import Engine, NimRunner, SourceKind
from tests.deployments.manifests.cases import GATEWAY, INGRESS, SECRET_TOKEN

IMAGE = "nvcr.io/nim/meta/llama-3.1-8b-instruct"
KEY = "nvapi-hush"
PROFILE = "07cd4f2bddd7a14ca84bab0a32602889fd0ae0eb76dc2eb0fc32594d065011a4"
SOURCE = ModelSource(IMAGE, kind=SourceKind.NGC)
NIM = DeploymentSpec(
    name="llama-8b",
    model="llama-8b",
    endpoint="main",
    engine=EngineSpec(Engine.NIM, IMAGE, "2.0.3", nim=NimSpec()),
)
CONTEXT = RenderContext(namespace="models", source=SOURCE, ngc_key=KEY)
SCALING = Autoscaling(enabled=True, min_replicas=2)


def nim(**changes: Any) -> DeploymentSpec:
    """The plain NIM with other values for parts of its engine."""
    return replace(NIM, engine=replace(NIM.engine, **changes))


def operated(**changes: Any) -> DeploymentSpec:
    """The same, run by NVIDIA's operator, with other values for parts of the spec."""
    engine = replace(NIM.engine, nim=NimSpec(runner=NimRunner.OPERATOR))
    return replace(replace(NIM, engine=engine), **changes)


def given(**changes: Any) -> RenderContext:
    return replace(CONTEXT, **changes)


CASES: dict[str, tuple[DeploymentSpec, RenderContext]] = {
    "nim-2": (NIM, CONTEXT),
    "nim-1": (nim(tag="1.8.3"), CONTEXT),
    "nim-keyless": (nim(tag="2.0.12"), given(ngc_key=None)),
    "nim-mirrored": (nim(image="registry.example.com/llama"), given(ngc_key=None, pull_secret="mirror")),
    "nim-by-digest": (nim(tag="sha256:" + "0123456789abcdef" * 4), CONTEXT),
    "nim-profile": (nim(nim=NimSpec(profile=PROFILE)), CONTEXT),
    "nim-arguments": (nim(arguments=("--max-num-seqs", "32", "--chat-template", "a b $(X)")), CONTEXT),
    "nim-variables": (
        replace(NIM, environment=(Variable("NIM_MAX_MODEL_LEN", "8192"), SECRET_TOKEN)),
        given(secret_values={"EXTRA_TOKEN": "s3cret"}, checksum_key=b"a key for tests"),
    ),
    "nim-of-any-model": (
        nim(image="nvcr.io/nim/nvidia/model-free-nim-pb6", tag="2.0.4-pb6.0"),
        given(source=ModelSource("meta-llama/Llama-3.1-8B-Instruct"), weights_token="hf_token"),
    ),
    "nim-1-of-any-model": (
        nim(image="nvcr.io/nim/nvidia/llm-nim", tag="1.15.0"),
        given(source=ModelSource("meta-llama/Llama-3.1-8B-Instruct")),
    ),
    "nim-autoscaled": (replace(NIM, autoscaling=SCALING), CONTEXT),
    "nim-four-gpus": (
        replace(NIM, resources=Resources(gpu=Gpu(4, product="NVIDIA-H100-80GB-HBM3"))),
        given(exposure=GATEWAY, storage_class="nvme-local"),
    ),
    "nim-stopped": (replace(NIM, autoscaling=SCALING), given(stopped=True)),
    "nim-restarted": (NIM, given(restarted_at="2026-11-23T10:00:00+00:00")),
    "nim-operator": (operated(), CONTEXT),
    "nim-operator-autoscaled": (operated(autoscaling=SCALING), CONTEXT),
    "nim-operator-two-replicas": (
        operated(engine=replace(operated().engine, replicas=2)),
        given(storage_class="shared", pull_secret="mirror"),
    ),
    "nim-operator-large-weights": (
        operated(),
        given(source=replace(SOURCE, sizing=SizingFacts(parameters=70 * 10**9, bits_per_parameter=16))),
    ),
    "nim-operator-gateway-route": (operated(), given(exposure=GATEWAY)),
    "nim-operator-ingress": (operated(), given(exposure=INGRESS)),
    "nim-operator-stopped": (operated(autoscaling=SCALING), given(stopped=True)),
    "nim-operator-restarted": (operated(), given(restarted_at="2026-11-23T10:00:00+00:00")),
}
