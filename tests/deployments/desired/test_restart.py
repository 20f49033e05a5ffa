"""A restart is a wish with a time: sent twice it is done once, and only what is meant to run is restarted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.utils import timezone

from console.models import User
from deployments import desired
from deployments.facts import ClusterFacts, GpuNode
from deployments.models import Cluster, Deployment, Observation, Revision
from deployments.quantity import GIBI
from deployments.reconciler import due
from deployments.vocabulary import RolloutStrategy
from tests.deployments.desired.test_revise import at_rest
from tests.deployments.pages.world import spec

pytestmark = pytest.mark.django_db


@pytest.fixture
def made() -> Deployment:
    made = desired.create(spec(), author=None)
    at_rest(made)
    return made


def test_it_is_queued_and_part_of_what_pods_are_made_from(made: Deployment, author: User) -> None:
    assert made.context().restarted_at == ""
    assert desired.restart(made, author=author, since=None)
    made = Deployment.objects.with_everything_to_render().get()
    assert made.context().restarted_at == made.restarted_at.isoformat()
    assert made.changed_by == author
    assert made.pk in due(timezone.now(), 10)
    assert made.revisions.count() == 1


def test_sent_twice_it_is_done_once(made: Deployment, author: User) -> None:
    assert desired.restart(made, author=author, since=None)
    first = Deployment.objects.get().restarted_at
    assert not desired.restart(made, author=author, since=None)
    assert Deployment.objects.get().restarted_at == first
    assert desired.restart(made, author=author, since=first)
    assert Deployment.objects.get().restarted_at > first


@pytest.mark.parametrize("wish", [desired.stop, desired.delete])
def test_what_is_not_meant_to_run_is_not_restarted(made: Deployment, author: User, wish) -> None:
    wish(made, author=author)
    assert not desired.restart(made, author=author, since=None)
    assert Deployment.objects.get().restarted_at is None


def test_it_rolls_out_in_the_way_that_is_safe_now(made: Deployment, author: User) -> None:
    facts = ClusterFacts(
        "v1.34.2",
        gpu_nodes=(GpuNode("gpu-1", "", 80 * GIBI, 8, 5, cpu_free=64_000, memory_free=512 * GIBI),),
    )
    Cluster.objects.update(facts=facts.to_mapping())
    Observation.objects.update(ready=1)
    assert made.current.strategy == RolloutStrategy.REPLACE
    desired.restart(made, author=author, since=None)
    assert Revision.objects.get().strategy == RolloutStrategy.SURGE
    Cluster.objects.update(facts=replace(facts, gpu_nodes=()).to_mapping())
    desired.restart(made, author=author, since=Deployment.objects.get().restarted_at)
    assert Revision.objects.get().strategy == RolloutStrategy.REPLACE
