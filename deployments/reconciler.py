"""Makes clusters as people want them: one deployment at a time, from whatever state it is found in.

Level-triggered: what is done follows from what is wanted and what is there now, never from what happened. A message
that is lost, sent twice or late, a worker that is killed at any point and a Valkey that is flushed cost time and
nothing else, because the due row in Postgres is the queue and every step is idempotent.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils import timezone

from console.encryption import UnreadableSecret
from deployments import drifting, inventory
from deployments.clusters.connections import connect_to
from deployments.document import InvalidDocument
from deployments.kube import errors
from deployments.kube.errors import KubeError, Retryable
from deployments.kube.kinds import NIM_SERVICE, SCALED_OBJECT, kind_of
from deployments.manifests import EngineNotOffered, render
from deployments.models import Cluster, Deployment
from deployments.patience import PatientConnection
from deployments.plan import Change, ObservedObject, Plan, Refusal, plan
from deployments.vocabulary import DesiredState, RolloutStrategy

logger = logging.getLogger(__name__)

#: How long a worker that says nothing keeps a deployment. One that works renews its claim.
CLAIM_FOR = timedelta(seconds=60)
RENEW_AFTER = timedelta(seconds=15)
#: Without a renewal, no request begins so late in a claim that it could end after it.
LAST_REQUEST = timedelta(seconds=25)
#: At rest: edits by others in what the observer does not look at are repaired after this.
RESYNC = timedelta(minutes=30)
#: A person has to act; the cluster's side of it (a quota, a policy) may also change by itself.
REFUSED_AGAIN = timedelta(minutes=5)
#: Something is on its way out of the cluster.
SOON = timedelta(seconds=1)
#: What does not go for so long is held by somebody: it is looked at less often.
LONG_WAIT, STILL_WAITING = timedelta(minutes=3), timedelta(seconds=15)
#: A rollout with one replica more has its next step; the observer sees it sooner.
ROLLING_AGAIN = timedelta(minutes=2)
FIRST_RETRY, LONGEST_RETRY = 1.0, 300.0
#: Gone only with all that was made of them: a service of the name of ours, an autoscaler of the same workload.
_FOREGROUND = (NIM_SERVICE.name, SCALED_OBJECT.name)


class _ClaimLost(Exception):
    """Somebody else may hold the deployment by now, or wants something newer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one look ended."""

    next: timedelta | None
    """When to look again; None: the record is gone."""
    refusal: dict[str, Any] | None = None
    failed: bool = False
    """A retryable failure: the next one waits longer."""
    settled: bool = False
    """The cluster has accepted the revision whole."""
    changed: bool = False
    """Something was written."""
    drift: tuple[Change, ...] = ()
    """What others had changed; only of a look that settled."""


def reconcile(deployment_id: int, now: datetime | None = None) -> float | None:
    """Looks at one deployment and does what is missing; returns seconds until the next look, or None.

    None: not due, held by another worker, or gone. Never raises for what a cluster does.

    1. Claim it with one conditional UPDATE on its due time. The due time moves to the end of the claim, so that
       a worker that dies now is followed by another one then.
    2. Read everything again: the wish, the revision, the endpoint, the secrets.
    3. Render what is wanted; list what is there with our labels, and look for foreign objects of the same names.
    4. Plan. A plan that is refused changes nothing and tells why.
    5. Carry out the plan in its order; before each write make sure that the claim still holds.
    6. Note what came of it and when to look again, unless a newer wish has arrived meanwhile: then look at once.
    7. A deployment that is to be deleted, and of which nothing is left in the cluster, loses its record.
    """
    now = now or timezone.now()
    claim = _claim(deployment_id, now)
    if claim is None:
        return None
    deployment = Deployment.objects.with_everything_to_render().get(pk=deployment_id)
    try:
        outcome = _look(deployment, claim)
    except _ClaimLost:
        return 0.0
    if outcome.changed:
        Cluster.objects.filter(pk=deployment.endpoint.cluster_id).update(observe_due_at=None)
    if outcome.next is None:
        _forget(deployment, claim)
        return None
    return _finish(deployment, claim, outcome)


def due(now: datetime, most: int) -> list[int]:
    """Deployments to look at, the longest overdue first; at most so many."""
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    waiting = Deployment.objects.filter(free, reconcile_due_at__lte=now).order_by("reconcile_due_at")
    return list(waiting.values_list("pk", flat=True)[:most])


@dataclass(slots=True)
class _Claim:
    """The right to write to the cluster on behalf of one deployment, until then."""

    deployment_id: int
    until: datetime
    renewed: float
    """Monotonic seconds."""

    def hold(self) -> None:
        """Before every request: renews the claim in good time. Raises _ClaimLost when it has run out."""
        age = timedelta(seconds=time.monotonic() - self.renewed)
        if age > LAST_REQUEST:
            raise _ClaimLost
        if age > RENEW_AFTER:
            self._renew()

    def rows(self) -> QuerySet[Deployment]:
        """The deployment's row, as long as it is ours."""
        return Deployment.objects.filter(pk=self.deployment_id, claimed_until=self.until)

    def _renew(self) -> None:
        until, renewed = timezone.now() + CLAIM_FOR, time.monotonic()
        due = Case(When(reconcile_due_at=self.until, then=Value(until)), default=F("reconcile_due_at"))
        if not self.rows().update(claimed_until=until, reconcile_due_at=due):
            raise _ClaimLost
        self.until, self.renewed = until, renewed


