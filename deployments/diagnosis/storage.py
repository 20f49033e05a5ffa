"""Why a replica's volume is not there. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from deployments.diagnosis.finding import Finding, Rank, brief, latest
from deployments.kube.decode import Claim, Event, Pod

GRACE = timedelta(seconds=60)

_CLASS = re.compile(r'storageclass(?:\.storage\.k8s\.io)? "([^"]{1,253})" not found')
_OBJECT = re.compile(r'(secret|configmap|persistentvolumeclaim) "([^"]{1,253})" not found')
_NO_CLASS = re.compile(r"no storage class is set|no persistent volumes available")


def find_in_claim(claim: Claim, events: Sequence[Event]) -> Finding | None:
    """Why the claim has no volume; None when it has one, or only waits for its pod."""
    if claim.status.phase == "Lost":
        sentence = f"Volume {claim.metadata.name} has lost its storage."
        return _finding(
            "volume-lost", sentence, "Delete the volume claim; the replica then loads the weights again."
        )
    if claim.status.phase != "Pending":
        return None
    event = latest(events, "ProvisioningFailed", "FailedBinding")
    if event is None:
        return None
    message = event.message or ""
    wanted = claim.spec.storage_class_name
    if missing := _CLASS.search(message):
        sentence = f"Storage class {missing.group(1)} does not exist in the cluster."
        return _finding("storage-class", sentence, "Choose an existing storage class on the endpoint.")
    if event.reason == "FailedBinding" and not wanted:
        sentence = "The cluster has no default storage class, so no volume can be made."
        return _finding(
            "storage-class", sentence, "Choose a storage class on the endpoint, or set a default one."
        )
    if "exceeded quota" in message:
        sentence = f"The namespace's quota for storage is used up: {brief(message)}."
        return Finding(Rank.REFUSED, "quota", sentence, "Raise the quota, or ask for smaller volumes.")
    sentence = f"The storage class {wanted or ''} cannot make the volume: {brief(message)}.".replace(
        "  ", " "
    )
    return _finding("volume", sentence, "Check the size and the storage class.")


def find_in_pod(pod: Pod, events: Sequence[Event]) -> Finding | None:
    """Why the pod's volumes cannot be mounted, from its events; only while it has not started."""
    event = latest(events, "FailedMount", "FailedAttachVolume")
    if event is None:
        return None
    message = event.message or ""
    since = event.first_timestamp or event.at
    if missing := _OBJECT.search(message):
        kind = {"secret": "Secret", "configmap": "Config map"}.get(missing.group(1), "Volume claim")
        sentence = f"{kind} {missing.group(2)} does not exist in namespace {pod.metadata.namespace}."
        return Finding(
            Rank.CONFIGURATION, "missing-object", sentence, "Create it; the replica then starts by itself."
        )
    if "Multi-Attach" in message:
        sentence = "The replica's volume is still attached to another node."
        remedy = (
            "Wait until the other node lets go of it; if that node is gone, delete its volume attachment."
        )
        return _finding("volume-attached", sentence, remedy, since)
    return _finding(
        "volume-mount",
        f"The replica's volume cannot be mounted: {brief(message)}.",
        "Ask the storage's operator; the replica goes on by itself.",
        since,
    )


def _finding(code: str, sentence: str, remedy: str, since: datetime | None = None) -> Finding:
    """Without a beginning there is nothing to wait for."""
    return Finding(Rank.STORAGE, code, sentence, remedy, since, GRACE if since else timedelta(0))
