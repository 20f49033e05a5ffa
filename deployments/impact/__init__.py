"""What a change will do before it is done: objects written and removed, replicas made anew, capacity meanwhile.

Objects are those that the manifests give for the revision in force and for the new one (objects.py). The sentences are
about the replicas that run now (sentences.py) and their volumes (volumes.py). Pure: no Django, no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deployments import strategy
from deployments.impact import sentences, volumes
from deployments.impact.objects import Object, ObjectChange, Touch, compare
from deployments.impact.sentences import Situation
from deployments.spec import DeploymentSpec
from deployments.strategy import Choice
from deployments.vocabulary import Tone

__all__ = ["Impact", "Object", "ObjectChange", "Situation", "Touch", "compare", "impact"]


@dataclass(frozen=True, slots=True)
class Impact:
    tone: Tone
    title: str
    lines: tuple[tuple[str, str], ...]
    """(what, sentence) in the order of the page."""
    objects: tuple[ObjectChange, ...]
    restarts: bool
    """Replicas that run now are made anew."""

    @property
    def touched(self) -> tuple[ObjectChange, ...]:
        return tuple(change for change in self.objects if change.touch is not Touch.UNTOUCHED)

    @property
    def untouched(self) -> tuple[ObjectChange, ...]:
        return tuple(change for change in self.objects if change.touch is Touch.UNTOUCHED)


def impact(
    before: Sequence[Object],
    after: Sequence[Object],
    old: DeploymentSpec,
    new: DeploymentSpec,
    choice: Choice,
    now: Situation,
) -> Impact:
    """What becomes of a deployment of `old` when `new` is saved and rolls out as `choice` says."""
    objects = tuple(compare(before, after))
    anew = strategy.runs_as(old) != strategy.runs_as(new)
    grown = [] if anew else volumes.lines(old, new)
    if now.stopped:
        title = "It is stopped: nothing runs before it is started"
        return Impact(Tone.IDLE, title, tuple(grown), objects, restarts=False)
    scaled = sentences.scale(old, new, now)
    if anew:
        title = "The engine is replaced: nothing serves until the new one is ready"
        return Impact(Tone.WARN, title, (*sentences.replaced(old, now), *scaled), objects, restarts=True)
    if not any(change.restarts for change in objects):
        return Impact(Tone.GOOD, "No pod restarts", (*scaled, *grown), objects, restarts=False)
    if now.kept:
        title = "No pod that serves restarts"
        objects = tuple(
            replace(each, note="Pods of later revisions go", restarts=False) if each.restarts else each
            for each in objects
        )
        lines = (sentences.serves_already(now), *scaled, *grown)
        return Impact(Tone.GOOD, title, lines, objects, restarts=False)
    title, tone = sentences.restart(new, choice.strategy, now)
    about = (
        ("Order", sentences.order(new, choice.strategy, now)),
        ("Capacity meanwhile", sentences.capacity(new, choice.strategy, now)),
        ("Spare GPU", sentences.spare(new, now.facts)),
    )
    return Impact(tone, title, (*about, *scaled, *grown), objects, restarts=True)
