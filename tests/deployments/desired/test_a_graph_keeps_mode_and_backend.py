"""The mode and the backend of a graph that the cluster has stay; the refusal says the way out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployments import applying, desired
from deployments.document import InvalidDocument, Problem
from deployments.models import Deployment
from deployments.spec import DeploymentSpec, DynamoSpec
from deployments.vocabulary import DynamoBackend, DynamoMode, Engine
from tests.deployments.pages import world
from tests.deployments.pages.world import spec

TOGETHER, APART = DynamoMode.AGGREGATED, DynamoMode.DISAGGREGATED


def graph(mode: DynamoMode = TOGETHER, backend: DynamoBackend = DynamoBackend.VLLM) -> DeploymentSpec:
    engine = replace(spec().engine, kind=Engine.DYNAMO, dynamo=DynamoSpec(mode, backend))
    return replace(spec(), engine=engine)


@pytest.fixture
def saved() -> Deployment:
    """Revision 1 is a graph of alike workers that no cluster has yet."""
    made = world.deployment()
    assert made.current is not None
    desired.revise(made, graph(), author=None, expected=made.current.number)
    made.refresh_from_db()
    return made


@pytest.fixture
def applied(saved: Deployment) -> Deployment:
    Deployment.objects.update(applied_revision=2)
    return saved


def revise(deployment: Deployment, wanted: DeploymentSpec) -> None:
    deployment.refresh_from_db()
    assert deployment.current is not None
    desired.revise(deployment, wanted, author=None, expected=deployment.current.number)


def refused(deployment: Deployment, wanted: DeploymentSpec) -> list[Problem]:
    with pytest.raises(InvalidDocument) as error:
        revise(deployment, wanted)
    return list(error.value.problems)


def test_another_mode_is_refused_with_the_way_out(applied: Deployment) -> None:
    [problem] = refused(applied, graph(APART))
    assert problem.path == "spec.engine.mode"
    assert "stays aggregated" in problem.message
    assert "clone the deployment under another name" in problem.message


def test_another_backend_is_refused_and_both_are_told_together(applied: Deployment) -> None:
    found = refused(applied, graph(APART, DynamoBackend.SGLANG))
    assert [problem.path for problem in found] == ["spec.engine.mode", "spec.engine.backend"]
    assert "stays vLLM" in found[1].message


def test_a_file_is_refused_with_the_same_sentence(applied: Deployment) -> None:
    with pytest.raises(InvalidDocument) as error:
        applying.apply_document(graph(APART), None)
    assert list(error.value.problems) == refused(applied, graph(APART))


def test_a_graph_that_no_cluster_has_may_still_change(saved: Deployment) -> None:
    revise(saved, graph(APART))
    revise(saved, graph(APART, DynamoBackend.SGLANG))


def test_a_mode_that_the_cluster_never_took_may_be_taken_back(applied: Deployment) -> None:
    Deployment.objects.update(applied_revision=0)
    revise(applied, graph(APART))
    Deployment.objects.update(applied_revision=2)
    revise(applied, graph())


def test_another_engine_takes_the_place_of_the_whole_graph(applied: Deployment) -> None:
    revise(applied, spec())
    Deployment.objects.update(applied_revision=3)
    revise(applied, graph(APART, DynamoBackend.SGLANG))


def test_rolling_back_is_refused_with_the_same_sentence(saved: Deployment) -> None:
    revise(saved, graph(APART))
    Deployment.objects.update(applied_revision=3)
    saved.refresh_from_db()
    earlier = saved.revisions.get(number=2)
    with pytest.raises(InvalidDocument) as error:
        desired.roll_back(saved, earlier, earlier.spec, author=None, expected=3)
    [problem] = error.value.problems
    assert "The mode stays disaggregated" in problem.message
