"""Why a node cannot get the image. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from deployments.diagnosis.finding import Finding, Rank, brief, latest
from deployments.kube.decode import ContainerStatus, Event

#: A registry that does not answer is often back at once; a missing tag is not.
GRACE = timedelta(seconds=30)

NVIDIA = "nvcr.io"

_REASONS = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
}
_UNAUTHORISED = re.compile(
    r"401|403|[Uu]nauthorized|[Ff]orbidden|authentication required|authorization failed|access denied|denied:"
)
_ABSENT = re.compile(r"not found|manifest unknown|does not exist|NotFound|name unknown")
_SILENT = re.compile(
    r"timeout|no such host|x509|connection (?:refused|reset)|network is unreachable|TLS handshake|dial tcp|EOF"
)
_FULL = re.compile(r"no space left|disk quota exceeded")


def find(
    status: ContainerStatus, events: Sequence[Event], reference: str, since: datetime | None
) -> Finding | None:
    """Why this container's image is not there; None when it is, or is still being pulled."""
    waiting = status.state.waiting if status.state else None
    if waiting is None or waiting.reason not in _REASONS:
        return None
    told = _told(waiting.message, events)
    host = registry_of(reference)
    if waiting.reason == "InvalidImageName":
        return _finding("image-name", f"{reference} is not the name of an image.", _CHECK)
    if waiting.reason == "ErrImageNeverPull":
        sentence = f"{reference} is not on the node, and the cluster's policy forbids pulling it."
        return _finding("image-policy", sentence, "Load the image onto the nodes, or change the policy.")
    if waiting.reason == "SignatureValidationFailed":
        sentence = f"Cannot pull {reference}: its signature is not valid here."
        return _finding("image-signature", sentence, "Use a signed image, or change the signature policy.")
    if _FULL.search(told):
        sentence = f"Cannot pull {reference}: the node's disk is full. An engine's image takes 10 to 25 GB."
        return _finding("image-disk", sentence, "Free space on the node's image disk, or make it larger.")
    if "does not exist" in told and _UNAUTHORISED.search(told):
        sentence = f"Cannot pull {reference}: the repository does not exist, or needs credentials."
        remedy = f"Check the image; {_lower(_credentials(host))}"
        return _finding("image-unauthorised", sentence, remedy)
    if _ABSENT.search(told):
        sentence = f"Cannot pull {reference}: the image or tag does not exist."
        return _finding("image-not-found", sentence, _CHECK)
    if _UNAUTHORISED.search(told):
        status_code = "403 forbidden" if "403" in told else "401 unauthorised"
        sentence = f"Cannot pull {reference}: {status_code}."
        return _finding("image-unauthorised", sentence, _credentials(host))
    if _SILENT.search(told):
        sentence = f"Cannot pull {reference}: the node does not reach {host}."
        remedy = "Check the nodes' network, proxy and certificates, or mirror the image."
        return _finding("image-registry", sentence, remedy, since, GRACE)
    why = f": {brief(told)}" if told else ""
    return _finding("image", f"Cannot pull {reference}{why}.", _CHECK, since, GRACE)


_CHECK = "Check the image and the tag, then save a new revision."


def registry_of(reference: str) -> str:
    """The registry's host in an image reference; Docker Hub when it names none."""
    first, slash, _rest = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first
    return "docker.io"


def _credentials(host: str) -> str:
    if host == NVIDIA:
        return (
            "Set a valid NGC key for the cluster or the model: nvcr.io takes it as the password of the user "
            "$oauthtoken, and the key needs access to this image."
        )
    return f"Give the cluster credentials for {host}."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _finding(
    code: str, sentence: str, remedy: str, since: datetime | None = None, grace: timedelta = timedelta(0)
) -> Finding:
    return Finding(Rank.IMAGE, code, sentence, remedy, since, grace)


def _told(message: str, events: Sequence[Event]) -> str:
    """While the kubelet backs off, its message only says so; the reason is then in the event."""
    failed = latest([event for event in events if "Error: " not in (event.message or "")], "Failed")
    if message.startswith("Back-off") and failed is not None and failed.message:
        return failed.message
    return message or (failed.message if failed and failed.message else "")
