"""What a check of the connection learns from the sandbox, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deployments.clusters.access import access_of
from deployments.facts import Addons, Quota, Taint
from deployments.kube import errors
from deployments.kube.decode import Node, Pod, read_list
from deployments.kube.probe import demands, gpu_nodes, needed, probe
from deployments.kube.quotas import ResourceQuota, quotas
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
    assert all(node.is_open for node in facts.gpu_nodes)
    assert facts.quotas == ()
    served = facts.addons
    assert [served.keda, served.dynamo, served.nim] == [
        bool(versions) for versions in (served.keda_versions, served.dynamo_versions, served.nim_versions)
    ]


def test_a_check_costs_the_same_whatever_runs(world: World) -> None:
    before = world.requests(lambda: probe(access_of(world.cluster)))
    for number in range(3):
        world.rest(world.create(world.spec(f"more-{number}")))
    assert world.requests(lambda: probe(access_of(world.cluster))) == before
    asked = needed(probe(access_of(world.cluster)).addons)
    assert before <= sum(map(len, asked.values())) + 10


def test_a_cluster_that_does_not_answer_is_an_error(world: World, fault: Callable[..., None]) -> None:
    fault(match={"path": "/version"}, status=503)
    with pytest.raises(errors.ServerError):
        probe(access_of(world.cluster))


def test_what_we_may_not_read_stays_unknown(world: World, fault: Callable[..., None]) -> None:
    fault(match={"path": "/api/v1/nodes"}, status=403)
    fault(match={"path": "storageclasses"}, status=403)
    fault(match={"path": "resourcequotas"}, status=403)
    facts = probe(access_of(world.cluster))
    assert (facts.gpu_nodes, facts.storage_classes, facts.quotas) == ((), (), None)


def test_a_definition_that_we_may_not_read_is_trusted_and_its_right_is_not_missed(
    world: World, fault: Callable[..., None]
) -> None:
    before = probe(access_of(world.cluster))
    assert before.addons.dynamo_versions == ("v1alpha1", "v1beta1")
    fault(match={"path": "customresourcedefinitions"}, status=403)
    assert probe(access_of(world.cluster)) == before
    assert not any("customresourcedefinitions" in resource for resource in needed(before.addons))


def test_rights_are_asked_for_kinds_that_a_cluster_has_and_for_no_others() -> None:
    plain, full = needed(Addons()), needed(Addons(keda=True, dynamo=True, nim=True))
    assert "patch" in plain["persistentvolumeclaims"]
    assert sorted(set(full) - set(plain)) == [
        "dynamographdeployments.nvidia.com",
        "nimservices.apps.nvidia.com",
        "scaledobjects.keda.sh",
    ]


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


def tainted(*taints: dict[str, str]) -> tuple[Taint, ...]:
    nodes = read_list(Node, as_bytes({"items": [node("a", 1, taints=list(taints))]}))
    return gpu_nodes(nodes, ())[0].taints


def test_only_taints_that_our_pods_do_not_tolerate_are_facts() -> None:
    assert tainted({"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}) == ()
    assert tainted({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}) == ()
    assert tainted({"key": "team", "value": "x", "effect": "PreferNoSchedule"}) == ()
    team = {"key": "team", "value": "research", "effect": "NoExecute"}
    assert list(map(str, tainted(team, {"key": "nvidia.com/gpu", "effect": "NoExecute"}))) == [
        "team=research:NoExecute",
        "nvidia.com/gpu:NoExecute",
    ]


@pytest.mark.parametrize(("device", "rdma"), [("rdma/ib", True), ("nvidia.com/mig-1g.5gb", False)])
def test_a_network_device_for_memory_is_seen(device: str, rdma: bool) -> None:
    one = node("a", 1)
    one["status"]["allocatable"][device] = "1"
    assert gpu_nodes(read_list(Node, as_bytes({"items": [one]})), ())[0].rdma is rdma


def test_quotas_that_bound_our_pods_are_kept_with_what_bounds_them() -> None:
    def quota(name: str, hard: dict[str, str], **spec: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": "models"}
        return {
            "metadata": metadata,
            "spec": spec,
            "status": {"hard": hard, "used": dict.fromkeys(hard, "1")},
        }

    found = [
        quota("gpus", {"requests.nvidia.com/gpu": "4", "services.nodeports": "2"}),
        quota("routes", {"services.loadbalancers": "1"}),
        quota("jobs", {"pods": "4"}, scopes=["Terminating"]),
        quota("batch", {"pods": "4"}, scopeSelector={"matchExpressions": []}),
        quota("pods", {"pods": "10"}, scopes=["NotTerminating"]),
    ]
    assert quotas(read_list(ResourceQuota, as_bytes({"items": found}))) == (
        Quota("models", "gpus", {"requests.nvidia.com/gpu": "4"}, {"requests.nvidia.com/gpu": "1"}),
        Quota("models", "pods", {"pods": "10"}, {"pods": "1"}),
    )
