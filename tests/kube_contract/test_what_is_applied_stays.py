"""Server-side apply: what the plan may rely on when it decides that nothing has to be written."""

import pytest

from deployments.kube.client import Cluster
from deployments.kube.errors import Conflict
from deployments.kube.kinds import CONFIG_MAP
from deployments.plan import plan, stamped
from deployments.plan.likeness import differences
from tests.kube_contract.place import KEY, Place, Rollout


def settings(namespace: str, **data: str) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": namespace},
        "data": data,
    }


@pytest.fixture
def ours(place: Place) -> Cluster:
    return place.ours


def test_the_same_object_again_changes_nothing(ours: Cluster, namespace: str) -> None:
    first = ours.apply(settings(namespace, a="1"))
    again = ours.apply(settings(namespace, a="1"))
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_field_that_is_no_longer_sent_goes(ours: Cluster, namespace: str) -> None:
    ours.apply(settings(namespace, a="1", b="2"))
    assert ours.apply(settings(namespace, a="1"))["data"] == {"a": "1"}


def test_a_field_of_another_manager_stays(ours: Cluster, namespace: str) -> None:
    ours.apply(settings(namespace, a="1"))
    ours.apply(settings(namespace, theirs="3"), manager="somebody")
    assert ours.apply(settings(namespace, a="2"))["data"] == {"a": "2", "theirs": "3"}


def test_another_managers_value_is_a_conflict_unless_it_is_taken(ours: Cluster, namespace: str) -> None:
    ours.apply(settings(namespace, a="1"), manager="somebody")
    with pytest.raises(Conflict):
        ours.apply(settings(namespace, a="2"), force=False)
    assert ours.apply(settings(namespace, a="2"))["data"] == {"a": "2"}


def test_who_applied_a_field_can_be_told(ours: Cluster, namespace: str) -> None:
    ours.apply(settings(namespace, a="1"))
    found = ours.apply(settings(namespace, b="2"), manager="somebody")
    owners = {
        entry["manager"]: (entry["operation"], set(entry["fieldsV1"]["f:data"]))
        for entry in found["metadata"]["managedFields"]
    }
    assert owners == {"slipway": ("Apply", {"f:a"}), "somebody": ("Apply", {"f:b"})}


def test_a_dry_run_judges_and_keeps_nothing(ours: Cluster, namespace: str) -> None:
    told = ours.apply(settings(namespace, a="1"), dry_run=True)
    assert told["data"] == {"a": "1"}
    assert ours.get(CONFIG_MAP, namespace, "settings") is None


@pytest.mark.parametrize("autoscaling", [False, True])
def test_a_whole_deployment_is_at_rest_right_after_it_was_written(
    place: Place, namespace: str, autoscaling: bool
) -> None:
    """Defaults, normal forms and what controllers add are no difference."""
    rollout = Rollout(place, namespace, autoscaling=autoscaling)
    wanted = rollout.objects()
    rollout.apply([stamped(each, KEY) for each in wanted])
    for each in wanted:
        assert differences(each, rollout.live(each)) == []
    found = plan(wanted, rollout.observed(), key=KEY)
    assert found.is_at_rest, found


def test_one_variable_more_is_one_object_to_write(place: Place, namespace: str) -> None:
    before, after = Rollout(place, namespace), Rollout(place, namespace, variables=1)
    before.apply([stamped(each, KEY) for each in before.objects()])
    found = plan(after.objects(), before.observed(), key=KEY)
    assert [step.object["kind"] for step in found.apply] == ["StatefulSet"]
