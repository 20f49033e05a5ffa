"""The engine's part of a document: what every engine has, and what only one of them knows. Pure."""

from __future__ import annotations

from typing import Any

from deployments.document import rules
from deployments.document.parts import Problem, Section
from deployments.engines.arguments import MOST_ARGUMENTS
from deployments.spec import DynamoSpec, EngineSpec, NimSpec, Workers
from deployments.vocabulary import DynamoBackend, DynamoMode, Engine, NimRunner

MOST_GPUS = 16

DEFAULT_IMAGES = {Engine.VLLM: "vllm/vllm-openai"}
#: The image of a Dynamo worker by its backend.
DYNAMO_IMAGES = {
    DynamoBackend.VLLM: "nvcr.io/nvidia/ai-dynamo/vllm-runtime",
    DynamoBackend.SGLANG: "nvcr.io/nvidia/ai-dynamo/sglang-runtime",
    DynamoBackend.TRTLLM: "nvcr.io/nvidia/ai-dynamo/tensorrtllm-runtime",
}
DEFAULT_VLLM_TAG = "v0.33.0"

_COMMON = {"kind", "image", "tag", "replicas", "volume", "arguments"}
#: Keys that only one engine knows.
OWN_KEYS = {
    Engine.VLLM: frozenset[str](),
    Engine.NIM: frozenset({"profile", "runner"}),
    Engine.DYNAMO: frozenset({"mode", "backend", "workers"}),
}


def read_engine(raw: object, at: str, problems: list[Problem]) -> EngineSpec | None:
    """kind, image, tag, replicas, volume and arguments, and what only this engine knows.

    A NIM without an image gets it from the model's NGC entry, when the deployment is saved.
    """
    part = Section(raw, at, problems, _COMMON | OWN_KEYS.get(kind_of(raw), frozenset()))
    kind = part.value("kind", rules.choice(Engine), Engine.VLLM)
    nim = _read_nim(part) if kind is Engine.NIM else None
    dynamo = _read_dynamo(part) if kind is Engine.DYNAMO else None
    image = part.value("image", rules.image, _default_image(kind, dynamo))
    tag = part.value("tag", rules.tag)
    replicas = part.value("replicas", rules.whole(1, 64, "replicas"), 1)
    volume = part.value("volume", rules.storage, "100Gi")
    arguments = part.items("arguments", rules.argument, MOST_ARGUMENTS)
    if part.failed:
        return None
    return EngineSpec(kind, image, tag, replicas, volume, arguments, nim, dynamo)


def kind_of(raw: object) -> Engine:
    """The engine that a part names, before it is judged; vLLM when it names none that exists."""
    named = raw.get("kind") if isinstance(raw, dict) else None
    return Engine(named) if isinstance(named, str) and named in list(Engine) else Engine.VLLM


def write_engine(engine: EngineSpec) -> dict[str, Any]:
    """The part as plain values; reading it gives an equal engine."""
    return {
        "kind": engine.kind.value,
        "image": engine.image,
        "tag": engine.tag,
        "replicas": engine.replicas,
        "volume": engine.volume,
        "arguments": list(engine.arguments),
        **(_write_nim(engine.nim) if engine.nim else {}),
        **(_write_dynamo(engine.dynamo) if engine.dynamo else {}),
    }


def _default_image(kind: Engine | None, dynamo: DynamoSpec | None) -> str | None:
    if kind is Engine.DYNAMO:
        return DYNAMO_IMAGES[dynamo.backend if dynamo else DynamoBackend.VLLM]
    return "" if kind is Engine.NIM else DEFAULT_IMAGES.get(kind) if kind else None


def _read_nim(part: Section) -> NimSpec:
    profile = part.value("profile", rules.nim_profile, "")
    return NimSpec(profile or "", part.value("runner", rules.choice(NimRunner), NimRunner.PODS))


def _write_nim(nim: NimSpec) -> dict[str, Any]:
    return {"profile": nim.profile, "runner": nim.runner.value}


def _read_dynamo(part: Section) -> DynamoSpec:
    mode = part.value("mode", rules.choice(DynamoMode), DynamoMode.AGGREGATED)
    backend = part.value("backend", rules.choice(DynamoBackend), DynamoBackend.VLLM)
    if mode is DynamoMode.AGGREGATED and part.get("workers") is not None:
        part.note(
            "workers", "Only disaggregated workers have roles. Remove this, or set mode: disaggregated."
        )
        return DynamoSpec(mode, backend)
    workers = part.section("workers", {"prefill", "decode"}, optional=True)
    prefill, decode = (_read_workers(workers, role) for role in ("prefill", "decode"))
    return DynamoSpec(mode, backend or DynamoBackend.VLLM, prefill, decode)


def _read_workers(part: Section, role: str) -> Workers:
    """A number of workers, or {replicas, gpus} where they have other GPUs than the rest."""
    count = rules.whole(1, 64, "workers")
    if not isinstance(part.get(role), dict):
        return Workers(part.value(role, count, 1))
    own = part.section(role, {"replicas", "gpus"})
    gpus = own.value("gpus", rules.whole(1, MOST_GPUS, "GPUs per worker"), None)
    return Workers(own.value("replicas", count, 1), gpus)


def _write_dynamo(dynamo: DynamoSpec) -> dict[str, Any]:
    made: dict[str, Any] = {"mode": dynamo.mode.value, "backend": dynamo.backend.value}
    if dynamo.mode is DynamoMode.DISAGGREGATED:
        made["workers"] = {"prefill": _write_workers(dynamo.prefill), "decode": _write_workers(dynamo.decode)}
    return made


def _write_workers(workers: Workers) -> int | dict[str, int]:
    if workers.gpus is None:
        return workers.replicas
    return {"replicas": workers.replicas, "gpus": workers.gpus}
