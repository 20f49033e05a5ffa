"""Replace in place or one more first: what is asked for, what the engine can, what the cluster has room for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployments.facts import ClusterFacts
from deployments.spec import (
    Autoscaling,
    DeploymentSpec,
    DynamoSpec,
    Gpu,
    Limit,
    NimSpec,
    RateLimits,
    SharingSpec,
    Variable,
    Workers,
)
from deployments.strategy import cannot_surge, choose, pods_change, runs_as
from deployments.vocabulary import DynamoMode, Engine, NimRunner, RolloutStrategy, Sharing
from tests.deployments.preflight.cases import FACTS, H100, SPEC, node

SURGE, REPLACE = RolloutStrategy.SURGE, RolloutStrategy.REPLACE
CHANGED = replace(SPEC, engine=replace(SPEC.engine, tag="v0.34.0"))
NIM = replace(SPEC, engine=replace(SPEC.engine, kind=Engine.NIM, nim=NimSpec()))
NIM_SERVICE = replace(NIM, engine=replace(NIM.engine, nim=NimSpec(runner=NimRunner.OPERATOR)))
DYNAMO = replace(SPEC, engine=replace(SPEC.engine, kind=Engine.DYNAMO, dynamo=DynamoSpec()))
SCALED = Autoscaling(enabled=True)


def facts(*free: int, **more: int) -> ClusterFacts:
    nodes = tuple(replace(node(f"gpu-{i}", free=count), **more) for i, count in enumerate(free))
    return replace(FACTS, gpu_nodes=nodes)


def changed(spec: DeploymentSpec) -> DeploymentSpec:
    return replace(spec, engine=replace(spec.engine, tag="v9"))


@pytest.mark.parametrize("spec", [SPEC, NIM, DYNAMO])
def test_one_more_starts_first_when_a_node_has_room_for_it(spec: DeploymentSpec) -> None:
    found = choose(changed(spec), spec, facts(1), running=True)
    assert found.strategy is SURGE
    assert "room for one more" in found.reason


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (None, "not known"),
        (facts(), "No node has 1 free GPU"),
        (facts(0), "No node has 1 free GPU"),
        (facts(1, cpu_free=100), "the CPU and the memory"),
        (facts(1, memory_free=100), "the CPU and the memory"),
        (replace(FACTS, gpu_nodes=(replace(node("gone"), ready=False),)), "No node"),
    ],
)
def test_without_a_place_that_is_known_to_be_free_replicas_are_replaced(
    what: ClusterFacts | None, words: str
) -> None:
    found = choose(CHANGED, SPEC, what, running=True)
    assert found.strategy is REPLACE
    assert words in found.reason


def test_only_gpus_of_the_product_that_is_asked_for_count() -> None:
    picky = replace(CHANGED, resources=replace(SPEC.resources, gpu=Gpu(product="NVIDIA-L4")))
    assert choose(picky, SPEC, facts(8), running=True).strategy is REPLACE
    fitting = replace(CHANGED, resources=replace(SPEC.resources, gpu=Gpu(product=H100)))
    assert choose(fitting, SPEC, facts(8), running=True).strategy is SURGE


def test_prefill_and_decode_workers_do_not_count_on_the_same_gpus() -> None:
    two = DynamoSpec(mode=DynamoMode.DISAGGREGATED, prefill=Workers(1, 2), decode=Workers(1, 2))
    before = replace(DYNAMO, engine=replace(DYNAMO.engine, dynamo=two))
    assert choose(changed(before), before, facts(3), running=True).strategy is REPLACE
    assert choose(changed(before), before, facts(4), running=True).strategy is SURGE
    assert choose(changed(before), before, facts(2, 2), running=True).strategy is SURGE


@pytest.mark.parametrize(
    ("before", "running", "words"),
    [
        (None, False, "new"),
        (SPEC, False, "nothing to protect"),
        (NIM_SERVICE, True, "the old one goes first"),
    ],
)
def test_where_nothing_can_be_protected_replicas_are_replaced(
    before: DeploymentSpec | None, running: bool, words: str
) -> None:
    found = choose(CHANGED, before, facts(8), running)
    assert found.strategy is REPLACE
    assert words in found.reason


def test_what_is_asked_for_is_done_whatever_is_free() -> None:
    assert choose(replace(CHANGED, rollout=SURGE), SPEC, facts(0), running=True).strategy is SURGE
    assert choose(replace(CHANGED, rollout=SURGE), None, None, running=False).strategy is SURGE
    assert choose(replace(CHANGED, rollout=REPLACE), SPEC, facts(8), running=True).strategy is REPLACE


@pytest.mark.parametrize("asked", [RolloutStrategy.AUTO, SURGE])
@pytest.mark.parametrize("spec", [replace(CHANGED, autoscaling=SCALED), NIM_SERVICE])
def test_what_others_scale_is_never_surged_and_the_reason_names_them(
    spec: DeploymentSpec, asked: RolloutStrategy
) -> None:
    found = choose(replace(spec, rollout=asked), SPEC, facts(8), running=True)
    assert (found.strategy, found.reason) == (REPLACE, cannot_surge(spec))
    assert "autoscaler" in found.reason or "NIM Operator" in found.reason


def test_dynamos_operator_surges_also_while_an_autoscaler_is_on() -> None:
    scaled = replace(DYNAMO, autoscaling=SCALED)
    assert cannot_surge(scaled) == ""
    assert choose(changed(scaled), scaled, facts(8), running=True).strategy is SURGE


@pytest.mark.parametrize(
    "after",
    [
        replace(SPEC, description="another"),
        replace(SPEC, rate_limits=RateLimits(user=Limit(requests_per_minute=1))),
        replace(SPEC, pricing=None),
        replace(SPEC, sharing=SharingSpec(Sharing.ALL)),
        replace(SPEC, engine=replace(SPEC.engine, replicas=3)),
        replace(SPEC, engine=replace(SPEC.engine, volume="200Gi")),
        replace(SPEC, rollout=RolloutStrategy.AUTO),
    ],
)
def test_what_reaches_no_running_pod_restarts_none(after: DeploymentSpec) -> None:
    assert not pods_change(SPEC, after)
    found = choose(after, SPEC, facts(8), running=True)
    assert (found.strategy, found.reason) == (REPLACE, "No replica restarts.")


def test_a_secret_value_that_changes_restarts_replicas_though_the_spec_is_the_same() -> None:
    assert choose(SPEC, SPEC, facts(8), running=True, secrets_change=True).strategy is SURGE


@pytest.mark.parametrize(
    "after",
    [
        CHANGED,
        NIM,
        replace(SPEC, environment=(Variable("A", "1"),)),
        replace(SPEC, engine=replace(SPEC.engine, arguments=("--seed", "1"))),
        replace(SPEC, resources=replace(SPEC.resources, cpu_request="5")),
    ],
)
def test_what_a_container_is_made_of_restarts_it(after: DeploymentSpec) -> None:
    assert pods_change(SPEC, after)


def test_a_larger_volume_makes_new_pods_only_where_an_operator_runs_them() -> None:
    for spec in (NIM_SERVICE, DYNAMO):
        assert pods_change(spec, replace(spec, engine=replace(spec.engine, volume="200Gi")))


def test_nodes_without_gpus_are_not_known() -> None:
    none = replace(CHANGED, resources=replace(SPEC.resources, gpu=Gpu(count=0)))
    found = choose(none, SPEC, facts(8), running=True)
    assert (found.strategy, "without GPUs" in found.reason) == (REPLACE, True)


def test_the_kind_of_workload_follows_the_engine() -> None:
    assert [runs_as(spec) for spec in (SPEC, NIM, NIM_SERVICE, DYNAMO)] == [
        "StatefulSet",
        "StatefulSet",
        "NIMService",
        "DynamoGraphDeployment",
    ]
