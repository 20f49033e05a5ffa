"""When an autoscaler changes the number of replicas, the moment is kept; what people change is a revision."""

from __future__ import annotations

from deployments import desired, observer
from deployments.models import Cluster, Scaled
from tests.deployments.rollouts.world import WORKLOAD, World


def look(world: World) -> None:
    Cluster.objects.update(observe_due_at=None)
    assert observer.observe(world.cluster.pk)


def moves() -> list[tuple[int, int]]:
    return list(Scaled.objects.order_by("at", "id").values_list("before", "after"))


def test_each_step_of_the_autoscaler_is_kept_once(world: World) -> None:
    deployment = world.create(world.spec(autoscaling=True))
    world.rest(deployment)
    look(world)
    assert moves() == []
    for replicas in (3, 4, 2):
        world.change(WORKLOAD, {"spec": {"replicas": replicas}})
        look(world)
        look(world)
    assert moves() == [(2, 3), (3, 4), (4, 2)]


def test_what_people_change_is_no_scaling(world: World) -> None:
    deployment = world.create(world.spec(autoscaling=True))
    world.rest(deployment)
    look(world)
    desired.stop(deployment, author=None)
    look(world)
    world.rest(deployment)
    look(world)
    desired.start(deployment, author=None)
    world.rest(deployment)
    look(world)
    world.revise(deployment, world.spec(replicas=1))
    world.rest(deployment)
    look(world)
    world.change(WORKLOAD, {"spec": {"replicas": 5}})  # by hand, with no autoscaler there
    look(world)
    assert moves() == []
