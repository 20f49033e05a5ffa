"""From what was seen of a deployment to what is said about it: phase, one sentence, one remedy.

Level-triggered: the status follows from the objects, the events and the clock of one look, never from an earlier
status. (Of the look before only the phase and the numbers count, to tell a replica that was lost from one that has
not come up yet.) And never greener than the truth: *serving* needs every wanted replica ready at the present
revision, on a workload whose controller has seen it. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from deployments.diagnosis import operators
from deployments.diagnosis.finding import LONGEST_SENTENCE, Finding, Rank, merged
from deployments.look import Look
from deployments.look import replicas_text as _replicas
from deployments.seen import ReplicaStatus, Seen, Status
from deployments.vocabulary import ROLLOUT_STEPS, DesiredState, Phase

#: An observation older than this is not believed: what it said may have changed since.
TRUSTED_FOR = timedelta(seconds=60)


def judge(seen: Seen, now: datetime) -> Status:
    """What to say about a deployment. `now` is aware."""
    look = Look(seen, now)
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
        scaling=look.scaling(),
        volumes=look.volumes(),
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


def _deleting(look: Look) -> _Said | None:
    if look.seen.desired is not DesiredState.DELETED:
        return None
    if refusal := look.seen.refusal:
        return Phase.DELETING, refusal.sentence, refusal.remedy, refusal.code
    workload = look.workload
    held_since = workload.metadata.deletion_timestamp if workload is not None and workload.operator else None
    if workload is not None and held_since and look.now - held_since >= operators.ACTS_WITHIN:
        # Its finalizer keeps the object until its operator has cleaned up.
        sentence = f"The {workload.operator} has not let go of it since {held_since:%H:%M} UTC."
        return Phase.DELETING, sentence, operators.look_at(workload), "operator-holds"
    if look.seen.unreadable:
        return Phase.DELETING, look.seen.unreadable, _UNREADABLE, "unreadable"
    left = [f"{_replicas(len(look.replicas))}"] if look.replicas else []
    left += ["the workload"] if look.workload is not None else []
    left += [f"{len(look.seen.claims)} volumes"] if look.seen.claims else []
    sentence = f"Still in the cluster: {', '.join(left)}." if left else "The last objects are going."
    return Phase.DELETING, sentence, "", "deleting"


def _unreadable(look: Look) -> _Said | None:
    """The objects that an operator runs could not be listed, so nothing about them is known."""
    if not look.seen.unreadable:
        return None
    return Phase.UNKNOWN, look.seen.unreadable, _UNREADABLE, "unreadable"


_UNREADABLE = (
    "Check that the operator and its webhook run in the cluster, and what the cluster's account may read."
)


def _stopping(look: Look) -> _Said | None:
    if look.seen.desired is not DesiredState.STOPPED:
        return None
    workload = look.workload
    if look.seen.refusal and look.seen.refusal.terminal:
        return Phase.STOPPING, look.seen.refusal.sentence, look.seen.refusal.remedy, look.seen.refusal.code
    silent = look.seen.idle_since
    if workload is not None and silent and look.now - silent >= operators.ACTS_WITHIN:
        sentence = operators.idle(workload, silent)
        return Phase.STOPPING, sentence, operators.look_at(workload), "operator-idle"
    if look.replicas:
        count = len(look.replicas)
        sentence = f"{_replicas(count)} {'is' if count == 1 else 'are'} still stopping."
        return Phase.STOPPING, sentence, "", "stopping"
    if workload is not None and (workload.replicas > 0 or not look.is_written):
        return Phase.STOPPING, "The workload is being scaled to zero.", "", "stopping"
    return Phase.STOPPED, "No replica runs. The configuration and the volumes are kept.", "", "stopped"


def _refused(look: Look) -> _Said | None:
    """The cluster did not take the present revision: nothing that is seen there speaks of it."""
    refusal = look.seen.refusal
    if refusal is None or not refusal.terminal:
        return None
    return Phase.FAILED, _with(refusal.sentence, _still_serving(look)), refusal.remedy, refusal.code


def _serving(look: Look) -> _Said | None:
    workload = look.workload
    if workload is None or not workload.is_ready or not look.is_written:
        return None
    if look.wanted == 0 or not look.is_full or not look.serves:
        return None
    return Phase.SERVING, _ready(look), "", "serving"


def _broken(look: Look) -> _Said | None:
    """Something will not pass by itself."""
    fatal = [finding for finding in merged(look.findings()) if finding.is_fatal(look.now)]
    if not fatal:
        return None
    if waiting := _waiting_for_room(look, fatal):
        return waiting
    worst = fatal[0]
    count = len(worst.replicas)
    prefix = f"{count} of {_replicas(look.wanted)}: " if 0 < count < look.wanted else ""
    sentence = prefix + worst.sentence
    if look.is_updating and (still := _still_serving(look)):
        sentence = _with(f"Revision {look.seen.revision} failed. {sentence}", still)
        return Phase.FAILED, sentence, worst.remedy, worst.code
    if look.serves:
        # Where only the operator is not content, all of them are ready, and it says so itself.
        sentence = sentence if look.ready == look.wanted else f"{sentence} {_ready(look)}"
        return Phase.DEGRADED, sentence, worst.remedy, worst.code
    return Phase.FAILED, sentence, worst.remedy, worst.code


def _waiting_for_room(look: Look, fatal: list[Finding]) -> _Said | None:
    """One more starts before an old one goes. While no node takes it nothing is lost: the old ones all serve."""
    extra = look.waiting_extra
    if extra is None or look.ready < look.wanted or not all(f.rank is Rank.SCHEDULING for f in fatal):
        return None
    still = _still_serving(look)
    if not still:
        return None
    for_gpu = fatal[0].code == "gpu"
    what = f"The extra replica of revision {look.seen.revision} waits for a {'GPU' if for_gpu else 'node'}."
    sentence = what if for_gpu else f"{what} {fatal[0].sentence}"
    remedy = f"{'Free a GPU' if for_gpu else fatal[0].remedy.rstrip('.')}, or choose Replace in place."
    return Phase.UPDATING, _with(sentence, still), remedy, "surge-waits"


def _unwritten(look: Look) -> _Said | None:
    """Nothing of the deployment is in the cluster yet, or no longer."""
    if look.replicas or look.workload is not None:
        return None
    refusal = look.seen.refusal
    if refusal is not None:
        return Phase.QUEUED, refusal.sentence, refusal.remedy, refusal.code
    if look.seen.last_phase in _UP:
        return Phase.QUEUED, "The workload is gone from the cluster. Slipway writes it again.", "", "gone"
    return Phase.QUEUED, "Waiting to be written to the cluster.", "", "queued"


def _rolling_out(look: Look) -> _Said | None:
    """Replicas serve, and others are on their way: a new revision, or another number of them."""
    if not look.serves:
        return None
    changing = (
        look.is_updating or look.wanted != look.seen.last_wanted or look.seen.last_phase is Phase.UPDATING
    )
    if not look.is_written and look.seen.refusal is not None:
        sentence = look.seen.refusal.sentence
    elif look.workload is None:
        sentence = f"{_ready(look)} Their workload is not there: Slipway writes it again."
    elif not look.pods_tell:
        # What is ready belongs to the revision before, whatever its own workload calls present.
        sentence = f"Revision {look.seen.revision} is being written to the cluster. {_ready(look)}"
    elif look.is_updating:
        sentence = f"{look.ready_current} of {_replicas(look.wanted)} ready at revision {look.seen.revision}."
    else:
        sentence = _ready(look)
    coming = _coming(look)
    if look.is_updating or (changing and look.seen.last_phase in _UP):
        return Phase.UPDATING, f"{sentence}{coming}", "", "updating"
    if look.seen.last_phase in (Phase.SERVING, Phase.DEGRADED):
        finding = _passing(look)
        because = f" {finding.sentence}" if finding else coming
        return Phase.DEGRADED, f"{sentence}{because}", finding.remedy if finding else "", "degraded"
    return Phase.LOADING, f"{sentence}{coming}", "", "loading"


def _coming_up(look: Look) -> _Said:
    """Nothing serves; the phase is that of the replica of the present revision that has come furthest."""
    up = look.seen.last_phase in _UP
    refusal, workload = look.seen.refusal, look.workload
    if not look.is_written and refusal is not None:
        return Phase.UPDATING if up else Phase.QUEUED, refusal.sentence, refusal.remedy, refusal.code
    if not look.pods_tell:
        sentence = f"Revision {look.seen.revision} is being written to the cluster."
        return Phase.UPDATING if up else Phase.QUEUED, sentence, "", "writing"
    waiting = [replica for replica in look.current if not replica.is_ready]
    furthest = max(waiting, key=lambda replica: ROLLOUT_STEPS.index(replica.step), default=None)
    finding = _passing(look)
    if furthest is None:
        if finding is not None:
            return Phase.UPDATING if up else Phase.QUEUED, finding.sentence, finding.remedy, finding.code
        makes = "The cluster is making the replicas."
        if workload is not None and look.seen.idle_since:
            makes = f"Waiting for the {workload.operator} to act on revision {look.seen.revision}."
        return Phase.UPDATING if up else Phase.QUEUED, makes, "", "making"
    phase = Phase.LOADING if furthest.step is Phase.SERVING else furthest.step
    if finding is not None:
        return phase, finding.sentence, finding.remedy, finding.code
    since = f" since {furthest.since:%H:%M:%S} UTC" if furthest.since else ""
    sentence = f"{furthest.status.label}{since}."
    if phase is Phase.PULLING:
        sentence += " An engine's image takes 10 to 25 GB."
    return phase, sentence, "", phase.value


_RULES: tuple[Callable[[Look], _Said | None], ...] = (
    _deleting,
    _unreadable,
    _stopping,
    _refused,
    _serving,
    _broken,
    _unwritten,
    _rolling_out,
    _coming_up,
)


def _passing(look: Look) -> Finding | None:
    """The most important of what may still pass by itself."""
    return next((finding for finding in merged(look.findings()) if not finding.quiet), None)


def _coming(look: Look) -> str:
    """What the replicas that do not serve yet are doing."""
    waiting = [replica for replica in look.staying if not replica.is_ready]
    if waiting:
        replica = max(waiting, key=lambda each: ROLLOUT_STEPS.index(each.step))
        return f" {replica.status.name}: {replica.status.label.lower()}."
    missing = look.wanted - len(look.staying)
    workload = look.workload
    if missing <= 0 and workload is not None and workload.operator and not workload.is_ready:
        return f" Waiting for the {workload.operator} to say so."
    return f" {_replicas(missing)} {'is' if missing == 1 else 'are'} being made." if missing > 0 else ""


def _ready(look: Look) -> str:
    return f"{look.ready} of {_replicas(look.wanted)} ready."


def _still_serving(look: Look) -> str:
    """What is left of the revision before; empty when none of it serves."""
    number, count = look.left_serving
    if not count:
        return ""
    which = f"Revision {number}" if number else "The revision before"
    return f"{which} still serves, with {count} of {_replicas(look.wanted)}."


def _with(sentence: str, ending: str) -> str:
    """Both; of a sentence that is too long, the middle is cut and never the ending."""
    if not ending:
        return sentence
    room = LONGEST_SENTENCE - len(ending) - 2
    return f"{sentence if len(sentence) <= room else sentence[:room].rstrip() + '…'} {ending}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SENTENCE else text[:LONGEST_SENTENCE].rstrip() + "…"


__all__ = ["ReplicaStatus", "Seen", "Status", "is_trusted", "judge", "unreachable"]
