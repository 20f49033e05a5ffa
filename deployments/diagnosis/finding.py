"""What a look at one replica can find, and how findings are weighed against each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum

from deployments.kube.decode import Event

LONGEST_SENTENCE = 480


class Rank(IntEnum):
    """When several things are wrong, the one that comes first in a pod's life explains the others."""

    REFUSED = 0
    SCHEDULING = 1
    STORAGE = 2
    IMAGE = 3
    CONFIGURATION = 4
    CRASH = 5
    PROBE = 6
    OPERATOR = 7


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that keeps replicas from serving."""

    rank: Rank
    code: str
    """A stable word for it."""
    sentence: str
    """What is the matter, naming the object and the number; ends with a full stop."""
    remedy: str
    since: datetime | None = None
    grace: timedelta = timedelta(0)
    """For so long it may still pass by itself; until then the rollout counts as moving."""
    quiet: bool = False
    """Nothing is said of it before its grace is over: it is what a start looks like."""
    replicas: tuple[str, ...] = ()
    """Names of the pods that it keeps from serving."""

    def is_fatal(self, now: datetime) -> bool:
        return not self.grace or self.since is None or now - self.since >= self.grace

    def of(self, replica: str) -> Finding:
        return replace(self, replicas=(replica,))


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Equal findings of several replicas as one, the most important first; the earliest beginning counts."""
    by_message: dict[tuple[Rank, str, str], Finding] = {}
    for finding in findings:
        key = (finding.rank, finding.code, finding.sentence)
        known = by_message.get(key)
        if known is not None:
            starts = [at for at in (known.since, finding.since) if at]
            replicas = tuple(dict.fromkeys(known.replicas + finding.replicas))
            finding = replace(known, since=min(starts, default=None), replicas=replicas)
        by_message[key] = finding
    return sorted(
        by_message.values(), key=lambda finding: (finding.rank, -len(finding.replicas), finding.sentence)
    )


def latest(events: Sequence[Event], *reasons: str) -> Event | None:
    """The newest event with one of these reasons."""
    found: Event | None = None
    for event in events:
        if event.reason in reasons and (found is None or _later(event, found)):
            found = event
    return found


def _later(one: Event, other: Event) -> bool:
    return other.at is None or (one.at is not None and one.at >= other.at)


def brief(text: str, longest: int = 200) -> str:
    """Foreign text in one line, cut, without its full stop: it becomes part of a sentence of ours."""
    line = " ".join(text.split())
    if len(line) > longest:
        line = line[:longest].rstrip() + "…"
    return line.rstrip(".")
