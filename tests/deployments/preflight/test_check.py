"""Each thing that can be known to go wrong is found, with its weight and the step that mends it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from deployments.context import Exposure, ModelSource, SizingFacts
from deployments.facts import Addons, ClusterFacts, StorageClass
from deployments.preflight import Around, Level, Preflight, Step, check
from deployments.quantity import GIBI
from deployments.spec import Autoscaling, DeploymentSpec, Gpu, Resources, Variable
from deployments.vocabulary import Routing, ScalingMetric, SourceKind, TlsMode, Tone
from tests.deployments.preflight.cases import EXPOSURE, FACTS, H100, NOW, SOURCE, SPEC, arguments, node

DEFAULTS = Resources()


def look(
    spec: DeploymentSpec = SPEC,
    source: ModelSource = SOURCE,
    facts: ClusterFacts | None = FACTS,
    exposure: Exposure = EXPOSURE,
    **more: Any,
) -> Preflight:
    return check(spec, source, facts, exposure, Around(**{"now": NOW, **more}))


def engine(**changes: Any) -> DeploymentSpec:
    return replace(SPEC, engine=replace(SPEC.engine, **changes))


def resources(**changes: Any) -> DeploymentSpec:
    return replace(SPEC, resources=replace(DEFAULTS, **changes))


def cluster(**changes: Any) -> ClusterFacts:
    return replace(FACTS, **changes)


def assert_found(seen: Preflight, level: Level, part: str, step: Step) -> None:
    found = [item for item in seen.items if part in item.title]
    assert [(item.level, item.step) for item in found] == [(level, step)], [item.title for item in seen.items]


def test_with_nothing_wrong_everything_passes() -> None:
    seen = look()
    assert seen.blockers == ()
    assert seen.warnings == ()
    assert len(seen.passed) >= 8
    assert (seen.placed, seen.to_start) == (1, 1)
    assert seen.free_after == 9
    assert seen.memory
    assert seen.memory.spare
    assert seen.memory.spare > 0


@pytest.mark.parametrize(
    ("spec", "part", "step"),
    [
        (arguments("--port", "9000"), "An engine argument needs a change", Step.ENGINE),
        (arguments("-tp", "2"), "An engine argument needs a change", Step.ENGINE),
        (arguments("--max-model-len", "200000"), "200,000 tokens of context are too many", Step.ENGINE),
        (engine(volume="10Gi"), "A volume of 10Gi is too small", Step.ENGINE),
        (resources(memory_limit="16Gi"), "The memory limit of 16Gi is below", Step.RESOURCES),
        (resources(cpu_limit="500m"), "The CPU limit of 500m is below", Step.RESOURCES),
        (
            resources(gpu=Gpu(count=1, product="NVIDIA-L40S")),
            "The cluster has no NVIDIA-L40S",
            Step.RESOURCES,
        ),
        (
            resources(gpu=Gpu(count=1, resource="amd.com/gpu")),
            "The cluster has no amd.com/gpu",
            Step.RESOURCES,
        ),
        (resources(gpu=Gpu(count=16)), "No node has 16", Step.RESOURCES),
        (engine(replicas=17), "The cluster has only 16", Step.RESOURCES),
        (
            replace(SPEC, autoscaling=Autoscaling(enabled=True, min_replicas=5)),
            "The fewest replicas are more than the most",
            Step.AUTOSCALING,
        ),
        (
            replace(SPEC, environment=(Variable("VLLM_PORT", "1"),)),
            "VLLM_PORT cannot be set",
            Step.ENVIRONMENT,
        ),
    ],
)
def test_what_is_certain_to_fail_blocks(spec: DeploymentSpec, part: str, step: Step) -> None:
    assert_found(look(spec), Level.BLOCKER, part, step)


@pytest.mark.parametrize(
    ("spec", "part", "step"),
    [
        (engine(tag="latest"), "The image tag “latest” moves", Step.ENGINE),
        (engine(tag="v0.17.1"), "vLLM v0.17.1 is probably too old", Step.ENGINE),
        (arguments("--trust-remote-code"), "Check an engine argument", Step.ENGINE),
        (engine(volume="20Gi"), "A volume of 20Gi is tight", Step.ENGINE),
        (
            resources(memory_request="4Gi", memory_limit="8Gi"),
            "Host memory may run out while weights load",
            Step.RESOURCES,
        ),
        (engine(replicas=12), "10 of 12 new replicas fit now", Step.RESOURCES),
        (
            replace(SPEC, autoscaling=Autoscaling(enabled=True, max_replicas=20)),
            "Autoscaling can ask for more GPUs",
            Step.AUTOSCALING,
        ),
        (
            replace(SPEC, autoscaling=Autoscaling(enabled=True, metric=ScalingMetric.MEMORY)),
            "Scaling on memory goes up and never down",
            Step.AUTOSCALING,
        ),
        (replace(SPEC, autoscaling=Autoscaling(enabled=True)), "CPU says little", Step.AUTOSCALING),
        (
            replace(SPEC, environment=(Variable("VLLM_USE_V1", "1"),)),
            "VLLM_USE_V1 is risky",
            Step.ENVIRONMENT,
        ),
        (replace(SPEC, environment=(Variable("HF_TOKEN", "x"),)), "HF_TOKEN is not marked", Step.ENVIRONMENT),
        (replace(SPEC, pricing=None), "No price is set", Step.PRICING),
    ],
)
def test_what_may_fail_or_surprise_warns(spec: DeploymentSpec, part: str, step: Step) -> None:
    seen = look(spec)
    assert_found(seen, Level.WARNING, part, step)
    assert seen.blockers == ()


@pytest.mark.parametrize(
    ("facts", "level", "part"),
    [
        (cluster(permissions_missing=("patch statefulsets.apps",)), Level.BLOCKER, "Rights are missing"),
        (cluster(storage_classes=()), Level.BLOCKER, "no default storage class"),
        (
            cluster(storage_classes=(StorageClass("disk", default=True, binding="Immediate"),)),
            Level.WARNING,
            "Storage class disk places volumes at once",
        ),
        (cluster(gpu_nodes=(node("a", memory=None),)), Level.WARNING, "GPU memory was not compared"),
        (
            cluster(checked_at=NOW - timedelta(hours=3)),
            Level.WARNING,
            "The cluster was last checked 3 hours ago",
        ),
        (None, Level.WARNING, "The cluster has not been reached"),
    ],
)
def test_a_clusters_faults_are_not_mended_in_the_wizard(
    facts: ClusterFacts | None, level: Level, part: str
) -> None:
    assert_found(look(facts=facts), level, part, Step.NOWHERE)


def test_a_named_storage_class_has_to_exist() -> None:
    assert_found(
        look(storage_class="gold"), Level.BLOCKER, "The cluster has no storage class gold", Step.ENGINE
    )
    assert look(storage_class="nvme-local").blockers == ()


def test_autoscaling_without_metrics_server_warns() -> None:
    scaled = replace(SPEC, autoscaling=Autoscaling(enabled=True))
    seen = look(scaled, facts=cluster(addons=Addons(gateway_api=True)))
    assert_found(seen, Level.WARNING, "The cluster has no metrics-server", Step.AUTOSCALING)


@pytest.mark.parametrize(
    ("exposure", "level", "part"),
    [
        (replace(EXPOSURE, hostname=""), Level.BLOCKER, "The endpoint has no host name"),
        (replace(EXPOSURE, gateway_name=""), Level.BLOCKER, "The endpoint names no Gateway"),
        (replace(EXPOSURE, tls=TlsMode.PEM), Level.WARNING, "The Gateway decides the certificate"),
        (replace(EXPOSURE, routing=Routing.INGRESS), Level.PASSED, "llm.example.com can be routed"),
    ],
)
def test_the_endpoint_has_to_be_able_to_route(exposure: Exposure, level: Level, part: str) -> None:
    step = Step.NOWHERE if level is Level.WARNING else Step.GENERAL
    assert_found(look(exposure=exposure), level, part, step)


def test_a_gateway_needs_the_gateway_api() -> None:
    assert_found(look(facts=cluster(addons=Addons())), Level.BLOCKER, "no Gateway API", Step.GENERAL)
    assert look(facts=cluster(addons=Addons()), exposure=Exposure()).blockers == ()


def test_weights_larger_than_the_gpu_block() -> None:
    small = cluster(gpu_nodes=(node("a", memory=16 * GIBI),))
    assert_found(look(facts=small), Level.BLOCKER, "The weights do not fit", Step.RESOURCES)


def test_an_estimate_above_the_gpu_warns() -> None:
    small = cluster(gpu_nodes=(node("a", memory=24 * GIBI),))
    assert_found(look(facts=small), Level.WARNING, "GPU memory is probably too small", Step.RESOURCES)
    shorter = arguments("--max-model-len", "8192")
    assert_found(look(shorter, facts=small), Level.PASSED, "GPU memory suffices", Step.RESOURCES)


def test_the_smallest_gpu_that_may_be_chosen_counts() -> None:
    mixed = cluster(gpu_nodes=(node("a"), node("b", product="NVIDIA-L4", memory=16 * GIBI)))
    assert_found(look(facts=mixed), Level.BLOCKER, "The weights do not fit", Step.RESOURCES)
    chosen = resources(gpu=Gpu(product=H100))
    assert look(chosen, facts=mixed).blockers == ()


@pytest.mark.parametrize(
    ("sizing", "part"),
    [
        (SizingFacts(), "GPU memory cannot be estimated"),
        (SizingFacts(parameters=10**9, bits_per_parameter=16), "GPU memory was compared in part"),
    ],
)
def test_missing_facts_of_the_model_are_said(sizing: SizingFacts, part: str) -> None:
    assert_found(look(source=replace(SOURCE, sizing=sizing)), Level.WARNING, part, Step.NOWHERE)


def test_heads_have_to_be_divisible_by_the_gpus() -> None:
    seen = look(resources(gpu=Gpu(count=3)))
    assert_found(seen, Level.BLOCKER, "An engine argument needs a change", Step.ENGINE)
    assert "32 attention heads" in seen.blockers[0].detail


def test_a_long_context_that_was_asked_for_only_warns() -> None:
    spec = replace(
        arguments("--max-model-len", "200000"), environment=(Variable("VLLM_ALLOW_LONG_MAX_MODEL_LEN", "1"),)
    )
    assert_found(look(spec), Level.WARNING, "are beyond the model's limit", Step.ENGINE)


def test_gated_weights_need_a_token() -> None:
    gated = replace(SOURCE, reference="meta-llama/Llama-3.1-8B-Instruct")
    assert_found(look(source=gated), Level.WARNING, "probably needs a token", Step.GENERAL)
    with_variable = replace(SPEC, environment=(Variable("HF_TOKEN", secret=True),))
    assert look(source=gated, has_weights_token=True).warnings == ()
    assert look(with_variable, source=gated).warnings == ()


def test_weights_that_are_not_downloaded_need_no_room_on_the_volume() -> None:
    streamed = replace(SOURCE, kind=SourceKind.OBJECT_STORAGE, reference="s3://weights/llama")
    assert look(engine(volume="10Gi"), source=streamed).blockers == ()


def test_vllm_cannot_run_an_ngc_image() -> None:
    ngc = replace(SOURCE, kind=SourceKind.NGC, reference="nvcr.io/nim/meta/llama:1")
    assert_found(look(source=ngc), Level.BLOCKER, "vLLM cannot load weights from an NGC image", Step.ENGINE)


def test_replicas_that_run_already_need_no_new_gpus() -> None:
    full = cluster(gpu_nodes=(node("a", free=0),))
    edited = engine(replicas=4)
    assert look(edited, facts=full, running_replicas=4).warnings == ()
    assert_found(look(edited, facts=full, running_replicas=3), Level.WARNING, "0 of 1 new", Step.RESOURCES)


def test_a_deployment_without_gpus_asks_for_none() -> None:
    seen = look(resources(gpu=Gpu(count=0)), facts=cluster(gpu_nodes=()))
    assert seen.blockers == ()
    assert seen.berths == ()


def test_an_estimate_is_given_without_a_cluster() -> None:
    seen = look(facts=None)
    assert seen.memory
    assert seen.memory.available is None
    assert seen.berths == ()


def test_blockers_come_first_and_have_their_tone() -> None:
    seen = look(replace(engine(tag="latest", volume="1Gi"), pricing=None))
    levels = [item.level for item in seen.items]
    assert levels == sorted(levels, key=list(Level).index)
    assert [level.tone for level in Level] == [Tone.BAD, Tone.WARN, Tone.GOOD]


def test_every_sentence_is_whole() -> None:
    seen = look(
        replace(engine(tag="latest", volume="1Gi"), pricing=None),
        facts=cluster(permissions_missing=("a b",) * 7),
    )
    for item in seen.items:
        assert not item.title.endswith(".")
        assert item.detail == "" or item.detail.endswith(".")
    assert "and 2 more" in next(item.detail for item in seen.blockers if "Rights" in item.title)
