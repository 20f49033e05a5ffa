"""What a check of the connection learns from the sandbox, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deployments.cluster_access import access_of
from deployments.kube import errors
from deployments.kube.decode import Node, Pod, read_list
from deployments.kube.probe import NEEDED, demands, gpu_nodes, probe
from deployments.quantity import GIBI
from tests.deployments.rollouts.world import World
from tests.deployments.status.build import _bytes as as_bytes


def test_version_rights_gpus_classes_and_addons_are_read(world: World) -> None:
    facts = probe(access_of(world.cluster))
    assert facts.version.startswith("v1.")
    assert facts.permissions_missing == ()
    assert {node.resource for node in facts.gpu_nodes} == {"nvidia.com/gpu"}
    assert all(node.total >= node.free > 0 and node.memory_bytes and node.product for node in facts.gpu_nodes)
    assert facts.default_storage_class is not None
    assert facts.addons.metrics_server
    assert facts.addons.gateway_api
    assert (facts.addons.keda, facts.addons.dynamo, facts.addons.nim) == (False, False, False)


def test_a_check_costs_the_same_whatever_runs(world: World) -> None:
    before = world.requests(lambda: probe(access_of(world.cluster)))
    for number in range(3):
        world.rest(world.create(world.spec(f"more-{number}")))
    assert world.requests(lambda: probe(access_of(world.cluster))) == before
    assert before <= sum(map(len, NEEDED.values())) + 8


def test_a_cluster_that_does_not_answer_is_an_error(world: World, fault: Callable[..., None]) -> None:
    fault(match={"path": "/version"}, status=503)
    with pytest.raises(errors.ServerError):
        probe(access_of(world.cluster))


def test_what_we_may_not_read_stays_unknown(world: World, fault: Callable[..., None]) -> None:
    fault(match={"path": "/api/v1/nodes"}, status=403)
    fault(match={"path": "storageclasses"}, status=403)
    facts = probe(access_of(world.cluster))
    assert (facts.gpu_nodes, facts.storage_classes) == ((), ())


def node(name: str, gpus: int, **more: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "labels": {"nvidia.com/gpu.product": "H100", "nvidia.com/gpu.memory": "81920"},
        },
        "spec": more,
        "status": {
            "allocatable": {"nvidia.com/gpu": str(gpus), "cpu": "64", "memory": "512Gi"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(on: str, gpus: int, phase: str = "Running") -> dict[str, Any]:
    resources = {"limits": {"nvidia.com/gpu": str(gpus), "memory": "8Gi"}, "requests": {"cpu": "500m"}}
    return {
        "metadata": {"name": "p"},
        "spec": {"nodeName": on, "containers": [{"name": "c", "resources": resources}]},
        "status": {"phase": phase},
    }


def test_free_gpus_are_what_running_pods_leave() -> None:
    nodes = read_list(
        Node, as_bytes({"items": [node("a", 8), node("b", 4, unschedulable=True), node("c", 0)]})
    )
    pods = read_list(
        Pod, as_bytes({"items": [pod("a", 2), pod("a", 3), pod("a", 8, "Succeeded"), pod("", 4)]})
    )
    found = gpu_nodes(nodes, pods)
    assert [(each.name, each.total, each.free, each.ready) for each in found] == [
        ("a", 8, 3, True),
        ("b", 4, 4, False),
    ]
    assert found[0].memory_bytes == 80 * GIBI
    assert (found[0].cpu_free, found[0].memory_free) == (63_000, 496 * GIBI)
    assert demands(pods[0]) == {"nvidia.com/gpu": 2, "memory": 8 * GIBI, "cpu": 500}
