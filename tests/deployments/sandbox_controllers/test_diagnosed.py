"""The sandbox's failures are told to people as what they are: rendered, run, observed, judged; no database."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from deployments import naming, readers
from deployments.context import ClusterOffers, RenderContext
from deployments.kube.decode import Claim, Event, Pod, read_one
from deployments.manifests import render
from deployments.sandbox.api.kinds import KINDS
from deployments.seen import Seen, Status
from deployments.spec import DeploymentSpec, Gpu, NimSpec, Resources, Variable
from deployments.status import judge
from deployments.vocabulary import DesiredState, NimRunner, Phase
from tests.deployments.manifests import nim_cases
from tests.deployments.manifests.cases import CONTEXT, SIMPLEST, context, engine, source
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster

_OFFERS = ClusterOffers(nim_operator=True)
_ROOMY = Resources(memory_limit="200Gi")
_PLURALS = {(kind.api_version, kind.kind): kind.plural for kind in KINDS}


def _apply(cluster: Cluster, spec: DeploymentSpec, wanted: RenderContext) -> None:
    for document in render(spec, replace(wanted, offers=_OFFERS)):
        obj: Any = document
        cluster.store.create(_PLURALS[obj["apiVersion"], obj["kind"]], obj["metadata"]["namespace"], obj)


def _judge(cluster: Cluster, spec: DeploymentSpec) -> Status:
    def read(plural: str, kind: Any) -> list[Any]:
        return [read_one(kind, json.dumps(obj).encode()) for obj in cluster.store.list(plural, NAMESPACE)]

    (workload,) = (
        source.read(found)
        for source in readers.sources(_OFFERS)
        for found in read(source.kind.plural, source.shape)
        if found.metadata.label(naming.DEPLOYMENT_LABEL)
    )
    pods = read("pods", Pod)
    logs = {}
    for pod in pods:
        place = (NAMESPACE, pod.metadata.name, pod.spec.containers[0].name)
        lines = cluster.store.logs.lines(*place, previous=True)
        logs[pod.metadata.name] = lines or cluster.store.logs.lines(*place)
    seen = Seen(
        spec=spec,
        revision=1,
        desired=DesiredState.RUNNING,
        asked_at=cluster.began,
        observed_at=cluster.now,
        applied_revision=int(workload.metadata.label(naming.REVISION_LABEL) or 1),
        workload=workload,
        pods=pods,
        claims=read("persistentvolumeclaims", Claim),
        events=read("events", Event),
        logs=logs,
    )
    return judge(seen, cluster.now)


def _env(name: str, value: str) -> DeploymentSpec:
    return replace(SIMPLEST, environment=(Variable(name, value),))


@pytest.mark.parametrize(
    ("spec", "wanted", "code"),
    [
        (engine(tag="v9.9.9"), CONTEXT, "image-not-found"),
        (engine(image="registry.example.com/private/vllm-openai"), CONTEXT, "image-unauthorised"),
        (engine(image="unreachable.example.com/vllm/vllm-openai"), CONTEXT, "image-registry"),
        (replace(SIMPLEST, resources=Resources(gpu=Gpu(count=16))), CONTEXT, "gpu"),
        (SIMPLEST, context(storage_class="gold"), "storage-class"),
        (engine(arguments=("--no-such-option",)), CONTEXT, "argument"),
        (engine(arguments=("--max-model-len", "999999")), CONTEXT, "context-length"),
        (SIMPLEST, source(reference="acme/gated-7b"), "gated-model"),
        (SIMPLEST, source(reference="acme/does-not-exist"), "weights-refused"),
        (SIMPLEST, source(reference="acme/model-65b"), "volume-full"),
        (replace(SIMPLEST, resources=_ROOMY), source(reference="acme/model-45b"), "gpu-memory"),
        (_env("SANDBOX_WEIGHTS_GIB", "75"), CONTEXT, "oom"),
        (_env("SANDBOX_CRASH_AFTER_SECONDS", "5"), CONTEXT, "crash"),
    ],
)
def test_a_failure_ends_in_failed_with_a_sentence_and_a_remedy(
    cluster: Cluster, spec: DeploymentSpec, wanted: RenderContext, code: str
) -> None:
    _apply(cluster, spec, wanted)
    cluster.advance(240)
    status = _judge(cluster, spec)
    assert (status.phase, status.code) == (Phase.FAILED, code)
    assert status.sentence
    assert status.remedy


@pytest.mark.parametrize("operated", [False, True], ids=["set", "operator"])
@pytest.mark.parametrize(
    ("engine", "wanted", "gpus", "code"),
    [
        ({"tag": "9.9.9"}, {}, 1, "image-not-found"),
        ({}, {"ngc_key": "nvapi-invalid"}, 1, "image-unauthorised"),
        ({}, {}, 3, "nim-profile"),
        ({"nim": NimSpec(profile="0" * 64)}, {}, 1, "nim-profile-chosen"),
        ({"arguments": ("--no-such-option",)}, {}, 1, "argument"),
        ({"volume": "4Gi"}, {}, 1, "volume-full"),
        ({}, {"storage_class": "gold"}, 1, "storage-class"),
        ({}, {}, 16, "gpu"),
    ],
)
def test_a_nim_fails_with_the_same_sentences_whoever_runs_it(
    cluster: Cluster, engine: dict[str, Any], wanted: dict[str, Any], gpus: int, code: str, operated: bool
) -> None:
    runner = NimRunner.OPERATOR if operated else NimRunner.PODS
    settings = replace(engine.get("nim", NimSpec()), runner=runner)
    spec = nim_cases.nim(**{**engine, "nim": settings})
    spec = replace(spec, resources=Resources(gpu=Gpu(count=gpus)))
    _apply(cluster, spec, nim_cases.given(**wanted))
    cluster.advance(400)
    status = _judge(cluster, spec)
    assert (status.phase, status.code) == (Phase.FAILED, code)
    assert status.sentence
    assert status.remedy


@pytest.mark.parametrize("operated", [False, True], ids=["set", "operator"])
def test_a_nim_serves_in_the_end(cluster: Cluster, operated: bool) -> None:
    spec = nim_cases.operated() if operated else nim_cases.NIM
    _apply(cluster, spec, nim_cases.CONTEXT)
    cluster.advance(400)
    assert _judge(cluster, spec).phase is Phase.SERVING


def test_the_way_up_is_told_step_by_step(cluster: Cluster) -> None:
    _apply(cluster, SIMPLEST, CONTEXT)
    told = []
    for _second in range(60):
        cluster.advance(1)
        phase = _judge(cluster, SIMPLEST).phase
        if phase not in told:
            told.append(phase)
    assert told == [Phase.PULLING, Phase.LOADING, Phase.SERVING]
