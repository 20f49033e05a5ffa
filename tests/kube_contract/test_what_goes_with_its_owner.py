"""Garbage collection: what a deletion takes along, and what an orphan keeps."""

from typing import Any

from deployments import naming
from deployments.kube.decode import Claim, Pod
from deployments.kube.kinds import CLAIM, POD, STATEFUL_SET
from tests.kube_contract.place import Rollout, eventually


def workload(rollout: Rollout) -> dict[str, Any]:
    return next(each for each in rollout.objects() if each["kind"] == "StatefulSet")


def pods(rollout: Rollout) -> dict[str, str]:
    found = rollout.ours.list(POD, Pod, namespace=rollout.namespace, labels=naming.selector_text("contract"))
    return {pod.metadata.name: pod.metadata.uid for pod in found}


def claims(rollout: Rollout) -> dict[str, str]:
    found = rollout.ours.list(
        CLAIM, Claim, namespace=rollout.namespace, labels=naming.selector_text("contract")
    )
    return {claim.metadata.name: claim.metadata.uid for claim in found}


def started(rollout: Rollout) -> dict[str, str]:
    rollout.apply(rollout.objects())
    eventually(lambda: len(pods(rollout)) == len(claims(rollout)) == 2)
    return pods(rollout)


def test_a_deleted_workload_takes_its_pods_and_volumes_along(rollout: Rollout) -> None:
    started(rollout)
    assert rollout.ours.delete(STATEFUL_SET, rollout.namespace, "md-contract")
    eventually(lambda: not pods(rollout) and not claims(rollout))


def test_an_orphaned_workload_leaves_its_pods_and_volumes_alone(rollout: Rollout) -> None:
    before, volumes = started(rollout), claims(rollout)
    rollout.ours.delete(STATEFUL_SET, rollout.namespace, "md-contract", propagation="Orphan")
    eventually(lambda: rollout.ours.get(STATEFUL_SET, rollout.namespace, "md-contract") is None)
    assert (pods(rollout), claims(rollout)) == (before, volumes)


def test_a_workload_made_anew_with_a_larger_volume_adopts_the_pods(rollout: Rollout) -> None:
    before = started(rollout)
    rollout.ours.delete(STATEFUL_SET, rollout.namespace, "md-contract", propagation="Orphan")
    eventually(lambda: rollout.ours.get(STATEFUL_SET, rollout.namespace, "md-contract") is None)
    larger = workload(rollout)
    larger["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = "2Gi"
    made = rollout.ours.apply(larger)

    def adopted() -> bool:
        found = rollout.ours.list(POD, dict[str, Any], namespace=rollout.namespace)
        owners = [(each["metadata"].get("ownerReferences") or [{}])[0].get("uid") for each in found]
        return owners == [made["metadata"]["uid"]] * 2

    eventually(adopted)
    assert pods(rollout) == before


def test_a_partition_starts_only_the_numbers_above_it_anew(rollout: Rollout) -> None:
    """What a surge is made of: one more replica of the new template beside all of the old one."""
    old = started(rollout)
    surge = Rollout(rollout.place, rollout.namespace, variables=1)
    wanted = workload(surge)
    wanted["spec"]["replicas"] = 3
    wanted["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    surge.ours.apply(wanted)
    eventually(lambda: len(pods(rollout)) == 3)
    now = pods(rollout)
    assert {name: now[name] for name in old} == old
    found = rollout.ours.list(POD, Pod, namespace=rollout.namespace)
    hashes = {pod.metadata.name: pod.metadata.label("controller-revision-hash") for pod in found}
    assert hashes["md-contract-0"] == hashes["md-contract-1"] != hashes["md-contract-2"]


def test_fewer_replicas_keep_the_volume_of_the_one_that_went(rollout: Rollout) -> None:
    started(rollout)
    wanted = workload(rollout)
    wanted["spec"]["replicas"] = 1
    rollout.ours.apply(wanted)
    eventually(lambda: set(pods(rollout)) == {"md-contract-0"})
    assert set(claims(rollout)) == {"data-md-contract-0", "data-md-contract-1"}
