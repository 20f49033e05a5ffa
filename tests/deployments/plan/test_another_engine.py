"""An engine that runs as another kind of workload: the old one goes first, with all that its operator made."""

from __future__ import annotations

import copy
from typing import Any

from deployments import naming
from deployments.plan import ObservedObject, plan
from tests.deployments.plan.test_plan import KEY, live, objects, titles

LABELS = {naming.MANAGED_BY_LABEL: "slipway", naming.DEPLOYMENT_LABEL: "chat"}


def nim() -> dict[str, Any]:
    metadata = {"name": "md-chat", "namespace": "models", "labels": LABELS}
    return {"apiVersion": "apps.nvidia.com/v1alpha1", "kind": "NIMService", "metadata": metadata, "spec": {}}


def operators_service(owner: ObservedObject) -> ObservedObject:
    """Of the very name that our own service has."""
    reference = {"kind": "NIMService", "name": owner.name, "uid": owner.uid}
    metadata = {"name": "md-chat", "namespace": "models", "labels": {}, "ownerReferences": [reference]}
    return ObservedObject({"kind": "Service", "metadata": metadata})


def test_the_old_workload_and_its_services_go_before_the_new_one_comes() -> None:
    before = live(*objects(autoscaling=True))
    found = plan([nim()], before, key=KEY)
    assert titles(found.prune_first)[:2] == ["Ingress/md-chat", "HorizontalPodAutoscaler/md-chat"]
    assert {"StatefulSet/md-chat", "Service/md-chat", "Service/md-chat--pods"} < set(
        titles(found.prune_first)
    )
    assert not found.apply
    assert found.waiting_for == ("StatefulSet/md-chat",)
    assert titles(plan([nim()], [], key=KEY).apply) == ["NIMService/md-chat"]


def test_what_is_on_its_way_out_is_waited_for_and_not_told_twice() -> None:
    going = live(*objects(), deletionTimestamp="2026-11-23T14:00:00Z")
    found = plan([nim()], going, key=KEY)
    assert not found.writes
    assert found.waiting_for == ("StatefulSet/md-chat",)


def test_an_operators_objects_under_our_names_are_waited_for_and_not_taken_for_somebody_elses() -> None:
    [service_of] = live(nim())
    found = plan(objects(), [service_of, operators_service(service_of)], key=KEY)
    assert found.refusal is None
    assert titles(found.prune_first) == ["NIMService/md-chat"]
    assert found.waiting_for == ("NIMService/md-chat", "Service/md-chat")
    assert not found.apply


def test_a_service_that_belongs_to_nobody_of_ours_is_refused_as_ever() -> None:
    [service_of] = live(nim())
    stranger = copy.deepcopy(operators_service(service_of).body)
    stranger["metadata"]["ownerReferences"][0]["uid"] = "of-another"
    found = plan(objects(), [ObservedObject(stranger)], key=KEY)
    assert found.refusal is not None
    assert found.refusal.code == "foreign-object"


def test_an_engine_that_runs_as_the_same_kind_is_changed_in_place() -> None:
    before = live(*objects())
    after = copy.deepcopy(objects())
    for object in after:
        object["metadata"]["labels"]["app.kubernetes.io/name"] = "nim"
    found = plan(after, before, key=KEY)
    assert not found.prune_first
    assert "StatefulSet/md-chat" in titles(found.apply)
