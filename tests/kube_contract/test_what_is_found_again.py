"""Lists: what prune and observation rely on."""

from typing import Any

from deployments import naming
from deployments.kube.decode import Claim, Pod, StatefulSet
from deployments.kube.kinds import CLAIM, CONFIG_MAP, HTTP_ROUTE, POD, STATEFUL_SET, Kind
from tests.kube_contract.place import Place, Rollout, eventually


def labelled(namespace: str, name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {f"slipway/{k}": v for k, v in labels.items()},
        },
    }


def names(place: Place, namespace: str | None, labels: str) -> set[str]:
    found = place.ours.list(CONFIG_MAP, dict[str, Any], namespace=namespace, labels=labels)
    return {each["metadata"]["name"] for each in found}


def test_a_list_holds_everything_and_what_was_just_written(place: Place, namespace: str) -> None:
    for number in range(40):
        place.ours.apply(labelled(namespace, f"c{number}", deployment="chat"))
        assert f"c{number}" in names(place, namespace, "slipway/deployment=chat")
    assert len(names(place, namespace, "slipway/deployment=chat")) == 40


def test_labels_select_by_value_by_presence_and_together(place: Place, namespace: str) -> None:
    place.ours.apply(labelled(namespace, "one", deployment="chat", role="a"))
    place.ours.apply(labelled(namespace, "two", deployment="code"))
    place.ours.apply(labelled(namespace, "other"))
    assert names(place, namespace, "slipway/deployment=chat") == {"one"}
    assert names(place, namespace, naming.DEPLOYED_SELECTOR) == {"one", "two"}
    assert names(place, namespace, "slipway/deployment,slipway/role=a") == {"one"}
    assert names(place, namespace, "slipway/deployment=nobody") == set()


def test_all_namespaces_are_asked_at_once(place: Place, namespace: str) -> None:
    place.ours.apply(labelled(namespace, "one", deployment=namespace))
    assert names(place, None, f"slipway/deployment={namespace}") == {"one"}


def test_an_optional_kind_that_the_server_does_not_know_is_an_empty_list(
    place: Place, namespace: str
) -> None:
    unknown = Kind("nobody.example.com/v1", "Nothing", "nothings", optional=True)
    assert place.ours.list(unknown, dict[str, Any], namespace=namespace) == ()
    assert place.ours.resources("nobody.example.com/v1") == frozenset()


def test_what_the_server_offers_can_be_told(place: Place) -> None:
    assert {"apps/v1", "autoscaling/v2", "networking.k8s.io/v1"} <= place.ours.api_groups()
    assert {"statefulsets", "statefulsets/scale"} <= place.ours.resources("apps/v1")
    assert place.version.startswith("v1.")


def test_pods_and_volumes_of_a_workload_carry_its_labels(rollout: Rollout) -> None:
    rollout.apply(rollout.objects())
    wanted = naming.selector_text("contract")
    ours, namespace = rollout.ours, rollout.namespace
    eventually(lambda: len(ours.list(POD, Pod, namespace=namespace, labels=wanted)) == 2)
    eventually(lambda: len(ours.list(CLAIM, Claim, namespace=namespace, labels=wanted)) == 2)
    claims = ours.list(CLAIM, Claim, namespace=namespace, labels=wanted)
    assert {claim.metadata.name for claim in claims} == {"data-md-contract-0", "data-md-contract-1"}


def test_the_controller_says_which_generation_and_which_template_it_has_acted_on(rollout: Rollout) -> None:
    rollout.apply(rollout.objects())

    def found() -> StatefulSet:
        return rollout.ours.list(STATEFUL_SET, StatefulSet, namespace=rollout.namespace)[0]

    eventually(lambda: found().status.observed_generation == found().metadata.generation == 1)
    first = found().status.update_revision
    pods = lambda: rollout.ours.list(POD, Pod, namespace=rollout.namespace)  # noqa: E731
    eventually(lambda: [pod.metadata.label("controller-revision-hash") for pod in pods()] == [first] * 2)
    changed = Rollout(rollout.place, rollout.namespace, variables=1)
    changed.apply(changed.objects())
    eventually(lambda: found().status.observed_generation == found().metadata.generation == 2)
    assert found().status.update_revision != first


def test_events_can_be_asked_for_by_the_kind_of_what_they_are_about(rollout: Rollout) -> None:
    from deployments.kube.decode import Event
    from deployments.kube.kinds import EVENT

    rollout.apply(rollout.objects())

    def told() -> list[Event]:
        fields = "involvedObject.kind=StatefulSet"
        return list(rollout.ours.list(EVENT, Event, namespace=rollout.namespace, fields=fields))

    eventually(lambda: any(event.reason == "SuccessfulCreate" for event in told()))
    assert {event.involved_object.name for event in told()} == {"md-contract"}


def test_a_route_is_known_or_an_empty_list(place: Place, namespace: str) -> None:
    assert place.ours.list(HTTP_ROUTE, dict[str, Any], namespace=namespace) == ()
