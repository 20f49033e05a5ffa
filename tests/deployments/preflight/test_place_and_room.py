"""Name, endpoint, taints and quotas: whether there is a place for the deployment, and what is in the way."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.facts import ClusterFacts, Quota, Taint
from deployments.preflight import Around, EndpointCheck, Level, Preflight, Step, check
from deployments.preflight.quotas import demands
from deployments.spec import DeploymentSpec, DynamoSpec, EngineSpec, PodGroup, Resources
from deployments.vocabulary import DynamoMode, Engine
from tests.deployments.preflight.cases import EXPOSURE, FACTS, NOW, SOURCE, SPEC

TEAM = Taint("team", "research")
GPUS = "requests.nvidia.com/gpu"


def look(spec: DeploymentSpec = SPEC, facts: ClusterFacts | None = FACTS, **more: Any) -> Preflight:
    return check(spec, SOURCE, facts, EXPOSURE, Around(**{"now": NOW, "namespace": "models", **more}))


def found(seen: Preflight, part: str) -> list[tuple[Level, Step]]:
    return [(item.level, item.step) for item in seen.items if part in item.title]


def bounded(used: dict[str, str] | None = None, /, **hard: str) -> ClusterFacts:
    return replace(FACTS, quotas=(Quota("models", "team", hard, used or {}),))


def tainted(*names: str) -> ClusterFacts:
    nodes = (replace(node, taints=(TEAM,)) if node.name in names else node for node in FACTS.gpu_nodes)
    return replace(FACTS, gpu_nodes=tuple(nodes))


def test_a_free_name_is_told_with_the_name_of_its_workload() -> None:
    assert found(look(name_is_free=True), "The name is free, and its workload is called md-llama-8b") == [
        (Level.PASSED, Step.GENERAL)
    ]
    assert found(look(name_is_free=False), "The name is taken") == [(Level.BLOCKER, Step.GENERAL)]
    assert found(look(), "The name") == []


def test_a_long_name_of_a_dynamo_graph_is_shortened_and_shown() -> None:
    engine = EngineSpec(Engine.DYNAMO, "a", "1", dynamo=DynamoSpec())
    seen = look(replace(SPEC, name="a" * 48, engine=engine), name_is_free=True)
    title = next(item.title for item in seen.passed if "name is free" in item.title)
    assert len(title.rsplit(" ", 1)[-1]) + len("Frontend") <= 45


@pytest.mark.parametrize(("is_reachable", "told"), [(True, []), (False, [(Level.WARNING, Step.GENERAL)])])
def test_an_endpoint_that_no_gateway_reaches_is_told(
    is_reachable: bool, told: list[tuple[Level, Step]]
) -> None:
    seen = look(endpoint=EndpointCheck(ready=True), is_reachable=is_reachable)
    assert found(seen, "Gateways have no way to the endpoint") == told


@pytest.mark.parametrize(
    ("ready", "is_edit", "level"),
    [
        (True, False, Level.PASSED),
        (None, False, Level.WARNING),
        (False, False, Level.BLOCKER),
        (False, True, Level.WARNING),
    ],
)
def test_the_endpoints_own_check_has_a_say(ready: bool | None, is_edit: bool, level: Level) -> None:
    seen = look(endpoint=EndpointCheck(ready, "There is no namespace models."), is_edit=is_edit)
    assert [item.level for item in seen.items if item.title.startswith("The endpoint")] == [level]
    if ready is False:
        assert any("There is no namespace models. Then check" in item.detail for item in seen.items)


def test_nodes_with_a_taint_are_no_place() -> None:
    seen = look(facts=tainted("gpu-1", "gpu-2"))
    assert found(seen, "All nodes with nvidia.com/gpu are tainted") == [(Level.BLOCKER, Step.RESOURCES)]
    assert "team=research:NoSchedule" in seen.blockers[0].detail
    assert seen.placed == 0
    assert seen.free_after == 0


def test_some_tainted_nodes_are_told_only_where_their_gpus_are_missed() -> None:
    assert found(look(facts=tainted("gpu-1")), "Enough GPUs are free") == [(Level.PASSED, Step.RESOURCES)]
    four = replace(SPEC, engine=replace(SPEC.engine, replicas=4))
    seen = look(four, tainted("gpu-1"))
    assert found(seen, "2 of 4 new replicas fit now") == [(Level.WARNING, Step.RESOURCES)]
    detail = next(item.detail for item in seen.warnings if "fit now" in item.title)
    assert "2 of 8" in detail
    assert "1 more node cannot be used: the taint team=research:NoSchedule." in detail


@pytest.mark.parametrize(
    ("hard", "used", "level", "part"),
    [
        ({GPUS: "1"}, {GPUS: "0"}, Level.PASSED, "The quotas of models leave room"),
        ({GPUS: "4"}, {GPUS: "4"}, Level.WARNING, "The quota team allows 4 requests.nvidia.com/gpu"),
        ({GPUS: "0"}, {}, Level.BLOCKER, "The quota team allows 0 requests.nvidia.com/gpu"),
        ({"limits.memory": "10Gi"}, {}, Level.BLOCKER, "The quota team allows 10Gi limits.memory"),
        ({"pods": "10"}, {"pods": "10"}, Level.WARNING, "The quota team allows 10 pods"),
        ({"requests.storage": "1Ti"}, {"requests.storage": "1000Gi"}, Level.WARNING, "allows 1Ti requests"),
        ({"count/jobs.batch": "0"}, {}, Level.PASSED, "leave room"),
        ({"pods": "what"}, {}, Level.PASSED, "leave room"),
    ],
)
def test_what_is_asked_is_held_against_what_a_quota_leaves(
    hard: dict[str, str], used: dict[str, str], level: Level, part: str
) -> None:
    seen = look(facts=bounded(used, **hard))
    assert [item.level for item in seen.items if part in item.title] == [level]
    other = look(facts=replace(FACTS, quotas=(Quota("elsewhere", "team", hard, used),)))
    assert [item for item in other.items if "quota" in item.title] == []


def test_replicas_that_run_are_part_of_what_is_used() -> None:
    facts = bounded({GPUS: "2"}, **{GPUS: "2"})
    two = replace(SPEC, engine=replace(SPEC.engine, replicas=2))
    assert found(look(two, facts, running_replicas=2), "leave room") == [(Level.PASSED, Step.RESOURCES)]
    assert found(look(two, facts, running_replicas=1), "The quota team") == [(Level.WARNING, Step.RESOURCES)]


def test_a_quota_on_cpu_limits_asks_for_one() -> None:
    facts = bounded(**{"limits.cpu": "100"})
    unlimited = replace(SPEC, resources=replace(Resources(), cpu_limit=None))
    assert found(look(unlimited, facts), "asks for a CPU limit") == [(Level.BLOCKER, Step.RESOURCES)]
    assert found(look(SPEC, facts), "asks for a CPU limit") == []
    graph = replace(SPEC, engine=EngineSpec(Engine.DYNAMO, "a", "1", dynamo=DynamoSpec()))
    assert found(look(graph, facts), "asks for CPU limits") == [(Level.WARNING, Step.ENGINE)]


@given(prefill=st.integers(1, 9), decode=st.integers(1, 9), gpus=st.integers(1, 8))
def test_demands_add_up_over_the_groups(prefill: int, decode: int, gpus: int) -> None:
    groups = (PodGroup("prefill", prefill, gpus), PodGroup("decode", decode, 1))
    spec = replace(
        SPEC, engine=EngineSpec(Engine.DYNAMO, "a", "1", dynamo=DynamoSpec(DynamoMode.DISAGGREGATED))
    )
    asked = demands(spec, groups)
    assert asked["pods"] == prefill + decode
    assert asked[GPUS] == prefill * gpus + decode
    assert asked["requests.cpu"] == 4 * (prefill + decode)
