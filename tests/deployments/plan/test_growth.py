"""Larger volumes as values: which claims grow, when the workload is made anew, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from deployments import naming
from deployments.plan import ObservedObject, plan
from deployments.plan.more import needs
from deployments.vocabulary import RolloutStrategy
from tests.deployments.plan.test_plan import KEY, changed, live, objects, titles

LABELS = {naming.MANAGED_BY_LABEL: "slipway", naming.DEPLOYMENT_LABEL: "chat"}


def claim(
    number: int = 0, size: str = "100Gi", storage_class: str | None = "fast", **more: Any
) -> ObservedObject:
    name = f"data-md-chat-{number}"
    spec = {"storageClassName": storage_class, "resources": {"requests": {"storage": size}}}
    metadata = {"name": name, "namespace": "models", "uid": f"uid-{name}", "labels": LABELS, **more}
    body = {"kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec, "status": {"phase": "Bound"}}
    return ObservedObject({"apiVersion": "v1", **body})


def storage_class(expandable: bool = True, name: str = "fast") -> ObservedObject:
    return ObservedObject(
        {"kind": "StorageClass", "metadata": {"name": name}, "allowVolumeExpansion": expandable}
    )


def test_a_larger_volume_asks_for_claims_and_classes_and_nothing_else_does() -> None:
    before = live(*objects())
    assert needs(objects(volume="200Gi"), before, was_there=True).claims
    for wanted in (objects(), objects(volume="50Gi"), objects(arguments=("--seed", "1"))):
        found = needs(wanted, before, was_there=True)
        assert (found.claims, found.pods, found.named_claims) == (False, False, ())


def test_smaller_claims_grow_then_the_workload_is_made_anew_around_its_pods() -> None:
    seen = [*live(*objects()), claim(0), claim(1, "300Gi"), claim(2), storage_class()]
    found = plan(objects(volume="200Gi"), seen, key=KEY)
    assert [step.object["metadata"]["name"] for step in found.apply] == ["data-md-chat-0", "data-md-chat-2"]
    for step in found.apply:
        assert step.object["spec"] == {"resources": {"requests": {"storage": "200Gi"}}}
        assert set(step.object["metadata"]) == {"name", "namespace", "uid"}
    assert titles(found.orphan) == ["StatefulSet/md-chat"]
    assert found.waiting_for == ("StatefulSet/md-chat",)
    assert not found.prune
    assert not found.prune_first


def test_claims_of_others_and_those_on_their_way_out_are_left_alone() -> None:
    others = ObservedObject(copy.deepcopy(claim().body))
    others.body["metadata"]["name"] = "data-md-chat-two-0"
    going = claim(1, deletionTimestamp="2026-11-23T14:00:00Z")
    found = plan(objects(volume="200Gi"), [*live(*objects()), others, going, storage_class()], key=KEY)
    assert not found.apply
    assert found.orphan


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ([claim(), storage_class(expandable=False)], "storage class fast does not allow it"),
        ([claim()], "its storage class fast is not there any more"),
        ([claim(storage_class=None), storage_class()], "it has no storage class"),
        ([claim(), claim(1, storage_class="slow"), storage_class()], "its storage class slow is not there"),
    ],
)
def test_what_cannot_grow_refuses_the_whole_plan_with_the_way_out(
    seen: list[ObservedObject], words: str
) -> None:
    """E9."""
    found = plan(objects(volume="200Gi"), [*live(*objects()), *seen], key=KEY)
    assert found.refusal is not None
    assert words in found.refusal.sentence
    assert "Set it back to 100Gi" in found.refusal.remedy
    assert not found.writes


def test_a_claim_that_is_not_bound_yet_waits_for_its_replica() -> None:
    waiting = claim()
    waiting.body["status"]["phase"] = "Pending"
    found = plan(objects(volume="200Gi"), [*live(*objects()), waiting, storage_class()], key=KEY)
    assert found.refusal is not None
    assert found.refusal.code == "volume-unbound"


def test_a_smaller_volume_is_refused_with_both_sizes() -> None:
    found = plan(objects(volume="50Gi"), live(*objects()), key=KEY)
    assert found.refusal is not None
    assert found.refusal.code == "volume-shrinks"
    assert "from 100Gi to 50Gi" in found.refusal.sentence
    assert "back to 100Gi" in found.refusal.remedy


def test_another_class_or_another_number_of_volumes_is_refused() -> None:
    def other_class(body: dict[str, Any]) -> None:
        body["spec"]["volumeClaimTemplates"][0]["spec"]["accessModes"] = ["ReadWriteMany"]

    def none(body: dict[str, Any]) -> None:
        body["spec"]["volumeClaimTemplates"] = []

    for change in (other_class, none):
        found = plan(objects(), changed(live(*objects()), "StatefulSet", change), key=KEY)
        assert found.refusal is not None
        assert found.refusal.code == "fixed-field"


def test_a_workload_that_is_made_anew_with_a_surge_keeps_its_serving_pods_first() -> None:
    wanted = objects(volume="200Gi", replicas=2)
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    pods = [
        ObservedObject({"kind": "Pod", "metadata": {"name": f"md-chat-{n}"}, "status": ready})
        for n in range(2)
    ]
    rest = [item for item in live(*wanted) if item.kind != "StatefulSet"]
    assert needs(wanted, rest, was_there=True).pods
    assert not needs(wanted, rest, was_there=False).pods
    [step] = plan(wanted, [*rest, *pods], key=KEY, strategy=RolloutStrategy.SURGE).apply
    assert step.object["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 2}
    [step] = plan(wanted, [*rest, *pods], key=KEY).apply
    assert step.object["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 0}


def nim(size: str) -> dict[str, Any]:
    spec = {"replicas": 1, "storage": {"pvc": {"create": True, "size": size}}}
    metadata = {"name": "md-chat", "namespace": "models", "labels": LABELS}
    return {
        "apiVersion": "apps.nvidia.com/v1alpha1",
        "kind": "NIMService",
        "metadata": metadata,
        "spec": spec,
    }


def test_the_volume_that_a_nim_operator_made_grows_in_place() -> None:
    before = live(nim("100Gi"))
    shared = ObservedObject(copy.deepcopy(claim().body))
    owner = {"kind": "NIMService", "name": "md-chat", "uid": before[0].uid}
    shared.body["metadata"] |= {"name": "md-chat-pvc", "labels": {}, "ownerReferences": [owner]}
    assert needs([nim("200Gi")], before, was_there=True).named_claims == ("md-chat-pvc",)
    found = plan([nim("200Gi")], [*before, shared, storage_class()], key=KEY)
    assert [(step.object["kind"], step.why) for step in found.apply] == [
        ("PersistentVolumeClaim", "grow: 100Gi to 200Gi"),
        ("NIMService", "changed"),
    ]
    assert not found.orphan
    foreign = ObservedObject(copy.deepcopy(shared.body))
    del foreign.body["metadata"]["ownerReferences"]
    found = plan([nim("200Gi")], [*before, foreign, storage_class()], key=KEY)
    assert [step.object["kind"] for step in found.apply] == ["NIMService"]
