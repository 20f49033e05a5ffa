"""The strategy of a rollout is decided once, when its revision is saved, from what is known at that moment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployments import desired
from deployments.facts import ClusterFacts
from deployments.models import Cluster, Deployment, Observation
from deployments.vocabulary import RolloutStrategy
from tests.deployments.pages import world
from tests.deployments.pages.world import spec
from tests.deployments.preflight.cases import FACTS

CHANGED = replace(spec(), engine=replace(spec().engine, tag="v0.34.0"))


def know(facts: ClusterFacts | None) -> None:
    Cluster.objects.update(facts=facts.to_mapping() if facts else None)


def strategy_of(deployment: Deployment) -> str:
    deployment.refresh_from_db()
    assert deployment.current is not None
    return deployment.current.strategy


@pytest.fixture
def serving() -> Deployment:
    know(FACTS)
    return world.deployment()


def revise(deployment: Deployment, wanted: object = CHANGED) -> str:
    deployment.refresh_from_db()
    assert deployment.current is not None
    desired.revise(deployment, wanted, author=None, expected=deployment.current.number)  # type: ignore[arg-type]
    return strategy_of(deployment)


def test_a_new_deployment_has_nothing_to_protect() -> None:
    know(FACTS)
    assert strategy_of(desired.create(spec(), author=None)) == "replace"


def test_one_that_serves_surges_where_there_is_room(serving: Deployment) -> None:
    assert revise(serving) == "surge"


def test_one_that_serves_is_replaced_in_place_where_nothing_is_known_to_be_free(serving: Deployment) -> None:
    know(None)
    assert revise(serving) == "replace"


def test_one_of_which_no_replica_is_ready_is_replaced_in_place(serving: Deployment) -> None:
    Observation.objects.update(ready=0)
    assert revise(serving) == "replace"


def test_one_that_is_stopped_is_replaced_in_place(serving: Deployment) -> None:
    desired.stop(serving, author=None)
    assert revise(serving) == "replace"


def test_a_decision_stays_though_the_facts_change(serving: Deployment) -> None:
    assert revise(serving) == "surge"
    know(None)
    assert strategy_of(serving) == "surge"


def test_what_a_person_asks_for_is_kept(serving: Deployment) -> None:
    assert revise(serving, replace(CHANGED, rollout=RolloutStrategy.REPLACE)) == "replace"
    assert revise(serving, replace(CHANGED, rollout=RolloutStrategy.SURGE)) == "surge"


def test_a_change_of_texts_alone_surges_nothing(serving: Deployment) -> None:
    assert revise(serving, replace(spec(), description="another")) == "replace"


def test_a_change_that_restarts_nothing_lets_a_rollout_go_on_as_it_began(serving: Deployment) -> None:
    assert revise(serving) == "surge"
    assert revise(serving, replace(CHANGED, description="another")) == "surge"
