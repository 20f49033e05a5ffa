"""Server-side apply: shares of managers, conflicts, force, and what goes when it is no longer sent."""

from typing import Any

import pytest

from deployments.sandbox.api import ownership, server_side
from deployments.sandbox.api.errors import ApiError
from tests.deployments.sandbox_api.objects import changed, configmap, container, statefulset

SLIPWAY = "slipway"


def apply(
    live: dict[str, Any] | None,
    sent: dict[str, Any],
    manager: str = SLIPWAY,
    *,
    force: bool = False,
    at: str = "t1",
) -> dict[str, Any]:
    plural = {"StatefulSet": "statefulsets", "ConfigMap": "configmaps", "Service": "services"}[sent["kind"]]
    return server_side.apply(plural, live, sent, manager=manager, force=force, moment=at)


def owners_of(obj: dict[str, Any]) -> dict[str, set[str]]:
    """Manager -> its paths in the notation of messages."""
    return {
        entry["manager"]: {ownership.shown(path) for path in ownership.decode(entry["fieldsV1"])}
        for entry in obj["metadata"]["managedFields"]
    }


def engine(obj: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = obj["spec"]["template"]["spec"]["containers"][0]
    return found


def test_a_first_apply_owns_exactly_what_it_sent() -> None:
    made = apply(None, configmap(a="1"))
    assert owners_of(made) == {SLIPWAY: {".data.a"}}
    assert made["metadata"]["managedFields"][0]["operation"] == "Apply"


def test_applying_the_same_again_changes_nothing_not_even_a_time() -> None:
    made = apply(None, statefulset(replicas=2), at="t1")
    assert apply(made, statefulset(replicas=2), at="t2") == made


def test_a_field_that_is_no_longer_sent_goes_away() -> None:
    made = apply(None, configmap(a="1", b="2"))
    assert apply(made, configmap(a="1"))["data"] == {"a": "1"}


def test_a_variable_that_is_no_longer_sent_goes_away_as_a_whole() -> None:
    both = container(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    path = "spec.template.spec.containers.0"
    made = apply(None, changed(statefulset(), path, both))
    after = apply(made, changed(statefulset(), path, container(env=[{"name": "A", "value": "1"}])))
    assert engine(after)["env"] == [{"name": "A", "value": "1"}]


def test_a_field_that_somebody_else_also_applied_stays() -> None:
    shared = apply(apply(None, configmap(a="1", b="2")), configmap(a="1"), "other")
    after = apply(shared, configmap(b="2"))
    assert after["data"] == {"a": "1", "b": "2"}
    assert owners_of(after) == {"other": {".data.a"}, SLIPWAY: {".data.b"}}


def test_another_value_for_a_field_of_another_manager_is_a_conflict_with_a_cause() -> None:
    made = apply(None, statefulset(replicas=1), "other")
    with pytest.raises(ApiError) as refusal:
        apply(made, statefulset(replicas=2))
    assert refusal.value.status == 409
    causes = refusal.value.body()["details"]["causes"]
    assert causes == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "other"', "field": ".spec.replicas"}
    ]


def test_force_takes_the_field_away_from_the_other_manager() -> None:
    made = apply(None, statefulset(replicas=1), "other")
    after = apply(made, statefulset(replicas=2), force=True)
    assert after["spec"]["replicas"] == 2
    owners = owners_of(after)
    assert ".spec.replicas" in owners[SLIPWAY]
    assert ".spec.replicas" not in owners["other"]


def test_the_same_value_is_shared_without_a_conflict() -> None:
    after = apply(apply(None, statefulset(replicas=1), "other"), statefulset(replicas=1))
    assert all(".spec.replicas" in paths for paths in owners_of(after).values())


def test_ports_are_told_apart_by_number_and_protocol_with_tcp_understood() -> None:
    path = "spec.template.spec.containers.0.ports"
    live = apply(
        None, changed(statefulset(), path, [{"containerPort": 8000, "protocol": "TCP", "name": "http"}])
    )
    after = apply(live, changed(statefulset(), path, [{"containerPort": 8000, "name": "web"}]))
    assert engine(after)["ports"] == [{"containerPort": 8000, "protocol": "TCP", "name": "web"}]


def test_a_selector_is_replaced_as_a_whole() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"selector": {"a": "1"}},
    }
    live = apply(None, service)
    assert apply(live, changed(service, "spec.selector", {"b": "2"}))["spec"]["selector"] == {"b": "2"}


def test_two_variables_of_one_name_are_answered_as_a_real_server_does() -> None:
    twice = container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}])
    with pytest.raises(ApiError) as refusal:
        apply(None, changed(statefulset(), "spec.template.spec.containers.0", twice))
    assert refusal.value.status == 500
    assert 'env: duplicate entries for key [name="A"]' in refusal.value.message


def test_a_status_in_an_applied_object_is_no_claim() -> None:
    assert apply(None, statefulset() | {"status": {"replicas": 3}}).get("status") is None


def test_a_field_set_survives_its_encoding() -> None:
    paths = set(ownership.leaves("statefulsets", statefulset(replicas=2)))
    assert ownership.decode(ownership.encode(paths)) == paths
