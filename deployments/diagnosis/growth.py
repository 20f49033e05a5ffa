"""Volumes that are being made larger: how far that is, and what keeps one from it. Pure.

Replicas serve all the while, so this is said beside the status and changes no phase.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deployments import quantity
from deployments.diagnosis.finding import brief
from deployments.kube.decode import Claim

FAILED = ("ControllerResizeError", "NodeResizeError")
_REMEDY = "Ask the storage's operator: nothing is lost, and the replicas go on."


def remarks(claims: Sequence[Claim], wanted: str) -> Iterator[str]:
    """How many volumes have the wanted size, while one that is in use has less; then why not, each once."""
    # Nearly always every volume has just the wanted size, in the same words: nothing is reckoned then.
    if all((claim.status.capacity or {}).get("storage") == wanted for claim in claims):
        return
    size = _bytes(wanted)
    bound = [claim for claim in claims if claim.status.phase == "Bound" and _capacity(claim)]
    small = [claim for claim in bound if _capacity(claim) < size]
    if not small:
        return
    yield f"{len(bound) - len(small)} of {len(bound)} volumes have {wanted}."
    for claim in small:
        if told := obstacle(claim):
            yield told


def obstacle(claim: Claim) -> str:
    """What keeps one volume from its new size, with the remedy; empty while it is simply on its way."""
    for condition in claim.status.conditions or ():
        if condition.status != "True":
            continue
        name = claim.metadata.name
        if condition.type in FAILED:
            told = brief(condition.message or "no reason is given")
            return f"Volume {name} cannot grow: {told}. {_REMEDY}"
        if condition.type == "FileSystemResizePending":
            return (
                f"Volume {name} is larger, its file system not yet: its replica's node does that, "
                "at the latest when the replica starts again. Restart the deployment if it does not."
            )
    return ""


def _capacity(claim: Claim) -> int:
    return _bytes(str((claim.status.capacity or {}).get("storage", "")))


def _bytes(text: str) -> int:
    """0 for what is not a quantity."""
    try:
        return quantity.to_bytes(text)
    except ValueError:
        return 0
