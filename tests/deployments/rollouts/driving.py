"""Drives a rollout in a living sandbox as the workers do, and counts what it costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from deployments import observer
from deployments.models import Cluster, Deployment, Observation
from deployments.reconciler import reconcile
from deployments.spec import DeploymentSpec
from deployments.vocabulary import Phase, RolloutStrategy
from tests.deployments.rollouts.world import WORKLOAD, World

SURGE, REPLACE = RolloutStrategy.SURGE, RolloutStrategy.REPLACE


def surging(spec: DeploymentSpec) -> DeploymentSpec:
    return replace(spec, rollout=SURGE)


def replacing(spec: DeploymentSpec) -> DeploymentSpec:
    return replace(spec, rollout=REPLACE)


def observe(world: World) -> None:
    """One pass of the observer, due or not."""
    Cluster.objects.update(observe_due_at=None)
    observer.observe(world.cluster.pk)


def turn(world: World, deployment: Deployment) -> None:
    """What the workers do in a moment: a look if it is due, and a pass."""
    reconcile(deployment.pk)
    observe(world)


def drive(
    world: World, deployment: Deployment, holds: Callable[[], bool], seconds: float = 90
) -> list[dict[str, Any]]:
    """Works until something holds; everything that was seen of the namespace's workload on the way."""
    end, seen = time.monotonic() + seconds, []
    while True:
        turn(world, deployment)
        seen.append(world.objects("StatefulSet").get(WORKLOAD, {}))
        if holds():
            return seen
        found = Observation.objects.filter(deployment=deployment).first()
        assert time.monotonic() < end, (
            f"{found and (found.phase, found.sentence)} {numbers(world)} {pods(world)}"
        )
        time.sleep(0.03)


def is_serving(deployment: Deployment, revision: int) -> Callable[[], bool]:
    def holds() -> bool:
        found = Observation.objects.filter(deployment=deployment).first()
        return found is not None and (found.phase, found.revision) == (Phase.SERVING, revision)

    return holds


def is_rolled(world: World, deployment: Deployment, revision: int) -> Callable[[], bool]:
    """Serving, and nothing of the rollout is left."""
    serves = is_serving(deployment, revision)

    def holds() -> bool:
        wanted, partition, mark = numbers(world)
        return serves() and (partition, mark) == (0, "") and len(pods(world)) == wanted == ready(world)

    return holds


def numbers(world: World) -> tuple[int, int, str]:
    """(replicas, partition, mark) of the workload; the mark "gone" while there is none."""
    body = world.objects("StatefulSet").get(WORKLOAD)
    if body is None:
        return 0, 0, "gone"
    partition = body["spec"]["updateStrategy"].get("rollingUpdate", {}).get("partition", 0)
    return body["spec"]["replicas"], partition, body["metadata"]["annotations"].get("slipway/surge", "")


def pods(world: World) -> dict[str, tuple[str, bool]]:
    """Image tag and readiness by pod."""
    return {
        item["metadata"]["name"]: (item["spec"]["containers"][0]["image"].rpartition(":")[2], is_ready(item))
        for item in world.objects("Pod").values()
    }


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def ready(world: World) -> int:
    return sum(good for _tag, good in pods(world).values())


def settle(world: World, deployment: Deployment) -> Deployment:
    """Nothing is due any more; the deployment as it is now."""
    world.rest(deployment)
    observe(world)
    deployment.refresh_from_db()
    return deployment
