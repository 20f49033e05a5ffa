"""What the settings tell by themselves, before any cluster is looked at. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from deployments import quantity
from deployments.context import ModelSource
from deployments.engines import environment, vllm_flags
from deployments.engines import judging as engine_arguments
from deployments.engines.memory import context_length, loading_memory
from deployments.preflight.around import Around
from deployments.preflight.engines import check_engine
from deployments.preflight.items import Item, Step, blocker, passed, warning
from deployments.quantity import GIBI, show_bytes
from deployments.spec import DeploymentSpec
from deployments.vocabulary import Engine, ScalingMetric, SourceKind

#: The first vLLM with --shutdown-timeout, which every deployment gets.
OLDEST_VLLM: Final = (0, 18)

#: Compiled graphs, kernels and the hub's own files beside the weights.
CACHES: Final = 6 * GIBI

_MOVING_TAGS: Final = ("latest", "nightly", "main")
#: Owners on the Hugging Face hub whose repositories ask for a licence to be accepted.
_GATED: Final = ("meta-llama/", "google/gemma")


def check_settings(spec: DeploymentSpec, source: ModelSource, around: Around) -> Iterator[Item]:
    yield from check_engine(spec, source, around)
    yield from _image(spec)
    yield from _arguments(spec, source)
    yield from _context(spec, source)
    yield from _limits(spec)
    yield from _loading(spec, source)
    yield from _volume(spec, source)
    yield from _autoscaling(spec)
    yield from _variables(spec)
    yield from _token(spec, source, around.has_weights_token)
    yield from _price(spec)


def _image(spec: DeploymentSpec) -> Iterator[Item]:
    engine = spec.engine
    version = re.match(r"v?(\d{1,3})\.(\d{1,3})(?:\.|$)", engine.tag, re.ASCII)
    if engine.tag in _MOVING_TAGS:
        detail = "It can mean another image tomorrow, and replicas may then differ. Name a version."
        yield warning(f"The image tag “{engine.tag}” moves", detail, Step.ENGINE)
    elif engine.kind is Engine.VLLM and version and (int(version[1]), int(version[2])) < OLDEST_VLLM:
        detail = "Slipway starts vLLM with arguments that exist since v0.18. Choose a newer tag."
        yield warning(f"vLLM {engine.tag} is probably too old", detail, Step.ENGINE)
    else:
        yield passed("The image reference is complete and its tag fixed", Step.ENGINE)


def _arguments(spec: DeploymentSpec, source: ModelSource) -> Iterator[Item]:
    gpus = spec.resources.gpu.count
    verdicts = engine_arguments.judge(spec.engine, gpus, source.sizing.attention_heads)
    for verdict in verdicts:
        if verdict.refused:
            yield blocker("An engine argument needs a change", verdict.why, Step.ENGINE)
        else:
            yield warning("Check an engine argument", verdict.why, Step.ENGINE)
    if not any(verdict.refused for verdict in verdicts):
        yield passed("The engine arguments are accepted", Step.ENGINE)
    if spec.engine.kind is Engine.VLLM:
        yield from _flags(spec)


def _flags(spec: DeploymentSpec) -> Iterator[Item]:
    """An engine stops at a flag that it does not know; our list may lag behind it, so this only warns."""
    tag = spec.engine.tag
    doubts = list(vllm_flags.doubts(spec.engine.arguments, tag))
    for doubt in doubts:
        yield warning(
            f"vLLM {tag} does not know {doubt.flag}, as far as Slipway knows", doubt.why, Step.ENGINE
        )
    if spec.engine.arguments and not doubts:
        yield passed("The flags are known", Step.ENGINE)


def _context(spec: DeploymentSpec, source: ModelSource) -> Iterator[Item]:
    limit, asked = source.sizing.context_length, context_length(spec, source.sizing)
    if limit is None or asked is None:
        return
    if asked <= limit:
        yield passed(f"{asked:,} tokens of context are within the model's limit", Step.ENGINE)
    elif any(v.name == "VLLM_ALLOW_LONG_MAX_MODEL_LEN" for v in spec.environment):
        detail = f"The model was made for {limit:,}. Long requests may get wrong answers."
        yield warning(f"{asked:,} tokens of context are beyond the model's limit", detail, Step.ENGINE)
    else:
        detail = (
            f"The model takes at most {limit:,} and the engine refuses to start. Lower the context length."
        )
        yield blocker(f"{asked:,} tokens of context are too many", detail, Step.ENGINE)


def _limits(spec: DeploymentSpec) -> Iterator[Item]:
    wanted, before = spec.resources, 0
    if quantity.to_bytes(wanted.memory_limit) < quantity.to_bytes(wanted.memory_request):
        before += 1
        detail = f"Enter {wanted.memory_request} or more."
        title = f"The memory limit of {wanted.memory_limit} is below the request"
        yield blocker(title, detail, Step.RESOURCES)
    if wanted.cpu_limit and quantity.to_millicores(wanted.cpu_limit) < quantity.to_millicores(
        wanted.cpu_request
    ):
        before += 1
        detail = f"Enter {wanted.cpu_request} or more, or leave it out."
        yield blocker(f"The CPU limit of {wanted.cpu_limit} is below the request", detail, Step.RESOURCES)
    if not before:
        yield passed("The limits are not below the requests", Step.RESOURCES)


def _loading(spec: DeploymentSpec, source: ModelSource) -> Iterator[Item]:
    weights = source.sizing.weights_bytes
    if weights is None:
        return
    largest = max(group.gpus for group in spec.groups)
    resources = replace(spec.resources, gpu=replace(spec.resources.gpu, count=largest))
    needed, limit = loading_memory(resources, weights), quantity.to_bytes(resources.memory_limit)
    if limit < needed:
        detail = f"Loading needs about {show_bytes(needed)}; the limit is {show_bytes(limit)}. Raise it."
        yield warning("Host memory may run out while weights load", detail, Step.RESOURCES)
    else:
        yield passed("Host memory suffices for loading", Step.RESOURCES)


def _volume(spec: DeploymentSpec, source: ModelSource) -> Iterator[Item]:
    """Weights that are downloaded are kept on the replica's volume; others are streamed or mounted."""
    size = quantity.to_bytes(spec.engine.volume)
    downloaded = source.kind in (SourceKind.HUGGING_FACE, SourceKind.NGC)
    weights = source.sizing.weights_bytes if downloaded else 0
    if weights is None:
        return
    comfortable = weights + weights // 10 + (CACHES if weights else GIBI)
    if size < weights:
        detail = f"The weights alone take {show_bytes(weights)}. Enter {_gib(comfortable)} or more."
        yield blocker(f"A volume of {spec.engine.volume} is too small", detail, Step.ENGINE)
    elif size < comfortable:
        detail = (
            f"Weights and caches take about {show_bytes(comfortable)}. Enter {_gib(comfortable)} or more."
        )
        yield warning(f"A volume of {spec.engine.volume} is tight", detail, Step.ENGINE)
    else:
        yield passed("The volume holds weights and caches", Step.ENGINE)


