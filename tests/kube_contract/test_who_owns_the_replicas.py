"""The number of replicas changes hands between us and an autoscaler without a jump."""

from typing import Any

from deployments.plan import HAND_OVER_MANAGER, ObservedObject
from tests.kube_contract.place import Rollout


def workload(rollout: Rollout) -> dict[str, Any]:
    return next(each for each in rollout.objects() if each["kind"] == "StatefulSet")


def scaled(rollout: Rollout, replicas: int) -> None:
    """As an autoscaler does it, through the subresource."""
    rollout.place.apps.patch_namespaced_stateful_set_scale(
        "md-contract", rollout.namespace, {"spec": {"replicas": replicas}}, field_manager="an-autoscaler"
    )


def partial(rollout: Rollout, replicas: int) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "md-contract", "namespace": rollout.namespace},
        "spec": {"replicas": replicas},
    }


def test_a_number_that_we_stop_sending_falls_back_to_one(rollout: Rollout) -> None:
    """Why there is a hand-over at all."""
    wanted = workload(rollout)
    rollout.ours.apply(wanted)
    del wanted["spec"]["replicas"]
    assert rollout.ours.apply(wanted)["spec"]["replicas"] == 1


def test_a_second_manager_keeps_the_number_while_we_let_go(rollout: Rollout) -> None:
    wanted = workload(rollout)
    before = rollout.ours.apply(wanted)
    assert ObservedObject(before).owns_replicas("slipway")
    rollout.ours.apply(partial(rollout, 2), manager=HAND_OVER_MANAGER)
    del wanted["spec"]["replicas"]
    after = rollout.ours.apply(wanted)
    assert after["spec"]["replicas"] == 2
    assert not ObservedObject(after).owns_replicas("slipway")


def test_the_autoscalers_number_survives_our_next_write(rollout: Rollout) -> None:
    wanted = workload(rollout)
    rollout.ours.apply(wanted)
    rollout.ours.apply(partial(rollout, 2), manager=HAND_OVER_MANAGER)
    del wanted["spec"]["replicas"]
    rollout.ours.apply(wanted)
    scaled(rollout, 4)
    wanted["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "MORE", "value": "1"})
    assert rollout.ours.apply(wanted)["spec"]["replicas"] == 4


def test_taking_it_back_sets_it_at_once_and_is_ours(rollout: Rollout) -> None:
    wanted = workload(rollout)
    unowned = workload(rollout)
    del unowned["spec"]["replicas"]
    rollout.ours.apply(unowned)
    scaled(rollout, 4)
    after = rollout.ours.apply(wanted)
    assert after["spec"]["replicas"] == 2
    assert ObservedObject(after).owns_replicas("slipway")


def test_a_hand_made_scale_names_its_author(rollout: Rollout) -> None:
    rollout.ours.apply(workload(rollout))
    scaled(rollout, 3)
    entries = rollout.live(workload(rollout))["metadata"]["managedFields"]
    [entry] = [each for each in entries if each["manager"] == "an-autoscaler"]
    assert entry["subresource"] == "scale"
    assert "f:replicas" in entry["fieldsV1"]["f:spec"]