def _claim(deployment_id: int, now: datetime) -> _Claim | None:
    renewed, until = time.monotonic(), now + CLAIM_FOR
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    taken = Deployment.objects.filter(free, pk=deployment_id, reconcile_due_at__lte=now).update(
        claimed_until=until, reconcile_due_at=until
    )
    return _Claim(deployment_id, until, renewed) if taken else None


def _look(deployment: Deployment, claim: _Claim) -> Outcome:
    """Steps 3 to 5, with every way in which they can end."""
    try:
        desired = _desired(deployment)
        cluster = PatientConnection(connect_to(deployment.endpoint.cluster), claim.hold)
        observed = inventory.take(cluster, deployment, desired)
        steps = plan(
            desired,
            observed,
            key=deployment.digest_key.encode(),
            strategy=_strategy(deployment),
            policy=drifting.policy_of(deployment.drift_policy, deployment.drift),
            was_whole=_was_whole(deployment),
        )
        if steps.refusal is not None:
            return Outcome(REFUSED_AGAIN, refusal=_refusal(steps.refusal, terminal=True))
        _carry_out(cluster, steps, deployment, claim)
    except KubeError as error:
        return _failure(deployment, error)
    except (EngineNotOffered, InvalidDocument, UnreadableSecret) as error:
        refusal = Refusal("cannot-render", str(error), "Change it and save a new revision.")
        return Outcome(REFUSED_AGAIN, refusal=_refusal(refusal, terminal=True))
    changed = steps.writes
    if steps.waiting_for:
        since = timezone.now() - deployment.changed_at
        return Outcome(SOON if since < LONG_WAIT else STILL_WAITING, changed=changed)
    if deployment.desired_state == DesiredState.DELETED:
        return Outcome(SOON if changed else None, changed=changed)
    again = ROLLING_AGAIN if steps.is_rolling else RESYNC
    return Outcome(_jittered(again), settled=True, changed=changed, drift=steps.drift)


def _desired(deployment: Deployment) -> list[dict[str, Any]]:
    if deployment.desired_state == DesiredState.DELETED:
        return []
    return render(deployment.spec, deployment.context())


def _strategy(deployment: Deployment) -> RolloutStrategy:
    return RolloutStrategy(deployment.current.strategy) if deployment.current else RolloutStrategy.REPLACE


def _was_whole(deployment: Deployment) -> bool:
    """The cluster has accepted just this, and nobody wants anything newer: what is missing was removed."""
    current, applied_at = deployment.current, deployment.applied_at
    return (
        current is not None
        and applied_at is not None
        and deployment.applied_revision == current.number
        and deployment.changed_at <= applied_at
    )


