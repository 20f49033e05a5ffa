"""Dynamo's operator fixes components and backend of a graph; its pace is written with the next change of the pods."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from deployments import fixed, naming
from deployments.manifests import render
from deployments.plan import ObservedObject, plan
from deployments.spec import DeploymentSpec
from deployments.vocabulary import DynamoBackend, DynamoMode, RolloutStrategy
from tests.deployments.manifests.dynamo_cases import VERSIONS, given, graph
from tests.deployments.plan.test_plan import KEY, live

SURGE, REPLACE = RolloutStrategy.SURGE, RolloutStrategy.REPLACE


def objects(wanted: DeploymentSpec, version: str = "v1beta1", **changes: Any) -> list[dict[str, Any]]:
    return render(wanted, given(version, **changes))


def there(made: list[dict[str, Any]]) -> list[ObservedObject]:
    """As the cluster has it once all of it was applied."""
    return live(*(step.object for step in plan(made, [], key=KEY).apply))


def templates(object: dict[str, Any]) -> Any:
    """What the operator takes for its hash, of every component."""
    spec = object["spec"]
    if "components" in spec:
        return [each["podTemplate"] for each in spec["components"]]
    return [
        {key: each.get(key) for key in ("annotations", "extraPodMetadata", "extraPodSpec", "resources")}
        for each in spec["services"].values()
    ]


def written(made: list[dict[str, Any]], observed: list[ObservedObject]) -> dict[str, Any] | None:
    """The graph as a plan would send it; None when it is left alone."""
    steps = plan(made, observed, key=KEY).apply
    return next((step.object for step in steps if step.object["kind"] == "DynamoGraphDeployment"), None)


def graph_of(made: list[dict[str, Any]]) -> dict[str, Any]:
    return next(each for each in made if each["kind"] == "DynamoGraphDeployment")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("before", DynamoMode)
def test_another_mode_is_refused_in_the_words_of_saving(version: str, before: DynamoMode) -> None:
    after = next(mode for mode in DynamoMode if mode is not before)
    found = plan(objects(graph(after), version), there(objects(graph(before), version)), key=KEY)
    assert not found.writes
    assert found.refusal is not None
    assert found.refusal.sentence.startswith(f"The mode stays {before.value}:")
    [problem] = fixed.of(graph(before), graph(after))
    assert problem.path == "spec.engine.mode"
    assert problem.message == f"{found.refusal.sentence} {found.refusal.remedy}"


def test_another_backend_is_refused_in_the_words_of_saving() -> None:
    sglang = graph(backend=DynamoBackend.SGLANG)
    found = plan(objects(sglang), there(objects(graph())), key=KEY)
    assert found.refusal is not None
    assert found.refusal.sentence.startswith("The backend stays vLLM:")
    [problem] = fixed.of(graph(), sglang)
    assert problem.path == "spec.engine.backend"
    assert problem.message == f"{found.refusal.sentence} {found.refusal.remedy}"


def test_a_graph_on_its_way_out_is_waited_for_and_not_refused() -> None:
    going = live(*objects(graph()), deletionTimestamp="2026-11-23T14:00:00Z")
    found = plan(objects(graph(DynamoMode.DISAGGREGATED)), going, key=KEY)
    assert found.refusal is None
    assert found.waiting_for


def test_components_that_others_added_change_nothing() -> None:
    observed = there(objects(graph()))
    body = copy.deepcopy(next(each.body for each in observed if each.kind == "DynamoGraphDeployment"))
    body["spec"]["components"].append({"name": "Planner", "type": "planner"})
    kept = [each for each in observed if each.kind != "DynamoGraphDeployment"]
    assert plan(objects(graph()), [*kept, ObservedObject(body)], key=KEY).refusal is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", DynamoMode)
@pytest.mark.parametrize(("before", "after"), [(REPLACE, SURGE), (SURGE, REPLACE)])
def test_another_strategy_alone_leaves_every_pod_template_as_it_is(
    version: str, mode: DynamoMode, before: RolloutStrategy, after: RolloutStrategy
) -> None:
    was, now = (objects(graph(mode), version, strategy=how) for how in (before, after))
    assert templates(graph_of(was)) != templates(graph_of(now))
    assert written(now, there(was)) is None
    # The next revision writes its number on the graph, and still no other pace.
    later = objects(graph(mode), version, strategy=after, revision=2)
    found = written(later, there(was))
    assert found is not None
    assert templates(found) == templates(graph_of(was))
    assert found["metadata"]["labels"][naming.REVISION_LABEL] == "2"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("tag", "restarted_at"), [("1.3.2", ""), ("1.3.1", "2026-11-23T12:00:00+00:00")])
def test_the_strategy_is_written_with_the_next_change_of_the_pods(
    version: str, tag: str, restarted_at: str
) -> None:
    wanted = replace(graph(), engine=replace(graph().engine, tag=tag))
    now = objects(wanted, version, strategy=SURGE, restarted_at=restarted_at)
    found = written(now, there(objects(graph(), version, strategy=REPLACE)))
    assert found is not None
    assert templates(found) == templates(graph_of(now))


def test_a_pace_that_is_none_of_ours_is_taken_back() -> None:
    was = objects(graph(), strategy=REPLACE)
    observed = there(was)
    for each in observed:
        if each.kind == "DynamoGraphDeployment":
            worker = each.body["spec"]["components"][1]
            worker["podTemplate"]["metadata"]["annotations"][naming.PACE_ANNOTATIONS[0]] = "50%"
    found = written(was, observed)
    assert found is not None
    assert templates(found) == templates(graph_of(was))
