"""Volumes that are made larger: how far that is, and what keeps one from it, beside a status that goes on serving."""

from dataclasses import replace
from typing import Any

import pytest

from deployments.seen import Status
from deployments.status import judge
from deployments.vocabulary import Phase
from tests.deployments.status.build import NOW, claim, pod, seen, spec

WANTED = replace(spec(3), engine=replace(spec(3).engine, volume="200Gi"))


def judged(*sizes: str, conditions: list[dict[str, Any]] | None = None) -> Status:
    """Three ready replicas; the conditions are those of the last claim."""
    claims = [claim(i, "Bound", capacity={"storage": size}) for i, size in enumerate(sizes)]
    if conditions:
        claims[-1]["status"]["conditions"] = conditions
    ready = [pod(i, ready=True) for i in range(3)]
    return judge(seen(*ready, wanted=WANTED, claims=claims), NOW)


def test_the_progress_is_told_while_replicas_serve() -> None:
    status = judged("200Gi", "200Gi", "100Gi", conditions=[{"type": "Resizing", "status": "True"}])
    assert status.phase is Phase.SERVING
    assert status.remarks == ("2 of 3 volumes have 200Gi.",)


@pytest.mark.parametrize("sizes", [("200Gi",) * 3, ("200Gi", "204800Mi", "250Gi"), ()])
def test_volumes_that_are_large_enough_are_not_mentioned(sizes: tuple[str, ...]) -> None:
    assert judged(*sizes).remarks == ()


@pytest.mark.parametrize("type", ["ControllerResizeError", "NodeResizeError"])
def test_a_volume_that_cannot_grow_says_why(type: str) -> None:
    failed = {"type": type, "status": "True", "message": "quota of the provider is used up"}
    status = judged("200Gi", "200Gi", "100Gi", conditions=[failed])
    assert status.phase is Phase.SERVING
    assert status.remarks[1] == (
        "Volume data-md-chat-2 cannot grow: quota of the provider is used up. "
        "Ask the storage's operator: nothing is lost, and the replicas go on."
    )
    over = judged("200Gi", "200Gi", "100Gi", conditions=[failed | {"status": "False"}])
    assert len(over.remarks) == 1


def test_a_file_system_that_waits_for_its_pod_is_told_with_what_finishes_it() -> None:
    status = judged(
        "200Gi", "200Gi", "100Gi", conditions=[{"type": "FileSystemResizePending", "status": "True"}]
    )
    assert "its file system not yet" in status.remarks[1]
    assert "Restart the deployment" in status.remarks[1]