def _carry_out(cluster: PatientConnection, steps: Plan, deployment: Deployment, claim: _Claim) -> None:
    if not steps.writes:
        return
    # What is wanted may have changed while we looked.
    wanted = claim.rows().filter(current=deployment.current_id, desired_state=deployment.desired_state)
    if not wanted.exists():
        _release(claim)
        raise _ClaimLost
    for item in steps.prune_first:
        _delete(cluster, item)
    for step in steps.apply:
        cluster.apply(step.object, manager=step.manager)
        logger.info("%s: applied %s (%s)", deployment.name, step.object["kind"], step.why)
    for item in steps.orphan:
        _delete(cluster, item, propagation="Orphan")
        logger.info("%s: %s is made anew, its replicas stay", deployment.name, item.kind)
    for item in steps.prune:
        _delete(cluster, item)


def _delete(cluster: PatientConnection, item: ObservedObject, propagation: str = "") -> None:
    how = propagation or ("Foreground" if item.kind in _FOREGROUND else "Background")
    cluster.delete(kind_of(item.body), item.namespace, item.name, uid=item.uid, propagation=how)


def _failure(deployment: Deployment, error: KubeError) -> Outcome:
    if isinstance(error, Retryable) or not _is_about_the_deployment(error):
        attempts = min(deployment.attempts, 12)
        delay = min(FIRST_RETRY * 2**attempts, LONGEST_RETRY) * random.uniform(0.75, 1.25)  # noqa: S311
        if isinstance(error, Retryable) and error.retry_after is not None:
            delay = max(delay, error.retry_after)
        if isinstance(error, errors.Conflict) and deployment.attempts < 3:
            # Somebody wrote at the same moment. That is no news for anybody.
            return Outcome(timedelta(seconds=delay), failed=True)
        refusal = _refusal(Refusal(error.code, error.sentence, error.remedy), terminal=False)
        return Outcome(timedelta(seconds=delay), refusal=refusal, failed=True)
    remedy = error.remedy
    if isinstance(error, errors.NotFound) and "namespaces" in error.sentence:
        remedy = f"Create the namespace {deployment.endpoint.namespace}."
    refusal = _refusal(Refusal(error.code, error.sentence, remedy), terminal=True)
    return Outcome(_jittered(REFUSED_AGAIN), refusal=refusal)


def _is_about_the_deployment(error: KubeError) -> bool:
    """False when the whole cluster cannot be asked: what runs there may be fine."""
    return isinstance(error, errors.Forbidden | errors.Invalid | errors.NotFound)


def _refusal(refusal: Refusal, *, terminal: bool) -> dict[str, Any]:
    return {
        "code": refusal.code,
        "sentence": refusal.sentence,
        "remedy": refusal.remedy,
        "at": timezone.now().isoformat(),
        "terminal": terminal,
    }


def _jittered(delay: timedelta) -> timedelta:
    """Up to a fifth sooner, so that what began together does not stay together."""
    return delay * random.uniform(0.8, 1.0)  # noqa: S311


def _finish(deployment: Deployment, claim: _Claim, outcome: Outcome) -> float:
    assert outcome.next is not None
    now = timezone.now()
    facts: dict[str, Any] = {
        "claimed_until": None,
        "reconcile_due_at": now + outcome.next,
        "refusal": outcome.refusal,
        "attempts": deployment.attempts + 1 if outcome.failed else 0,
    }
    if outcome.settled and deployment.current is not None:
        policy, before = deployment.drift_policy, deployment.drift
        facts["drift"] = drifting.remembered(before, outcome.drift, policy, now)
        facts["applied_revision"] = deployment.current.number
        if outcome.changed or not _was_whole(deployment):
            facts["applied_at"] = now
    if claim.rows().filter(reconcile_due_at=claim.until).update(**facts):
        return outcome.next.total_seconds()
    # Somebody asked for another look meanwhile; what this one found is out of date.
    _release(claim)
    return 0.0


def _release(claim: _Claim) -> None:
    """Gives the deployment back, due at once or when somebody else said."""
    unasked = claim.rows().filter(reconcile_due_at=claim.until)
    if not unasked.update(claimed_until=None, reconcile_due_at=timezone.now()):
        claim.rows().update(claimed_until=None)


def _forget(deployment: Deployment, claim: _Claim) -> None:
    """Removes the record of a deployment that has left its cluster."""
    with transaction.atomic():
        # The current revision is protected for as long as it is current.
        if claim.rows().filter(desired_state=DesiredState.DELETED).update(current=None):
            Deployment.objects.get(pk=deployment.pk).delete()
            logger.info("%s: deleted", deployment.name)
