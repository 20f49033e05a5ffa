"""The steps of a rollout with the time each took, from the changes of phase that were recorded.

Phases come back: a pod that crashes loads its weights again, and a failure belongs to the step in which it happened.
So the time of a step is the sum over all its turns, and a failed step goes on until something else follows.
Pure: no Django, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

from deployments.vocabulary import ROLLOUT_STEPS, Phase, Tone

#: The steps of a revision that replaces running replicas one after the other.
UPDATE_STEPS = (Phase.QUEUED, Phase.UPDATING, Phase.SERVING)

_TICK = timedelta(milliseconds=1)
_NARROWEST = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Change:
    """At this moment the phase became `after`."""

    at: datetime
    after: Phase
    rollout: object = None
    """Tells the rollouts of a history apart."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the timeline."""

    label: str
    tone: Tone
    elapsed: timedelta | None
    """None: not started."""
    expected: timedelta | None = None
    note: str = ""
    fill: Decimal | None = None
    """Width of the bar in percent of the longest step, where nothing is expected; None: time against expected."""


@dataclass(frozen=True, slots=True)
class Spent:
    """How a rollout went so far."""

    times: Mapping[Phase, timedelta]
    """Only steps that were seen."""
    at: Phase
    """The step in which it is, or in which it failed or came to rest."""
    order: tuple[Phase, ...]
    """The steps of this kind of rollout."""


def spent(changes: Sequence[Change], now: datetime) -> Spent:
    """Time per step; `changes` of one rollout, oldest first."""
    times: dict[Phase, timedelta] = {}
    order = _order(changes)
    step = order[0]
    for position, change in enumerate(changes):
        if change.after in order:
            step = change.after
        elif change.after is Phase.DEGRADED:
            step = Phase.SERVING
        elif change.after not in (Phase.FAILED, Phase.UPDATING):
            continue
        until = changes[position + 1].at if position + 1 < len(changes) else now
        times[step] = times.get(step, timedelta(0)) + max(until - change.at, timedelta(0))
    return Spent(times, step, order)


def _order(changes: Sequence[Change]) -> tuple[Phase, ...]:
    phases = {change.after for change in changes}
    one_by_one = Phase.UPDATING in phases and not phases & {Phase.SCHEDULING, Phase.PULLING, Phase.LOADING}
    return UPDATE_STEPS if one_by_one else ROLLOUT_STEPS


def steps(
    changes: Sequence[Change],
    phase: Phase,
    now: datetime,
    *,
    expected: Mapping[Phase, timedelta] | None = None,
    note: str = "",
) -> list[Step]:
    """The timeline of one rollout that is in `phase` now; `note` goes with the step that matters."""
    so_far = spent(changes, now)
    # What first rollouts took says nothing about replacing replicas one after the other.
    known = expected or {} if so_far.order == ROLLOUT_STEPS else {}
    reached = so_far.order.index(so_far.at)
    longest = max((time for step, time in so_far.times.items() if step is not Phase.SERVING), default=_TICK)
    lines = []
    for place, step in enumerate(so_far.order):
        elapsed: timedelta | None = so_far.times.get(step, timedelta(0) if place < reached else None)
        here = place == reached
        if place > reached:
            tone, elapsed = Tone.IDLE, None
        elif not here:
            tone = Tone.GOOD
        elif phase is Phase.FAILED:
            tone = Tone.BAD
        elif step is Phase.SERVING:
            tone = Tone.WARN if phase in (Phase.DEGRADED, Phase.UNKNOWN) else Tone.GOOD
        else:
            tone = Tone.BUSY if phase.is_moving else Tone.WARN if phase.needs_attention else Tone.IDLE
        lines.append(
            Step(
                label=step.label,
                tone=tone,
                elapsed=elapsed,
                # Serving is where it ends: there is nothing to be late for.
                expected=None if step is Phase.SERVING else known.get(step),
                fill=_fill(step, elapsed, longest, known),
                note=note if here and tone in (Tone.BAD, Tone.WARN, Tone.BUSY) else "",
            )
        )
    return lines


def _fill(
    step: Phase, elapsed: timedelta | None, longest: timedelta, known: Mapping[Phase, timedelta]
) -> Decimal | None:
    if step is Phase.SERVING:
        return Decimal(0)
    if step in known or elapsed is None:
        return None
    share = Decimal(elapsed // _TICK * 100) / max(longest // _TICK, 1)
    return min(max(share.quantize(Decimal("0.1")), _NARROWEST), Decimal(100))


def expected(history: Iterable[Change]) -> tuple[dict[Phase, timedelta], int]:
    """The median time per step over the rollouts that went straight to serving, and how many those were."""
    rollouts: dict[object, list[Change]] = {}
    for change in history:
        rollouts.setdefault(change.rollout, []).append(change)
    straight = [found for found in map(_to_serving, rollouts.values()) if found]
    times: dict[Phase, list[timedelta]] = {}
    for changes in straight:
        for step, time in spent(changes, changes[-1].at).times.items():
            if step is not Phase.SERVING:
                times.setdefault(step, []).append(time)
    return {step: _TICK * round(median(t // _TICK for t in found)) for step, found in times.items()}, len(
        straight
    )


def _to_serving(changes: list[Change]) -> list[Change]:
    """The changes up to the first serving, or nothing when it failed before or never got there."""
    ordered = sorted(changes, key=lambda change: change.at)
    for position, change in enumerate(ordered):
        if change.after is Phase.SERVING:
            return ordered[: position + 1] if position else []
        if change.after not in ROLLOUT_STEPS:
            return []
    return []
