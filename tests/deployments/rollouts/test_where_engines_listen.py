"""The observer writes where a sandbox's engines listen, and believes no other cluster about it."""

from __future__ import annotations

import json
import urllib.request
from datetime import timedelta
from typing import Any

from django.utils import timezone

from deployments import desired, naming, reach
from deployments.kube import decode
from deployments.models import Cluster, Deployment, Observation
from deployments.observing import records
from deployments.status import judge
from deployments.vocabulary import ClusterKind
from tests.deployments.rollouts.driving import drive, is_serving, observe
from tests.deployments.rollouts.world import World
from tests.deployments.status import build

HERE = "http://127.0.0.1:41001"


def listening(ordinal: int, url: str = HERE, *, role: str = "", **facts: Any) -> build.Object:
    pod = build.pod(ordinal, **{"ready": True, **facts})
    pod["metadata"]["annotations"] = {naming.ENGINE_ANNOTATION: url}
    if role:
        pod["metadata"]["labels"][naming.ROLE_LABEL] = role
    return pod


def pods(*objects: build.Object) -> list[decode.Pod]:
    return decode.read_list(decode.Pod, json.dumps({"items": objects}).encode())


def written(deployment: Deployment) -> list[str]:
    found: list[str] = Observation.objects.get(deployment=deployment).upstreams
    return found


def test_only_pods_that_are_ready_and_stay_are_counted() -> None:
    seen = pods(
        listening(0, "http://127.0.0.1:2"),
        listening(1, HERE, ready=False),
        listening(2, HERE, going=True),
        listening(3, "http://127.0.0.1:1"),
        build.pod(4, ready=True),
    )
    assert reach.seen_at(seen) == ["http://127.0.0.1:1", "http://127.0.0.1:2"]


def test_of_a_graph_only_its_frontends_take_requests() -> None:
    roles = ("frontend", "worker", "prefill", "decode")
    seen = pods(*(listening(i, f"http://127.0.0.1:{i + 1}", role=role) for i, role in enumerate(roles)))
    assert reach.seen_at(seen) == ["http://127.0.0.1:1"]


def test_engines_are_found_while_they_serve_and_gone_when_they_are_stopped(living: World) -> None:
    deployment = living.create()
    drive(living, deployment, is_serving(deployment, 1))
    (url,) = written(deployment)
    with urllib.request.urlopen(f"{url}/v1/models", timeout=5) as answer:
        assert [model["id"] for model in json.load(answer)["data"]] == ["chat"]
    desired.stop(deployment, author=None)
    drive(living, deployment, lambda: written(deployment) == [])


def test_another_cluster_cannot_lead_to_this_machine(living: World) -> None:
    deployment = living.create()
    drive(living, deployment, is_serving(deployment, 1))
    assert written(deployment)
    Cluster.objects.update(kind=ClusterKind.KUBECONFIG)
    observe(living)
    assert written(deployment) == []


def test_a_new_address_is_written_though_nothing_else_is_new(world: World) -> None:
    deployment = world.create()
    now = timezone.now()

    def look(*seen_pods: build.Object) -> list[str]:
        nonlocal now
        now += timedelta(seconds=1)
        (known,) = records.known_deployments(world.cluster)
        seen = build.seen(*seen_pods)
        records.write(world.cluster, [(known, seen, judge(seen, build.NOW))], now)
        return written(deployment)

    assert look(listening(0)) == [HERE]
    digest = Observation.objects.get().details["digest"]
    assert look(listening(0, "http://127.0.0.1:41002")) == ["http://127.0.0.1:41002"]
    assert Observation.objects.get().details["digest"] != digest
    assert look(listening(0, "http://10.0.0.7:41002")) == []
