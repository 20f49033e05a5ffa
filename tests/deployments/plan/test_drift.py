"""Who changed what: from the API server's own bookkeeping, never ourselves, never a value."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.plan import Change, ObservedObject, plan
from deployments.plan.drift import MOST_PATHS, changes
from deployments.vocabulary import DriftPolicy
from tests.deployments.plan.test_plan import KEY, changed, live, objects

CONTAINERS = {"f:containers": {'k:{"name":"engine"}': {"f:image": {}, "f:args": {}, "f:env": {}}}}
TEMPLATE = {"f:template": {"f:spec": CONTAINERS}}


def entry(
    manager: str, fields: dict[str, Any], time: str = "2026-11-23T14:00:00Z", **more: str
) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields, **more}


def item(*entries: dict[str, Any]) -> ObservedObject:
    metadata = {"name": "md-chat", "managedFields": list(entries)}
    return ObservedObject({"kind": "StatefulSet", "metadata": metadata})


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"f:spec": {"f:replicas": {}}}, "spec.replicas"),
        ({"f:spec": TEMPLATE}, "spec.template.spec.containers[name=engine].image"),
        ({"f:spec": TEMPLATE}, "spec.template.spec.containers[name=engine].args[3]"),
        ({"f:spec": {"f:selector": {}}}, "spec.selector.slipway/deployment"),
        (
            {"f:spec": {"f:ports": {'k:{"port":8000,"protocol":"TCP"}': {"f:name": {}}}}},
            "spec.ports[port=8000].name",
        ),
        ({"f:metadata": {"f:labels": {"f:slipway/revision": {}}}}, "metadata.labels.slipway/revision"),
        (
            {"f:metadata": {"f:labels": {"f:app.kubernetes.io/part-of": {}}}},
            "metadata.labels.app.kubernetes.io/part-of",
        ),
        ({"f:spec": {"f:rules": {}}}, "spec.rules[0].host"),
        ({"f:data": {"f:API_TOKEN": {}}}, "data.API_TOKEN"),
    ],
)
def test_the_manager_that_owns_a_field_now_is_the_one_who_changed_it(
    fields: dict[str, Any], path: str
) -> None:
    ours = entry("slipway", {"f:spec": {"f:other": {}}})
    assert changes(item(ours, entry("kubectl-edit", fields)), [path]) == [
        Change("StatefulSet/md-chat", (path,), "kubectl-edit")
    ]


def test_several_managers_are_told_apart_and_the_newest_of_one_field_is_named() -> None:
    replicas = {"f:spec": {"f:replicas": {}}}
    found = changes(
        item(
            entry("first", replicas, "2026-11-23T13:00:00Z"),
            entry("second", replicas, "2026-11-23T14:00:00Z"),
            entry("third", {"f:spec": TEMPLATE}),
        ),
        ["spec.replicas", "spec.template.spec.containers[name=engine].image"],
    )
    assert [(change.by, len(change.paths)) for change in found] == [("second", 1), ("third", 1)]


def test_what_was_removed_or_only_we_own_has_no_author() -> None:
    ours = entry("slipway", {"f:spec": {"f:replicas": {}}})
    status = entry("controller", {"f:spec": {"f:replicas": {}}}, subresource="status")
    assert changes(item(ours, status), ["spec.replicas"]) == [
        Change("StatefulSet/md-chat", ("spec.replicas",))
    ]
    assert changes(item(), ["spec.replicas"])[0].by == ""


def test_a_hand_made_scale_is_named_by_its_subresource_too() -> None:
    scale = entry("kubectl", {"f:spec": {"f:replicas": {}}}, subresource="scale")
    assert changes(item(scale), ["spec.replicas"])[0].by == "kubectl"


def test_no_more_paths_are_told_than_a_page_shows() -> None:
    [change] = changes(item(), [f"spec.field{number}" for number in range(50)])
    assert len(change.paths) == MOST_PATHS


def hand_scaled() -> list[ObservedObject]:
    return changed(live(*objects()), "StatefulSet", lambda body: body["spec"].update(replicas=7))


def test_a_change_is_repaired_or_left_and_told_either_way() -> None:
    """E11."""
    repaired = plan(objects(), hand_scaled(), key=KEY)
    left = plan(objects(), hand_scaled(), key=KEY, policy=DriftPolicy.LEAVE)
    assert [step.object["kind"] for step in repaired.apply] == ["StatefulSet"]
    assert left.is_at_rest
    assert repaired.drift == left.drift == (Change("StatefulSet/md-chat", ("spec.replicas",)),)


def test_a_policy_to_leave_holds_back_no_revision() -> None:
    found = plan(objects(arguments=("--seed", "1")), hand_scaled(), key=KEY, policy=DriftPolicy.LEAVE)
    assert [step.why for step in found.apply] == ["changed"]
    assert not found.drift


@pytest.mark.parametrize("policy", DriftPolicy)
def test_what_somebody_removed_comes_back_under_any_policy(policy: DriftPolicy) -> None:
    """E11."""
    wanted = objects()
    rest = [each for each in live(*wanted) if each.kind != "Service"]
    found = plan(wanted, rest, key=KEY, policy=policy, was_whole=True)
    assert {step.object["kind"] for step in found.apply} == {"Service"}
    assert found.drift == (Change("Service/md-chat--pods"), Change("Service/md-chat"))
    assert not plan(wanted, rest, key=KEY, policy=policy).drift
