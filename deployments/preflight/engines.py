"""What only NIM and Dynamo need: a licence, a key, an operator, and an image that fits the source. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from deployments.context import ModelSource
from deployments.engines import ngc
from deployments.facts import ClusterFacts, GpuNode
from deployments.preflight.around import Around
from deployments.preflight.items import Item, Step, blocker, passed, warning
from deployments.spec import DeploymentSpec, DynamoSpec
from deployments.vocabulary import DynamoBackend, DynamoMode, Engine, NimRunner, SourceKind

INSTALL_DYNAMO: Final = "Install the Dynamo platform: its operator serves DynamoGraphDeployment."

UPGRADE_DYNAMO: Final = (
    "Its definition of DynamoGraphDeployment has no place for them, and Slipway finds pods by them. Upgrade the Dynamo "
    "platform to its newest release with its custom resource definitions, then check the cluster's connection."
)

#: A variable that people may set themselves instead of giving Slipway the key.
NGC_KEY: Final = "NGC_API_KEY"


def check_engine(spec: DeploymentSpec, source: ModelSource, around: Around) -> Iterator[Item]:
    """Source, image, licence and key; nothing of the cluster."""
    match spec.engine.kind:
        case Engine.VLLM:
            if source.kind is SourceKind.NGC:
                detail = (
                    "An NGC image brings its own engine. Choose NVIDIA NIM, or give the model another source."
                )
                yield blocker("vLLM cannot load weights from an NGC image", detail, Step.ENGINE)
        case Engine.NIM:
            yield from _nim(spec, source)
            yield from _key(spec, around)
        case Engine.DYNAMO:
            yield from _dynamo(spec, source)
    if around.pull_secret:
        detail = f"The endpoint names the secret {around.pull_secret} of its namespace."
        yield passed(f"Images are pulled with {around.pull_secret}", Step.NOWHERE, detail)


def check_operators(
    spec: DeploymentSpec, facts: ClusterFacts, nodes: tuple[GpuNode, ...], storage_class: str | None
) -> Iterator[Item]:
    """What a cluster has to have for the engine, beyond Kubernetes itself."""
    engine = spec.engine
    if engine.kind is Engine.DYNAMO:
        if not facts.addons.dynamo:
            detail = f"{INSTALL_DYNAMO} Then check the cluster's connection."
            yield blocker("The cluster has no Dynamo operator", detail, Step.ENGINE)
        elif not facts.addons.dynamo_versions:
            yield blocker("The Dynamo platform drops the labels of pods", UPGRADE_DYNAMO, Step.ENGINE)
        else:
            served = ", ".join(facts.addons.dynamo_versions)
            yield passed(f"The Dynamo operator serves {served}", Step.ENGINE)
        if _disaggregated(spec):
            yield from _rdma(nodes)
    if engine.nim is not None and engine.nim.runner is NimRunner.OPERATOR:
        if not facts.addons.nim:
            detail = "Install it and check the cluster's connection, or let Slipway run the pods."
            yield blocker("The cluster has no NIM Operator", detail, Step.ENGINE)
        else:
            yield passed("The NIM Operator is there", Step.ENGINE)
        if spec.replicas_at_most > 1:
            default = facts.default_storage_class
            name = storage_class or (default.name if default else "")
            detail = (
                "With the NIM Operator all replicas share one volume. On several nodes that takes a storage class "
                f"with ReadWriteMany{f', and whether {name} has it is not known' if name else ''}."
            )
            yield warning("Several replicas share one volume", detail, Step.ENGINE)


def _nim(spec: DeploymentSpec, source: ModelSource) -> Iterator[Item]:
    engine = spec.engine
    image, line = engine.image or ngc.image_of(source), ngc.line_of(engine.tag)
    free = ngc.is_model_free(image)
    if not image:
        detail = "The model has no NGC image. Enter one, such as nvcr.io/nim/meta/llama-3.1-8b-instruct."
        yield blocker("The NIM has no image", detail, Step.ENGINE)
    if source.kind not in (SourceKind.NGC, SourceKind.HUGGING_FACE):
        detail = (
            "A NIM loads them from NGC or from Hugging Face. Give the model such a source, or choose vLLM."
        )
        yield blocker(f"NIM cannot load weights from: {source.kind.label.lower()}", detail, Step.ENGINE)
    elif free and source.kind is SourceKind.NGC:
        detail = (
            "It serves models of Hugging Face, and this one is an NGC image itself. Leave the image empty."
        )
        yield blocker(f"{image} is for another kind of model", detail, Step.ENGINE)
    elif free and source.revision:
        detail = "Remove it from the catalogue entry, or choose vLLM."
        yield blocker("A NIM cannot load a pinned revision", detail, Step.ENGINE)
    elif image and not free and source.kind is SourceKind.HUGGING_FACE:
        detail = f"{image} brings its own model, and {source.reference} is not loaded. Check that they are the same."
        yield warning("The image decides which model is served", detail, Step.ENGINE)
    if not line.known:
        detail = "Variables and probes differ between 1.x and 2.x. It is taken for 2.x."
        yield warning(f"The tag “{engine.tag}” does not say which NIM it is", detail, Step.ENGINE)
    detail = (
        "NVIDIA AI Enterprise covers its use. Slipway cannot see the licence, so make sure that there is one."
    )
    yield warning("NIM needs a licence", detail, Step.NOWHERE)


def _key(spec: DeploymentSpec, around: Around) -> Iterator[Item]:
    """The key pulls the image and lets the engine fetch its profile."""
    engine = spec.engine
    if around.has_ngc_key or any(variable.name == NGC_KEY for variable in spec.environment):
        yield passed("There is an NGC key", Step.NOWHERE)
    elif ngc.may_be_keyless(engine.image, engine.tag):
        detail = (
            "Some images and mirrors do without. If this one does not, add a key to the model or the cluster."
        )
        yield warning("There is no NGC key", detail, Step.NOWHERE)
    else:
        detail = f"{engine.reference} needs one. Add it to the model in the catalogue, or to the cluster."
        yield blocker("There is no NGC key", detail, Step.NOWHERE)


def _dynamo(spec: DeploymentSpec, source: ModelSource) -> Iterator[Item]:
    backend = (spec.engine.dynamo or DynamoSpec()).backend
    if source.kind is not SourceKind.HUGGING_FACE:
        detail = "Dynamo loads them from Hugging Face only. Give the model such a source, or choose vLLM."
        yield blocker(f"Dynamo cannot load weights from: {source.kind.label.lower()}", detail, Step.ENGINE)
    elif source.revision and backend is DynamoBackend.TRTLLM:
        detail = "Remove it from the catalogue entry, or choose another backend."
        yield blocker("TensorRT-LLM cannot load a pinned revision", detail, Step.ENGINE)


def _disaggregated(spec: DeploymentSpec) -> bool:
    return spec.engine.dynamo is not None and spec.engine.dynamo.mode is DynamoMode.DISAGGREGATED


def _rdma(nodes: tuple[GpuNode, ...]) -> Iterator[Item]:
    having = sum(node.rdma for node in nodes)
    if nodes and having == len(nodes):
        yield passed("The GPU nodes offer RDMA", Step.ENGINE)
        return
    where = (
        f"{having} of {len(nodes)} such GPU nodes offer" if nodes else "No such GPU node is known to offer"
    )
    detail = (
        f"{where} an RDMA device. Over TCP the KV cache moves some hundred times slower from prefill to decode "
        "workers. Choose aggregated workers, or install the network operator."
    )
    yield warning("Disaggregated workers without RDMA are slow", detail, Step.ENGINE)
