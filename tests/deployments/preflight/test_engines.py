"""What NIM and Dynamo need beside a GPU is found: a licence, a key, an operator, RDMA, and a source that fits."""

from dataclasses import replace
from typing import Any

import pytest

from deployments.context import ModelSource
from deployments.facts import Addons, ClusterFacts, StorageClass
from deployments.preflight import INSTALL_DYNAMO, Around, Level, Preflight, Step, check
from deployments.spec import (
    Autoscaling,
    DeploymentSpec,
    DynamoSpec,
    EngineSpec,
    Gpu,
    NimSpec,
    Resources,
    Variable,
    Workers,
)
from deployments.vocabulary import DynamoBackend, DynamoMode, Engine, NimRunner, ScalingMetric, SourceKind
from tests.deployments.preflight.cases import EXPOSURE, FACTS, LLAMA_8B, NOW, SOURCE, SPEC, node

IMAGE = "nvcr.io/nim/meta/llama-3.1-8b-instruct"
NGC = ModelSource(IMAGE, kind=SourceKind.NGC, sizing=LLAMA_8B)
ADDONS = Addons(metrics_server=True, gateway_api=True)
WITH_OPERATORS = replace(
    FACTS, addons=replace(ADDONS, dynamo=True, dynamo_versions=("v1alpha1", "v1beta1"), nim=True)
)
LICENCE = "NIM needs a licence"


def look(
    spec: DeploymentSpec, source: ModelSource, facts: ClusterFacts | None = WITH_OPERATORS, **more: Any
) -> Preflight:
    return check(spec, source, facts, EXPOSURE, Around(**{"now": NOW, "has_ngc_key": True, **more}))


def nim(image: str = IMAGE, tag: str = "2.0.3", **changes: Any) -> DeploymentSpec:
    own = NimSpec(runner=changes.pop("runner", NimRunner.PODS))
    return replace(SPEC, engine=EngineSpec(Engine.NIM, image, tag, nim=own, **changes))


def dynamo(**changes: Any) -> DeploymentSpec:
    own = DynamoSpec(**changes)
    return replace(SPEC, engine=EngineSpec(Engine.DYNAMO, "nvcr.io/a/vllm-runtime", "1.4.0", dynamo=own))


def found(seen: Preflight, part: str) -> list[tuple[Level, Step]]:
    return [(item.level, item.step) for item in seen.items if part in item.title]


def titles(seen: Preflight, level: Level) -> list[str]:
    return [item.title for item in seen.items if item.level is level]


def test_a_platform_that_drops_labels_has_to_be_upgraded_first() -> None:
    dropping = replace(WITH_OPERATORS, addons=replace(WITH_OPERATORS.addons, dynamo_versions=()))
    [blocker] = look(dynamo(), SOURCE, dropping).blockers
    assert (blocker.title, blocker.step) == ("The Dynamo platform drops the labels of pods", Step.ENGINE)
    assert "Upgrade the Dynamo platform" in blocker.detail
    assert look(dynamo(), SOURCE).blockers == ()


def test_a_nim_with_a_key_only_asks_for_its_licence() -> None:
    seen = look(nim(), NGC)
    assert titles(seen, Level.BLOCKER) == []
    assert titles(seen, Level.WARNING) == [LICENCE]
    assert "Slipway cannot see the licence" in seen.warnings[0].detail


def test_the_image_of_a_nim_comes_from_the_catalogue() -> None:
    assert look(nim(image=""), NGC).blockers == ()
    assert found(look(nim(image=""), SOURCE), "The NIM has no image") == [(Level.BLOCKER, Step.ENGINE)]


@pytest.mark.parametrize(
    ("image", "tag", "level"),
    [
        (IMAGE, "2.0.3", Level.BLOCKER),
        (IMAGE, "1.8", Level.BLOCKER),
        (f"{IMAGE}-pb6", "2.0.12-pb6.0", Level.BLOCKER),
        (IMAGE, "2.0.10", Level.WARNING),
        (IMAGE, "latest", Level.WARNING),
        ("registry.example.com/nim/llama", "2.0.3", Level.WARNING),
    ],
)
def test_an_image_that_needs_a_key_is_stopped_without_one(image: str, tag: str, level: Level) -> None:
    seen = look(nim(image, tag), NGC, has_ngc_key=False)
    assert found(seen, "There is no NGC key") == [(level, Step.NOWHERE)]


