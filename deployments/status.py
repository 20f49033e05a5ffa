"""From what was seen of a deployment to what is said about it: phase, one sentence, one remedy.

Level-triggered: the status follows from the objects, the events and the clock of one look, never from an earlier
status. (Of the look before only the phase and the numbers count, to tell a replica that was lost from one that has
not come up yet.) And never greener than the truth: *serving* needs every wanted replica ready at the present
revision, on a workload whose controller has seen it. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from deployments.diagnosis import scaling
from deployments.diagnosis import workload as workload_diagnosis
from deployments.diagnosis.finding import LONGEST_SENTENCE, Finding, merged
from deployments.diagnosis.storage import find_in_claim
from deployments.replicas import Replica, look_at
from deployments.seen import EventLine, Evidence, ReplicaStatus, Seen, Status
from deployments.vocabulary import ROLLOUT_STEPS, DesiredState, Phase

#: An observation older than this is not believed: what it said may have changed since.
TRUSTED_FOR = timedelta(seconds=60)
#: A pod on its way out for longer than this is stuck: the longest grace that we ask for, and some more.
STUCK_AFTER = timedelta(minutes=5)
MOST_EVENTS = 20
MOST_LOG_LINES = 40


def judge(seen: Seen, now: datetime) -> Status:
    """What to say about a deployment. `now` is aware."""
    look = _Look(seen, now)
    for rule in _RULES:
        said = rule(look)
        if said is not None:
            break
    else:  # the last rule always answers
        raise AssertionError("no rule answered")
    phase, sentence, remedy, code = said
    return Status(
        phase=phase,
        sentence=_cut(sentence),
        remedy=_cut(remedy),
        code=code,
        ready=look.ready,
        wanted=look.wanted,
        revision=seen.revision,
        serving_revision=look.serving_revision,
        replicas=tuple(replica.status for replica in look.replicas),
        remarks=tuple(look.remarks()),
        evidence=look.evidence(),
        observed_at=seen.observed_at,
    )


def is_trusted(observed_at: datetime | None, now: datetime) -> bool:
    """Whether an observation is young enough to be shown as the present state."""
    return observed_at is not None and now - observed_at <= TRUSTED_FOR


def unreachable(cluster: str, since: datetime, reason: str, last: str) -> tuple[str, str]:
    """(sentence, remedy) for a deployment on a cluster that does not answer."""
    why = reason.rstrip(".")
    known = f" Last known: {last}." if last else ""
    sentence = (
        f"Cluster {cluster} has not answered since {since:%H:%M} UTC: {why[:1].lower()}{why[1:]}.{known}"
    )
    return _cut(
        sentence
    ), "Check that the cluster runs and that its address can be reached from this console."


#: Phases after which something that does not serve was lost, not merely not there yet.
_UP = (Phase.SERVING, Phase.DEGRADED, Phase.UPDATING)

_Said = tuple[Phase, str, str, str]
"""(phase, sentence, remedy, code)."""


class _Look:
    """One look at a deployment: what was seen, and what follows from it for every rule."""

    def __init__(self, seen: Seen, now: datetime) -> None:
        self.seen, self.now = seen, now
        self.workload = seen.workload
        self.wanted = self._wanted()
        self.replicas: list[Replica] = [look_at(pod, seen, now) for pod in sorted(seen.pods, key=_ordinal)]
        self.staying = [replica for replica in self.replicas if not replica.is_going]
        self.ready = sum(replica.is_ready for replica in self.staying)
        self.current = [replica for replica in self.staying if replica.is_current]
        self.ready_current = sum(replica.is_ready for replica in self.current)

    @property
    def is_written(self) -> bool:
        """The workload is there, carries the present revision, and its controller has seen that."""
        workload = self.workload
        return (
            workload is not None
            and workload.metadata.deletion_timestamp is None
            and self.seen.applied_revision >= self.seen.revision
            and workload.observed_generation >= workload.metadata.generation
        )

    @property
    def is_updating(self) -> bool:
        """Something older than the present revision still runs or is still ordered."""
        return not self.is_written or len(self.current) < len(self.staying)

    @property
    def serving_revision(self) -> int | None:
        """The newest revision of which a replica is ready."""
        return max((r.status.revision or 0 for r in self.staying if r.is_ready), default=0) or None

    def findings(self) -> Iterator[Finding]:
        """What keeps replicas of the present revision from serving; those of the one before are on their way out."""
        seen = self.seen
        if not self.is_written:
            return
        if self.workload is not None and len(self.staying) < self.wanted:
            events = seen.events_of(self.workload.kind, self.workload.metadata.name)
            refused = workload_diagnosis.find(events, seen.asked_at, self.now)
            if refused:
                yield refused
        running = {replica.status.name for replica in self.staying if replica.has_started}
        for claim in seen.claims:
            if claim.status.phase == "Bound" and not claim.status.conditions:
                continue
            # "data-md-chat-0" belongs to pod "md-chat-0"; one that runs has its volume.
            pod = claim.metadata.name.partition("-")[2]
            finding = find_in_claim(claim, seen.events_of("PersistentVolumeClaim", claim.metadata.name))
            if finding and (pod not in running or finding.code == "volume-resize"):
                yield finding.of(pod)
        for replica in self.current:
            if replica.finding is not None:
                yield replica.finding

    def remarks(self) -> Iterator[str]:
        if self.seen.desired is DesiredState.RUNNING and (told := scaling.remark(self.seen.autoscaler)):
            yield told
        for replica in self.replicas:
            if replica.is_going and self.now - (replica.going_since or self.now) > STUCK_AFTER:
                yield (
                    f"{replica.status.name} has been stopping for more than {STUCK_AFTER.seconds // 60} min: "
                    "its node may be down."
                )

    def evidence(self) -> Evidence:
        events = sorted(self.seen.events, key=lambda event: event.at.timestamp() if event.at else 0.0)[
            -MOST_EVENTS:
        ]
        worst = next((r for r in self.staying if r.finding and self.seen.logs.get(r.status.name)), None)
        log = self.seen.logs.get(worst.status.name, ()) if worst else ()
        return Evidence(
            events=tuple(
                EventLine(
                    at=event.at,
                    kind=event.involved_object.kind,
                    name=event.involved_object.name,
                    reason=event.reason or "",
                    message=" ".join((event.message or "").split())[:500],
                    times=event.times,
                    warning=event.type == "Warning",
                )
                for event in reversed(events)
            ),
            log=tuple(line[:500] for line in log[-MOST_LOG_LINES:]),
            log_of=worst.status.name if worst else "",
        )

    def still_serving(self) -> str:
        """What is left of the revision before, as a sentence to append."""
        old = [replica for replica in self.staying if replica.is_ready and not replica.is_current]
        if not old:
            return ""
        number = max((replica.status.revision or 0 for replica in old), default=0)
        which = f"Revision {number}" if number else "The revision before"
        return f" {which} still serves, with {len(old)} of {_replicas(self.wanted)}."

    def _wanted(self) -> int:
        spec = self.seen.spec
        if self.seen.desired is not DesiredState.RUNNING:
            return 0
        if not spec.autoscaling.enabled:
            return spec.engine.replicas
        live = self.workload.replicas if self.workload is not None else 0
        return max(live, spec.autoscaling.min_replicas)


def _deleting(look: _Look) -> _Said | None:
    if look.seen.desired is not DesiredState.DELETED:
        return None
    if refusal := look.seen.refusal:
        return Phase.DELETING, refusal.sentence, refusal.remedy, refusal.code
    left = [f"{_replicas(len(look.replicas))}"] if look.replicas else []
    left += ["the workload"] if look.workload is not None else []
    left += [f"{len(look.seen.claims)} volumes"] if look.seen.claims else []
    sentence = f"Still in the cluster: {', '.join(left)}." if left else "The last objects are going."
    return Phase.DELETING, sentence, "", "deleting"


def _stopping(look: _Look) -> _Said | None:
    if look.seen.desired is not DesiredState.STOPPED:
        return None
    workload = look.workload
    if look.seen.refusal and look.seen.refusal.terminal:
        return Phase.STOPPING, look.seen.refusal.sentence, look.seen.refusal.remedy, look.seen.refusal.code
    if look.replicas:
        count = len(look.replicas)
        sentence = f"{_replicas(count)} {'is' if count == 1 else 'are'} still stopping."
        return Phase.STOPPING, sentence, "", "stopping"
    if workload is not None and (workload.replicas > 0 or not look.is_written):
        return Phase.STOPPING, "The workload is being scaled to zero.", "", "stopping"
    return Phase.STOPPED, "No replica runs. The configuration and the volumes are kept.", "", "stopped"


def _refused(look: _Look) -> _Said | None:
    """The cluster did not take the present revision: nothing that is seen there speaks of it."""
    refusal = look.seen.refusal
    if refusal is None or not refusal.terminal:
        return None
    return Phase.FAILED, refusal.sentence + look.still_serving(), refusal.remedy, refusal.code


def _serving(look: _Look) -> _Said | None:
    full = look.ready_current == len(look.current) == len(look.staying) == look.wanted
    if not full or not look.is_written or look.wanted == 0:
        return None
    return Phase.SERVING, f"{look.ready} of {_replicas(look.wanted)} ready.", "", "serving"


def _broken(look: _Look) -> _Said | None:
    """Something will not pass by itself."""
    fatal = [finding for finding in merged(look.findings()) if finding.is_fatal(look.now)]
    if not fatal:
        return None
    worst = fatal[0]
    count = len(worst.replicas)
    prefix = f"{count} of {_replicas(look.wanted)}: " if 0 < count < look.wanted else ""
    sentence = prefix + worst.sentence
    if look.is_updating and (still := look.still_serving()):
        return Phase.FAILED, sentence + still, worst.remedy, worst.code
    if look.ready:
        return Phase.DEGRADED, f"{sentence} {_ready(look)}", worst.remedy, worst.code
    return Phase.FAILED, sentence, worst.remedy, worst.code


def _unwritten(look: _Look) -> _Said | None:
    """Nothing of the deployment is in the cluster yet, or no longer."""
    if look.replicas or look.workload is not None:
        return None
    refusal = look.seen.refusal
    if refusal is not None:
        return Phase.QUEUED, refusal.sentence, refusal.remedy, refusal.code
    if look.seen.last_phase in _UP:
        return Phase.QUEUED, "The workload is gone from the cluster. Slipway writes it again.", "", "gone"
    return Phase.QUEUED, "Waiting to be written to the cluster.", "", "queued"


def _rolling_out(look: _Look) -> _Said | None:
    """Replicas serve, and others are on their way: a new revision, or another number of them."""
    if look.ready == 0:
        return None
    changing = (
        look.is_updating or look.wanted != look.seen.last_wanted or look.seen.last_phase is Phase.UPDATING
    )
    if not look.is_written and look.seen.refusal is not None:
        sentence = look.seen.refusal.sentence
    elif look.is_updating:
        sentence = f"{look.ready_current} of {_replicas(look.wanted)} ready at revision {look.seen.revision}."
    else:
        sentence = _ready(look)
    coming = _coming(look)
    if look.is_updating or (changing and look.seen.last_phase in _UP):
        return Phase.UPDATING, f"{sentence}{coming}", "", "updating"
    if look.seen.last_phase in (Phase.SERVING, Phase.DEGRADED):
        finding = next(iter(merged(look.findings())), None)
        because = f" {finding.sentence}" if finding else coming
        return Phase.DEGRADED, f"{sentence}{because}", finding.remedy if finding else "", "degraded"
    return Phase.LOADING, f"{sentence}{coming}", "", "loading"


def _coming_up(look: _Look) -> _Said:
    """No replica serves; the phase is that of the one of the present revision that has come furthest."""
    if not look.is_written:
        phase = Phase.UPDATING if look.seen.last_phase in _UP else Phase.QUEUED
        if refusal := look.seen.refusal:
            return phase, refusal.sentence, refusal.remedy, refusal.code
        return phase, f"Revision {look.seen.revision} is being written to the cluster.", "", "writing"
    furthest = max(look.current, key=lambda replica: ROLLOUT_STEPS.index(replica.step), default=None)
    if furthest is None:
        phase = Phase.UPDATING if look.seen.last_phase in _UP else Phase.QUEUED
        return phase, "The cluster is making the replicas.", "", "making"
    phase = Phase.LOADING if furthest.step is Phase.SERVING else furthest.step
    finding = next(iter(merged(look.findings())), None)
    if finding is not None:
        return phase, finding.sentence, finding.remedy, finding.code
    sentence = f"{furthest.status.label} since {furthest.since:%H:%M:%S} UTC." if furthest.since else ""
    if phase is Phase.PULLING:
        sentence += " An engine's image takes 10 to 25 GB."
    return phase, sentence.strip(), "", phase.value


_RULES: tuple[Callable[[_Look], _Said | None], ...] = (
    _deleting,
    _stopping,
    _refused,
    _serving,
    _broken,
    _unwritten,
    _rolling_out,
    _coming_up,
)


def _coming(look: _Look) -> str:
    """What the replicas that do not serve yet are doing."""
    waiting = [replica for replica in look.staying if not replica.is_ready]
    if waiting:
        replica = max(waiting, key=lambda each: ROLLOUT_STEPS.index(each.step))
        return f" {replica.status.name}: {replica.status.label.lower()}."
    missing = look.wanted - len(look.staying)
    return f" {_replicas(missing)} {'is' if missing == 1 else 'are'} being made." if missing > 0 else ""


def _ready(look: _Look) -> str:
    return f"{look.ready} of {_replicas(look.wanted)} ready."


def _replicas(count: int) -> str:
    return f"{count} replica{'' if count == 1 else 's'}"


def _ordinal(pod: object) -> tuple[int, str]:
    name: str = pod.metadata.name  # type: ignore[attr-defined]
    tail = name.rpartition("-")[2]
    return (int(tail) if tail.isascii() and tail.isdigit() else 0, name)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SENTENCE else text[:LONGEST_SENTENCE].rstrip() + "…"


__all__ = ["ReplicaStatus", "Seen", "Status", "is_trusted", "judge", "unreachable"]
