"""What became of a revision, from the changes of phase that were recorded while it was the newest. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from deployments.vocabulary import Phase, Tone

_SERVED = (Phase.SERVING, Phase.DEGRADED)


@dataclass(frozen=True, slots=True)
class Seen:
    """The last time that a revision came into a phase."""

    at: datetime
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    tone: Tone
    label: str
    sentence: str = ""
    icon: str = ""
    """Empty: that of the tone."""


def of_newest(phase: Phase, sentence: str) -> Outcome:
    """The present revision stands where the deployment stands."""
    return Outcome(phase.tone, phase.label, sentence if phase.needs_attention else "", phase.icon)


def of_earlier(phases: Mapping[Phase, Seen], *, serves: bool = False, touches_pods: bool = True) -> Outcome:
    """A revision that another one followed.

    `serves`: a replica of it is ready now. `touches_pods`: it was another one for replicas than the one before.
    """
    if serves:
        return Outcome(Tone.GOOD, "Serving", "It serves until the newest revision does.")
    served = max((phases[phase].at for phase in _SERVED if phase in phases), default=None)
    failed = phases.get(Phase.FAILED)
    if failed is not None and (served is None or failed.at > served):
        return Outcome(Tone.BAD, "Failed", failed.sentence)
    if served is not None:
        return Outcome(Tone.IDLE, "Superseded")
    if not touches_pods:
        return Outcome(Tone.IDLE, "Superseded", "It restarted no pod.")
    if not phases:
        return Outcome(Tone.IDLE, "Never applied", "Nothing of it was seen in the cluster.")
    return Outcome(Tone.IDLE, "Superseded", "It was replaced before it served.")