def test_a_key_may_be_a_secret_variable_too() -> None:
    spec = replace(nim(), environment=(Variable("NGC_API_KEY", secret=True),))
    assert found(look(spec, NGC, has_ngc_key=False), "There is an NGC key") == [(Level.PASSED, Step.NOWHERE)]


@pytest.mark.parametrize(
    ("spec", "source", "part", "level"),
    [
        (nim(), replace(NGC, kind=SourceKind.OBJECT_STORAGE), "NIM cannot load weights", Level.BLOCKER),
        (nim("nvcr.io/nim/nvidia/llm-nim", "1.15.0"), NGC, "is for another kind of model", Level.BLOCKER),
        (
            nim("nvcr.io/nim/nvidia/llm-nim", "1.15.0"),
            replace(SOURCE, revision="abc"),
            "cannot load a pinned revision",
            Level.BLOCKER,
        ),
        (nim(), SOURCE, "The image decides which model is served", Level.WARNING),
        (nim(tag="latest"), NGC, "does not say which NIM it is", Level.WARNING),
        (nim(tag="1.8", arguments=("--max-num-seqs", "8")), NGC, "argument needs a change", Level.BLOCKER),
        (dynamo(), NGC, "Dynamo cannot load weights", Level.BLOCKER),
        (
            dynamo(backend=DynamoBackend.TRTLLM),
            replace(SOURCE, revision="abc"),
            "TensorRT-LLM cannot load a pinned revision",
            Level.BLOCKER,
        ),
    ],
)
def test_source_and_image_have_to_fit(
    spec: DeploymentSpec, source: ModelSource, part: str, level: Level
) -> None:
    assert found(look(spec, source), part) == [(level, Step.ENGINE)]


def test_an_operator_has_to_be_there_for_what_it_runs() -> None:
    seen = look(nim(runner=NimRunner.OPERATOR), NGC, FACTS)
    assert found(seen, "The cluster has no NIM Operator") == [(Level.BLOCKER, Step.ENGINE)]
    seen = look(nim(runner=NimRunner.OPERATOR), NGC)
    assert found(seen, "The NIM Operator is there") == [(Level.PASSED, Step.ENGINE)]
    seen = look(dynamo(), SOURCE, FACTS)
    assert found(seen, "The cluster has no Dynamo operator") == [(Level.BLOCKER, Step.ENGINE)]
    assert INSTALL_DYNAMO in seen.blockers[0].detail
    assert found(look(dynamo(), SOURCE), "serves v1alpha1, v1beta1") == [(Level.PASSED, Step.ENGINE)]


def test_replicas_that_share_a_volume_need_a_class_that_many_may_write() -> None:
    shared = nim(runner=NimRunner.OPERATOR, replicas=2)
    seen = look(shared, NGC)
    assert found(seen, "Several replicas share one volume") == [(Level.WARNING, Step.ENGINE)]
    assert "nvme-local" in next(item.detail for item in seen.warnings if "share one" in item.title)
    alone = replace(WITH_OPERATORS, storage_classes=(StorageClass("nfs", default=True),))
    assert found(look(nim(runner=NimRunner.OPERATOR), NGC, alone), "Several replicas share") == []
    assert found(look(nim(replicas=2), NGC), "Several replicas share") == []


def test_workers_apart_ask_for_rdma_and_are_told_what_was_seen() -> None:
    apart = dynamo(mode=DynamoMode.DISAGGREGATED)
    seen = look(apart, SOURCE)
    assert found(seen, "Disaggregated workers without RDMA") == [(Level.WARNING, Step.ENGINE)]
    assert "0 of 2 such GPU nodes offer" in next(
        item.detail for item in seen.warnings if "RDMA" in item.title
    )
    fast = replace(
        WITH_OPERATORS, gpu_nodes=tuple(replace(node, rdma=True) for node in WITH_OPERATORS.gpu_nodes)
    )
    assert found(look(apart, SOURCE, fast), "The GPU nodes offer RDMA") == [(Level.PASSED, Step.ENGINE)]
    assert found(look(dynamo(), SOURCE), "RDMA") == []


