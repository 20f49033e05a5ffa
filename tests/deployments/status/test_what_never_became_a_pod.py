"""What is missing before there is a container: refused pods and volumes, told by the events of who makes them."""

import pytest

from deployments.status import judge
from deployments.vocabulary import Phase
from tests.deployments.status.build import (
    NOW,
    claim,
    event,
    pod,
    seen,
    waiting,
)

FEWER_PODS = {
    "quota": (
        (
            'create Pod md-chat-0 in StatefulSet md-chat failed error: pods "md-chat-0" is forbidden: exceeded '
            "quota: gpus, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=8, limited: 8"
        ),
        "Quota gpus does not allow another replica: it asks for requests.nvidia.com/gpu=1;",
    ),
    "admission": (
        (
            'create Pod md-chat-0 in StatefulSet md-chat failed error: admission webhook "policy.example" denied '
            "the request: only mirrored images"
        ),
        "A policy of the cluster refuses the replica: only mirrored images.",
    ),
    "runtime": (
        'pods "x" is forbidden: RuntimeClass "nvidia" not found',
        "Runtime class nvidia does not exist",
    ),
    "create": ("Internal error occurred", "The cluster cannot make the replicas: Internal error occurred."),
}


@pytest.mark.parametrize("code", FEWER_PODS)
def test_pods_that_cannot_be_made_are_explained_by_the_controllers_events(code: str) -> None:
    message, sentence = FEWER_PODS[code]
    refused = event("FailedCreate", message, of="md-chat", kind="StatefulSet")
    status = judge(seen(events=[refused]), NOW)
    assert (status.phase, status.code) == (Phase.FAILED, code)
    assert status.sentence.startswith(sentence)


def test_a_refusal_from_before_the_last_change_is_history() -> None:
    refused = event("FailedCreate", "exceeded quota: x", of="md-chat", kind="StatefulSet", seconds=500)
    assert judge(seen(events=[refused]), NOW).phase is Phase.QUEUED


def test_a_refusal_that_was_overcome_is_history() -> None:
    events = [
        event("FailedCreate", "exceeded quota: x", of="md-chat", kind="StatefulSet", seconds=60),
        event(
            "SuccessfulCreate", "create Pod md-chat-0 successful", of="md-chat", kind="StatefulSet", seconds=5
        ),
    ]
    assert judge(seen(events=events), NOW).phase is Phase.QUEUED


CLAIMS = {
    "storage-class": (
        "ProvisioningFailed",
        'storageclass.storage.k8s.io "fast" not found',
        "fast",
        "Storage class fast does not exist",
    ),
    "volume": (
        "ProvisioningFailed",
        "rpc error: disk size out of range",
        "fast",
        "The storage class fast cannot make the volume: rpc error",
    ),
    "quota": (
        "ProvisioningFailed",
        "exceeded quota: storage, requested 1",
        "fast",
        "quota for storage is used up",
    ),
}


@pytest.mark.parametrize("code", CLAIMS)
def test_a_volume_that_cannot_be_made_is_explained_by_its_claims_events(code: str) -> None:
    reason, message, storage_class, sentence = CLAIMS[code]
    events = [event(reason, message, of="data-md-chat-0", kind="PersistentVolumeClaim")]
    shown = seen(
        pod(state=waiting("ContainerCreating")), claims=[claim(storage_class=storage_class)], events=events
    )
    status = judge(shown, NOW)
    assert (status.phase, status.code) == (Phase.FAILED, code)
    assert sentence in status.sentence


def test_a_cluster_without_a_default_storage_class_is_told_so() -> None:
    message = "no persistent volumes available for this claim and no storage class is set"
    events = [event("FailedBinding", message, of="data-md-chat-0", kind="PersistentVolumeClaim")]
    shown = seen(pod(state=waiting("ContainerCreating")), claims=[claim(storage_class=None)], events=events)
    assert "no default storage class" in judge(shown, NOW).sentence


def test_a_claim_that_waits_for_its_pod_is_normal() -> None:
    events = [event("WaitForFirstConsumer", "waiting", of="data-md-chat-0", kind="PersistentVolumeClaim")]
    shown = seen(pod(state=waiting("ContainerCreating")), claims=[claim()], events=events)
    assert judge(shown, NOW).phase is Phase.PULLING
