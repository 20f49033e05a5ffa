"""What became of a revision follows from the phases that were recorded while it was the newest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployments.history.outcomes import Seen, of_earlier, of_newest
from deployments.vocabulary import Phase, Tone

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def seen(*phases: Phase) -> Mapping[Phase, Seen]:
    """Came into each phase, one minute after the other."""
    return {
        phase: Seen(NOON + timedelta(minutes=minute), f"{phase.label}.")
        for minute, phase in enumerate(phases)
    }


@pytest.mark.parametrize(
    ("phases", "more", "label", "sentence", "tone"),
    [
        ((Phase.LOADING, Phase.SERVING), {}, "Superseded", "", Tone.IDLE),
        ((Phase.FAILED, Phase.SERVING), {}, "Superseded", "", Tone.IDLE),
        ((Phase.SERVING, Phase.FAILED), {}, "Failed", "Rollout failed.", Tone.BAD),
        ((Phase.LOADING, Phase.FAILED), {}, "Failed", "Rollout failed.", Tone.BAD),
        ((Phase.LOADING,), {}, "Superseded", "It was replaced before it served.", Tone.IDLE),
        ((), {}, "Never applied", "Nothing of it was seen in the cluster.", Tone.IDLE),
        ((), {"touches_pods": False}, "Superseded", "It restarted no pod.", Tone.IDLE),
        (
            (Phase.SERVING,),
            {"serves": True},
            "Serving",
            "It serves until the newest revision does.",
            Tone.GOOD,
        ),
    ],
)
def test_an_earlier_revision(
    phases: tuple[Phase, ...], more: dict[str, Any], label: str, sentence: str, tone: Tone
) -> None:
    found = of_earlier(seen(*phases), **more)
    assert (found.label, found.sentence, found.tone) == (label, sentence, tone)


@pytest.mark.parametrize("phase", Phase)
def test_the_newest_stands_where_the_deployment_stands(phase: Phase) -> None:
    found = of_newest(phase, "Why.")
    assert (found.tone, found.label, found.icon) == (phase.tone, phase.label, phase.icon)
    assert found.sentence == ("Why." if phase.needs_attention else "")
