"""One look at a deployment: what was seen, and what follows from it for every rule of status.py. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from deployments import naming
from deployments.diagnosis import growth, operators, scaling
from deployments.diagnosis import workload as workload_diagnosis
from deployments.diagnosis.finding import Finding
from deployments.diagnosis.storage import find_in_claim
from deployments.kube.decode import Claim, Event, Pod
from deployments.kube.kinds import AUTOSCALER
from deployments.replicas import Replica, look_at
from deployments.seen import EventLine, Evidence, Scaling, Seen, VolumeStatus
from deployments.vocabulary import DesiredState, Engine

#: A pod on its way out for longer than this is stuck: the longest grace that we ask for, and some more.
STUCK_AFTER = timedelta(minutes=5)
MOST_EVENTS = 20
MOST_LOG_LINES = 40
MOST_VOLUMES = 100

#: What every Dynamo graph has besides its workers; it takes no GPU, and alone it serves nothing.
FRONTEND = "frontend"
_ROLES = (FRONTEND, "prefill", "decode", "worker")
#: Pods that an operator has made are made through these.
REPLICA_SET = "ReplicaSet"


class Look:
    """What was seen of one deployment, and the numbers in it."""

    def __init__(self, seen: Seen, now: datetime) -> None:
        self.seen, self.now = seen, now
        self.workload = seen.workload
        self.wanted = self._wanted()
        self.replicas: list[Replica] = [
            look_at(pod, seen, now, extra=self._is_extra(pod)) for pod in sorted(seen.pods, key=_order)
        ]
        self.staying = [replica for replica in self.replicas if not replica.is_going]
        self.current = [replica for replica in self.staying if replica.is_current]
        # One more than wanted is there for the time of a rollout: it makes nothing readier than ready.
        self.ready = self._at_most_wanted(sum(replica.is_ready for replica in self.staying))
        self.ready_current = self._at_most_wanted(sum(replica.is_ready for replica in self.current))

    @property
    def carries_revision(self) -> bool:
        """The workload is there and carries the present revision."""
        workload = self.workload
        return (
            workload is not None
            and workload.metadata.deletion_timestamp is None
            and self.seen.applied_revision >= self.seen.revision
        )

    @property
    def is_written(self) -> bool:
        """And its controller has seen that."""
        return self.carries_revision and self.workload is not None and self.workload.is_observed

    @property
    def pods_tell(self) -> bool:
        """Pods of the present revision can be told from older ones."""
        workload = self.workload
        return self.is_written or (self.carries_revision and workload is not None and workload.marks_its_pods)

    @property
    def is_updating(self) -> bool:
        """Something older than the present revision still runs or is still ordered."""
        return not self.is_written or len(self.current) < len(self.staying)

    @property
    def is_full(self) -> bool:
        """Every wanted replica is ready at the present revision, and nothing older runs."""
        ordered = self.workload.replicas if self.workload is not None else 0
        if self.workload is not None and self.workload.surges and ordered > self.wanted:
            return False
        # Somebody may have ordered more by hand.
        most = max(self.wanted, ordered)
        enough = self.wanted <= len(self.staying) <= most
        return enough and all(replica.is_ready and replica.is_current for replica in self.staying)

    @property
    def serves(self) -> bool:
        """Whether the pods that are ready can answer a request."""
        return self.can_serve(self.staying)

    def can_serve(self, replicas: Iterable[Replica]) -> bool:
        ready = {replica.status.role for replica in replicas if replica.is_ready}
        spec = self.seen.spec
        if spec.engine.kind is not Engine.DYNAMO:
            return bool(ready)
        return ready.issuperset((FRONTEND, *(group.role for group in spec.groups)))

    @property
    def serving_revision(self) -> int | None:
        """The newest revision of which a replica is ready, when anything serves."""
        if not self.serves:
            return None
        ready = (r.status for r in self.staying if r.is_ready and r.status.role != FRONTEND)
        return max((status.revision or 0 for status in ready), default=0) or None

    @property
    def left_serving(self) -> tuple[int, int]:
        """(revision, number of replicas) that serve of those before the present one; revision 0: unknown."""
        old = [replica for replica in self.staying if replica.is_ready and not replica.is_current]
        if not old or not self.serves:
            return 0, 0
        return max((replica.status.revision or 0 for replica in old), default=0), len(old)

    @property
    def waiting_extra(self) -> Replica | None:
        """The replica that is one more than wanted, while it does not serve."""
        extra = [r for r in self.current if not r.is_ready]
        marked = next((r for r in extra if r.status.extra), None)
        return marked or (extra[0] if extra and len(self.staying) > self.wanted else None)

    def findings(self) -> Iterator[Finding]:
        """What keeps replicas of the present revision from serving; those of the one before are on their way out."""
        if self.carries_revision and (told := self._of_operator()):
            yield told
        if not self.pods_tell:
            return
        if self.workload is not None and len(self.staying) < self.wanted:
            for events in self._of_controllers():
                if refused := workload_diagnosis.find(events, self.seen.asked_at, self.now):
                    yield refused
        running = {replica.status.name for replica in self.staying if replica.has_started}
        for claim in self.seen.claims:
            if claim.status.phase == "Bound":
                continue
            # "data-md-chat-0" belongs to pod "md-chat-0"; one that runs has its volume.
            pod = claim.metadata.name.partition("-")[2]
            if pod in running:
                continue
            finding = find_in_claim(claim, self.seen.events_of("PersistentVolumeClaim", claim.metadata.name))
            if finding:
                yield finding.of(pod)
        for replica in self.current:
            if replica.finding is not None:
                yield replica.finding

    def remarks(self) -> Iterator[str]:
        seen = self.seen
        if seen.desired is DesiredState.RUNNING:
            if told := scaling.remark(seen.autoscaler, seen.scaled_object):
                yield told
            yield from growth.remarks(seen.claims, seen.spec.engine.volume)
            surplus = len(self.staying) - self.wanted
            if surplus > 0 and self.is_full:
                yield f"{replicas_text(surplus)} more than wanted {'runs' if surplus == 1 else 'run'}."
        for replica in self.replicas:
            if replica.is_going and self.now - (replica.going_since or self.now) > STUCK_AFTER:
                yield (
                    f"{replica.status.name} has been stopping for more than {STUCK_AFTER.seconds // 60} min: "
                    "its node may be down."
                )

    def volumes(self) -> tuple[VolumeStatus, ...]:
        """In the order of their names."""
        found = sorted(self.seen.claims, key=lambda claim: claim.metadata.name)
        return tuple(VolumeStatus(claim.metadata.name, _size(claim)) for claim in found[:MOST_VOLUMES])

    def scaling(self) -> Scaling | None:
        seen = self.seen
        if seen.autoscaler is None:
            return None
        name = seen.autoscaler.metadata.name
        events = sorted(seen.events_of(AUTOSCALER.name, name), key=_when, reverse=True)
        return scaling.read(
            seen.autoscaler, seen.scaled_object, seen.spec.autoscaling, [_line(event) for event in events]
        )

    def evidence(self) -> Evidence:
        events = sorted(self.seen.events, key=_when)[-MOST_EVENTS:]
        worst = next((r for r in self.staying if r.finding and self.seen.logs.get(r.status.name)), None)
        log = self.seen.logs.get(worst.status.name, ()) if worst else ()
        return Evidence(
            events=tuple(_line(event) for event in reversed(events)),
            log=tuple(line[:500] for line in log[-MOST_LOG_LINES:]),
            log_of=worst.status.name if worst else "",
        )

    def _of_operator(self) -> Finding | None:
        complete = len(self.current) >= self.wanted and all(replica.is_ready for replica in self.current)
        since = [replica.since for replica in self.current if replica.since]
        found = operators.find(
            self.workload,
            idle_since=self.seen.idle_since,
            asked_at=self.seen.asked_at,
            pods_ready=max(since) if complete and since and self.wanted else None,
            now=self.now,
        )
        if found is not None or self.current or not self.wanted or self.seen.idle_since is not None:
            return found
        return operators.silent(self.workload, self.now)

    def _of_controllers(self) -> Iterator[Sequence[Event]]:
        """The events of each controller that makes pods, apart: what one makes says nothing of another."""
        by_object: dict[tuple[str, str], list[Event]] = {}
        assert self.workload is not None
        for event in self.seen.events:
            kind, name = event.involved_object.kind, event.involved_object.name
            if kind == REPLICA_SET or (kind, name) == (self.workload.kind, self.workload.metadata.name):
                by_object.setdefault((kind, name), []).append(event)
        yield from by_object.values()

    def _wanted(self) -> int:
        spec = self.seen.spec
        if self.seen.desired is not DesiredState.RUNNING:
            return 0
        least = spec.pods_at_least
        if not spec.autoscaling.enabled or self.workload is None:
            return least
        live = self.workload.scaled
        if live is None:
            live = self.seen.autoscaler.status.desired_replicas if self.seen.autoscaler else 0
        return least + max(0, live - spec.autoscaling.min_replicas)

    def _is_extra(self, pod: Pod) -> bool:
        workload = self.workload
        if workload is None or workload.marks_its_pods or not self.carries_revision or not self.wanted:
            return False
        return workload.replicas > self.wanted and _ordinal(pod) >= self.wanted

    def _at_most_wanted(self, count: int) -> int:
        return min(count, self.wanted) if self.wanted else count


def replicas_text(count: int) -> str:
    return f"{count} replica{'' if count == 1 else 's'}"


def _line(event: Event) -> EventLine:
    return EventLine(
        at=event.at,
        kind=event.involved_object.kind,
        name=event.involved_object.name,
        reason=event.reason or "",
        message=" ".join((event.message or "").split())[:500],
        times=event.times,
        warning=event.type == "Warning",
    )


def _when(event: Event) -> float:
    return event.at.timestamp() if event.at else 0.0


def _order(pod: Pod) -> tuple[int, int, str]:
    role = pod.metadata.label(naming.ROLE_LABEL)
    return (_ROLES.index(role) if role in _ROLES else len(_ROLES), _ordinal(pod), pod.metadata.name)


def _ordinal(pod: Pod) -> int:
    tail = pod.metadata.name.rpartition("-")[2]
    return int(tail) if tail.isascii() and tail.isdigit() else 0


def _size(claim: Claim) -> str:
    asked = claim.spec.resources.requests if claim.spec.resources else None
    return str((claim.status.capacity or asked or {}).get("storage", ""))