def test_workers_of_both_roles_are_placed_with_their_own_gpus() -> None:
    apart = dynamo(mode=DynamoMode.DISAGGREGATED, prefill=Workers(2, 1), decode=Workers(1, 4))
    seen = look(apart, SOURCE)
    assert (seen.to_start, seen.placed, seen.placement.gpus) == (3, 3, 6)
    assert found(seen, "Enough GPUs are free") == [(Level.PASSED, Step.RESOURCES)]
    wide = replace(apart, resources=Resources(gpu=Gpu(count=16)))
    seen = look(replace(wide, engine=dynamo(mode=DynamoMode.DISAGGREGATED).engine), SOURCE)
    assert found(seen, "No node has 16") == [(Level.BLOCKER, Step.RESOURCES)]
    many = dynamo(mode=DynamoMode.DISAGGREGATED, prefill=Workers(9, 1), decode=Workers(2, 4))
    seen = look(many, SOURCE)
    assert found(seen, "The cluster has only 16") == [(Level.BLOCKER, Step.RESOURCES)]
    assert "9 prefill × 1 and 2 decode × 4 need 17" in seen.blockers[0].detail


def test_the_autoscaler_of_workers_apart_adds_decode_workers() -> None:
    apart = replace(
        dynamo(mode=DynamoMode.DISAGGREGATED, prefill=Workers(1, 8), decode=Workers(1, 2)),
        autoscaling=Autoscaling(enabled=True, max_replicas=5),
    )
    seen = look(apart, SOURCE)
    assert found(seen, "Autoscaling can ask for more GPUs") == [(Level.WARNING, Step.AUTOSCALING)]
    assert "need 18 GPUs; the cluster has 16" in next(i.detail for i in seen.warnings if "can ask" in i.title)


def test_the_memory_is_that_of_the_workers_with_the_fewest_gpus() -> None:
    small = replace(WITH_OPERATORS, gpu_nodes=(node("a", memory=20 * 1024**3),))
    apart = dynamo(mode=DynamoMode.DISAGGREGATED, prefill=Workers(1, 1), decode=Workers(1, 4))
    seen = look(apart, SOURCE, small)
    assert seen.memory
    assert "÷" not in seen.memory.terms[0].working
    assert any("each hold the whole model" in sentence for sentence in seen.memory.assumptions)


@pytest.mark.parametrize("metric", [ScalingMetric.REQUESTS_WAITING, ScalingMetric.KV_CACHE])
def test_what_the_engine_measures_needs_keda_and_prometheus(metric: ScalingMetric) -> None:
    spec = replace(SPEC, autoscaling=Autoscaling(enabled=True, metric=metric))
    url, keda = "http://prometheus:9090", replace(FACTS, addons=replace(ADDONS, keda=True))
    for facts, given in ((FACTS, url), (keda, "")):
        seen = look(spec, SOURCE, facts, prometheus_url=given)
        assert found(seen, "Nothing can scale by") == [(Level.BLOCKER, Step.AUTOSCALING)]
    seen = look(spec, SOURCE, keda, prometheus_url=url)
    assert found(seen, f"KEDA asks {url}") == [(Level.PASSED, Step.AUTOSCALING)]
    assert found(seen, "CPU says little") == []


def test_a_registry_secret_of_the_endpoint_is_named() -> None:
    assert found(look(SPEC, SOURCE, pull_secret="mirror"), "pulled with mirror") == [
        (Level.PASSED, Step.NOWHERE)
    ]


@pytest.mark.parametrize(
    ("right", "spec", "level"),
    [
        ("patch statefulsets.apps", SPEC, Level.BLOCKER),
        ("patch nimservices.apps.nvidia.com", SPEC, Level.WARNING),
        ("patch nimservices.apps.nvidia.com", nim(runner=NimRunner.OPERATOR), Level.BLOCKER),
        ("create dynamographdeployments.nvidia.com", dynamo(), Level.BLOCKER),
        ("create scaledobjects.keda.sh", SPEC, Level.WARNING),
        ("list resourcequotas", SPEC, Level.WARNING),
        ("patch persistentvolumeclaims", SPEC, Level.WARNING),
        ("list persistentvolumeclaims", SPEC, Level.BLOCKER),
    ],
)
def test_rights_that_a_deployment_does_without_do_not_stop_it(
    right: str, spec: DeploymentSpec, level: Level
) -> None:
    source = NGC if spec.engine.kind is Engine.NIM else SOURCE
    seen = look(spec, source, replace(WITH_OPERATORS, permissions_missing=(right,)))
    assert found(seen, "ights are missing on the cluster") == [(level, Step.NOWHERE)]
