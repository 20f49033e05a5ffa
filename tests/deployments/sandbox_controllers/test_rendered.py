"""What the console renders comes up in the sandbox: every kind of deployment that its golden files know."""

from typing import Any

import pytest

from deployments.manifests import render
from deployments.sandbox.api.kinds import KINDS
from tests.deployments.manifests.cases import CASES
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster

_PLURALS = {(kind.api_version, kind.kind): kind.plural for kind in KINDS}
# Deployments that need what an empty cluster does not have, and what the pod says then.
_LACKING = {
    "storage-class": "pod has unbound immediate PersistentVolumeClaims",
    "weights-on-a-volume": 'persistentvolumeclaim "weights" not found',
}


def _apply(cluster: Cluster, case: str) -> None:
    spec, context = CASES[case]
    for document in render(spec, context):
        obj: Any = document
        plural = _PLURALS[obj["apiVersion"], obj["kind"]]
        cluster.store.create(plural, obj["metadata"]["namespace"], obj, manager="slipway")


@pytest.mark.parametrize(
    "case", sorted(CASES.keys() - _LACKING.keys() - {"stopped", "variables", "without-gpu"})
)
def test_a_rendered_deployment_comes_up(cluster: Cluster, case: str) -> None:
    _apply(cluster, case)
    cluster.advance(400)
    assert cluster.pods()
    assert [name for name in cluster.pods() if not cluster.ready(name)] == []
    assert {cluster.container(name)["restartCount"] for name in cluster.pods()} == {0}


@pytest.mark.parametrize("case", sorted(_LACKING))
def test_one_that_lacks_its_volume_waits_for_it(cluster: Cluster, case: str) -> None:
    _apply(cluster, case)
    cluster.advance(30)
    (pod,) = cluster.pods()
    assert _LACKING[case] in cluster.condition("PodScheduled", pod)["message"]


def test_a_stopped_one_has_no_pods(cluster: Cluster) -> None:
    _apply(cluster, "stopped")
    cluster.advance(30)
    assert cluster.pods() == []
    assert cluster.store.list("statefulsets", NAMESPACE)


def test_the_engine_without_a_gpu_says_why_it_ends(cluster: Cluster) -> None:
    _apply(cluster, "without-gpu")
    cluster.advance(60)
    (pod,) = cluster.pods()
    assert "Failed to infer device type" in cluster.log(pod)