def _autoscaling(spec: DeploymentSpec) -> Iterator[Item]:
    scaling = spec.autoscaling
    if not scaling.enabled:
        return
    if scaling.min_replicas > scaling.max_replicas:
        detail = f"Enter a maximum of {scaling.min_replicas} or more."
        yield blocker("The fewest replicas are more than the most", detail, Step.AUTOSCALING)
    if scaling.metric.is_of_engine:
        return
    if scaling.metric is ScalingMetric.MEMORY:
        detail = "An engine hardly ever gives memory back. Scale on CPU, or set the replicas by hand."
        yield warning("Scaling on memory goes up and never down", detail, Step.AUTOSCALING)
    else:
        detail = "Engine processes keep a core busy while they wait. Try the threshold under real load."
        yield warning("CPU says little about the load of a GPU", detail, Step.AUTOSCALING)


def _variables(spec: DeploymentSpec) -> Iterator[Item]:
    for given in spec.environment:
        verdict = environment.judge(given.name, spec.engine.kind)
        if verdict is not None and verdict.refused:
            yield blocker(f"{given.name} cannot be set", verdict.why, Step.ENVIRONMENT)
        elif verdict is not None and not given.secret:
            yield warning(f"{given.name} is risky", verdict.why, Step.ENVIRONMENT)
        elif given.name == environment.HUB_TOKEN and not given.secret:
            detail = "Everyone who may see the pod can read it. Mark it as secret."
            yield warning(f"{given.name} is not marked as secret", detail, Step.ENVIRONMENT)


def _token(spec: DeploymentSpec, source: ModelSource, has_weights_token: bool) -> Iterator[Item]:
    has_token = has_weights_token or any(v.name == environment.HUB_TOKEN for v in spec.environment)
    if source.kind is not SourceKind.HUGGING_FACE or not source.reference.startswith(_GATED):
        return
    if has_token:
        yield passed("There is a token for gated weights", Step.GENERAL)
    else:
        detail = "Its owner asks for a licence to be accepted. Add a token to the model in the catalogue."
        yield warning(f"{source.reference} probably needs a token", detail, Step.GENERAL)


def _price(spec: DeploymentSpec) -> Iterator[Item]:
    if spec.pricing is None:
        detail = "Usage is recorded, but nothing can be charged for it."
        yield warning("No price is set", detail, Step.PRICING)


def _gib(size: int) -> str:
    return f"{-(-size // GIBI)}Gi"
