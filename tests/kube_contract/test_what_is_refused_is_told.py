"""Refusals: each reaches us as the error that says whether to wait, to ask again, or to call a person."""

from collections.abc import Callable
from typing import Any

import pytest

from deployments.kube import errors
from deployments.kube.client import Ask
from deployments.kube.kinds import CONFIG_MAP, SECRET
from tests.kube_contract.place import Place, Rollout, eventually


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(each for each in objects if each["kind"] == kind)


@pytest.mark.parametrize(
    ("field", "value"), [("serviceName", "other"), ("podManagementPolicy", "OrderedReady")]
)
def test_a_fixed_field_of_a_stateful_set(rollout: Rollout, field: str, value: str) -> None:
    workload = of_kind(rollout.objects(), "StatefulSet")
    rollout.ours.apply(workload)
    workload["spec"][field] = value
    with pytest.raises(errors.Invalid) as refused:
        rollout.ours.apply(workload)
    assert "updates to statefulset spec for fields other than" in refused.value.sentence


def test_a_larger_claim_template_of_a_stateful_set(rollout: Rollout) -> None:
    workload = of_kind(rollout.objects(), "StatefulSet")
    rollout.ours.apply(workload)
    workload["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = "2Gi"
    with pytest.raises(errors.Invalid):
        rollout.ours.apply(workload)


def test_a_claim_that_is_not_bound_cannot_grow(rollout: Rollout) -> None:
    """Its template counts then: the claim has to be made anew instead."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": rollout.namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "there-is-no-such-class",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    rollout.ours.apply(claim)
    claim["spec"]["resources"]["requests"]["storage"] = "2Gi"
    with pytest.raises(errors.KubeError) as refused:
        rollout.ours.apply(claim)
    assert isinstance(refused.value, errors.Invalid | errors.Forbidden)


def test_a_name_that_is_too_long(rollout: Rollout) -> None:
    workload = of_kind(rollout.objects(), "StatefulSet")
    workload["metadata"]["name"] = "x" * 254
    with pytest.raises(errors.Invalid):
        rollout.ours.apply(workload)


def test_a_namespace_that_is_not_there(rollout: Rollout) -> None:
    secret = of_kind(rollout.objects(), "Secret")
    secret["metadata"]["namespace"] = "there-is-no-such-namespace"
    with pytest.raises(errors.NotFound) as refused:
        rollout.ours.apply(secret)
    assert "namespaces" in refused.value.sentence


def test_a_quota_of_the_namespace(place: Place, rollout: Rollout) -> None:
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"secrets": "1"}}}
    place.core.create_namespaced_resource_quota(rollout.namespace, quota)
    eventually(
        lambda: bool(place.core.read_namespaced_resource_quota("few", rollout.namespace).status.hard or {})
    )
    secret = of_kind(rollout.objects(), "Secret")
    rollout.ours.apply(secret | {"metadata": secret["metadata"] | {"name": "one"}})
    eventually(
        lambda: (
            place.core.read_namespaced_resource_quota("few", rollout.namespace).status.used["secrets"] == "1"
        )
    )
    with pytest.raises(errors.QuotaExceeded) as refused:
        rollout.ours.apply(secret)
    assert "exceeded quota: few" in refused.value.sentence


def test_somebody_elses_deletion_in_between(rollout: Rollout) -> None:
    """The precondition keeps an object that has only the name of the one that we meant."""
    secret = rollout.ours.apply(of_kind(rollout.objects(), "Secret"))
    name = secret["metadata"]["name"]
    with pytest.raises(errors.Conflict):
        rollout.ours.delete(SECRET, rollout.namespace, name, uid="00000000-0000-0000-0000-000000000000")
    assert rollout.ours.get(SECRET, rollout.namespace, name) is not None
    assert rollout.ours.delete(SECRET, rollout.namespace, name, uid=secret["metadata"]["uid"])
    assert not rollout.ours.delete(SECRET, rollout.namespace, name)


def test_what_an_account_may_do_can_be_asked(place: Place, namespace: str) -> None:
    assert place.ours.can_i(Ask("patch", "statefulsets", "apps", namespace))


def test_the_log_of_a_pod_that_is_not_there(place: Place, namespace: str) -> None:
    with pytest.raises(errors.NotFound):
        place.ours.logs(namespace, "nobody")


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (401, "Unauthorized", errors.Unauthorised),
        (403, "Forbidden", errors.Forbidden),
        (409, "Conflict", errors.Conflict),
        (410, "Expired", errors.Expired),
        (422, "Invalid", errors.Invalid),
        (500, "InternalError", errors.ServerError),
        (503, "ServiceUnavailable", errors.ServerError),
    ],
)
def test_an_answer_becomes_its_error(
    place: Place, namespace: str, faults: Callable[..., None], status: int, reason: str, expected: type
) -> None:
    faults(match={"path": f"namespaces/{namespace}/configmaps"}, status=status, reason=reason, times=1)
    with pytest.raises(expected):
        place.ours.list(CONFIG_MAP, dict[str, Any], namespace=namespace)
    assert place.ours.list(CONFIG_MAP, dict[str, Any], namespace=namespace, labels="none=such") == ()


def test_the_wish_to_wait_is_read(place: Place, namespace: str, faults: Callable[..., None]) -> None:
    faults(match={"path": f"namespaces/{namespace}/configmaps"}, status=429, retryAfter=7, times=1)
    with pytest.raises(errors.TooManyRequests) as refused:
        place.ours.list(CONFIG_MAP, dict[str, Any], namespace=namespace)
    assert refused.value.retry_after == 7


def test_a_webhook_that_says_no(rollout: Rollout, faults: Callable[..., None]) -> None:
    faults(admission="secrets", message="images must come from our registry", times=1)
    with pytest.raises(errors.AdmissionDenied) as refused:
        rollout.ours.apply(of_kind(rollout.objects(), "Secret"))
    assert "images must come from our registry" in refused.value.sentence


def test_an_answer_that_never_comes_although_the_write_was_applied(
    rollout: Rollout, faults: Callable[..., None]
) -> None:
    secret = of_kind(rollout.objects(), "Secret")
    faults(
        match={"method": "PATCH", "path": f"namespaces/{rollout.namespace}/secrets"}, drop="after", times=1
    )
    with pytest.raises(errors.Unreachable):
        rollout.ours.apply(secret)
    again = rollout.ours.apply(secret)
    assert again["metadata"]["managedFields"][0]["manager"] == "slipway"
