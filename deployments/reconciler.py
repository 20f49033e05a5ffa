"""Makes one cluster what is wanted of one deployment. Asked with an id, it reads everything again each time.

How a look goes:

1. Claim the row by a conditional UPDATE. Whoever loses leaves; a dead worker's claim runs out by itself.
2. Read what is wanted: the current revision, or nothing at all for a deployment that is to go.
3. Read what is there: every object with our label, and whatever else has a name that we want.
4. Plan (plan.py): what to prune, what to apply, what to wait for, or why the whole is refused.
5. Carry it out, asking before every write whether the claim and the wish still hold.
6. Write down how it went and when to look again, unless somebody wished for something new meanwhile: then the row
   stays due.

Interrupted anywhere and started again it comes to the same end, because nothing is remembered between looks but the
row. A failure that may pass backs off with jitter and honours Retry-After; any other is kept as a refusal for people.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from console.encryption import UnreadableSecret
from deployments import naming
from deployments.cluster_access import connect_to
from deployments.kube.client import Cluster
from deployments.kube.errors import KubeError, Retryable
from deployments.kube.kinds import OWNED, POD, Kind, kind_of
from deployments.manifests import EngineNotOffered, render
from deployments.models import Deployment
from deployments.plan import ObservedObject, Plan, Refusal, plan
from deployments.vocabulary import DesiredState

CLAIM = timedelta(seconds=90)
#: How soon to look again: after writing, to see that it holds; while something is on its way out; at rest, for drift.
SOON, WAITING, RESYNC = timedelta(seconds=5), timedelta(seconds=2), timedelta(minutes=10)
LONGEST_WAIT = timedelta(minutes=5)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one look went."""

    look_again: timedelta | None
    """None: never, the deployment is gone."""
    applied: bool = False
    """The cluster has taken the whole revision."""
    refusal: Refusal | None = None
    retryable: bool = False


class _Superseded(Exception):
    """Somebody wished for something new, or took over the claim: this look is over."""


def due(now: datetime, limit: int = 500) -> list[int]:
    """Deployments that wait for a look, the longest waiting first."""
    waiting = Deployment.objects.filter(_is_free(now), reconcile_due_at__lte=now)
    return list(waiting.order_by("reconcile_due_at").values_list("pk", flat=True)[:limit])


def reconcile(deployment_id: int, now: datetime) -> Outcome | None:
    """One look. None when somebody else has the claim, or there is no such deployment."""
    claim = now + CLAIM
    claimed = Deployment.objects.filter(_is_free(now), pk=deployment_id).update(claimed_until=claim)
    if not claimed:
        return None
    deployment = Deployment.objects.with_everything_to_render().get(pk=deployment_id)
    try:
        outcome = _look(deployment, claim)
    except _Superseded:
        outcome = Outcome(look_again=timedelta(0))
    except Retryable as error:
        outcome = _later(deployment, error)
    except KubeError as error:
        refusal = Refusal(_code(error), error.sentence, error.remedy)
        outcome = Outcome(look_again=LONGEST_WAIT, refusal=refusal)
    except (EngineNotOffered, UnreadableSecret) as error:
        refusal = Refusal("cannot-render", str(error), "Change the configuration, then save it again.")
        outcome = Outcome(look_again=RESYNC, refusal=refusal)
    _record(deployment, claim, outcome, now)
    return outcome


def _look(deployment: Deployment, claim: datetime) -> Outcome:
    gone = deployment.desired_state == DesiredState.DELETED
    desired = [] if gone else render(deployment.spec, deployment.context())
    key = deployment.digest_key.encode()
    with connect_to(deployment.endpoint.cluster) as cluster:
        observed = _observe(cluster, deployment, desired)
        todo = plan(desired, observed, key=key)
        if todo.refusal is not None:
            return Outcome(look_again=RESYNC, refusal=todo.refusal)
        _carry_out(cluster, todo, deployment, claim)
    if gone and todo.is_at_rest:
        return Outcome(look_again=None)
    if todo.waiting_for:
        return Outcome(look_again=WAITING)
    return Outcome(look_again=RESYNC if todo.is_at_rest else SOON, applied=not gone)


def _observe(cluster: Cluster, deployment: Deployment, desired: list[dict[str, Any]]) -> list[ObservedObject]:
    """Our objects by label, and strangers that have a name that we want."""
    namespace = deployment.endpoint.namespace
    selector = naming.selector_text(deployment.name)
    kinds: Iterable[Kind] = OWNED if desired else (*OWNED, POD)
    found: dict[tuple[str, str], ObservedObject] = {}
    for kind in kinds:
        for body in cluster.list(kind, dict, namespace=namespace, labels=selector):
            # Items of a list do not say what they are.
            item = ObservedObject({"apiVersion": kind.api_version, "kind": kind.name, **body})
            found[item.kind, item.name] = item
    for object in desired:
        kind, name = kind_of(object), object["metadata"]["name"]
        if (kind.name, name) not in found and (stranger := cluster.get(kind, namespace, name)):
            found[kind.name, name] = ObservedObject(stranger)
    return list(found.values())


def _carry_out(cluster: Cluster, todo: Plan, deployment: Deployment, claim: datetime) -> None:
    for item in todo.prune_first:
        _hold(deployment, claim)
        _remove(cluster, item)
    for step in todo.apply:
        _hold(deployment, claim)
        cluster.apply(step.object, manager=step.manager)
        log.info("%s: applied %s (%s)", deployment.name, step.object["kind"], step.why)
    for item in todo.prune:
        _hold(deployment, claim)
        _remove(cluster, item)


def _remove(cluster: Cluster, item: ObservedObject) -> None:
    kind = kind_of(item.body)
    cluster.delete(kind, item.namespace, item.name, uid=item.uid)
    log.info("removed %s %s", item.kind, item.name)


def _hold(deployment: Deployment, claim: datetime) -> None:
    """The fence before a write: is this still our claim, on the revision and the wish that we read?"""
    holds = Deployment.objects.filter(
        pk=deployment.pk,
        claimed_until=claim,
        current_id=deployment.current_id,
        desired_state=deployment.desired_state,
    ).exists()
    if not holds:
        raise _Superseded


def _later(deployment: Deployment, error: Retryable) -> Outcome:
    """Twice as long each time, up to five minutes, with jitter so that a crowd does not come back at once."""
    backoff = min(2.0 ** min(deployment.attempts, 10), LONGEST_WAIT.total_seconds())
    wait = max(backoff * random.uniform(0.5, 1.0), error.retry_after or 0.0)  # noqa: S311  (jitter, no secret)
    refusal = Refusal(_code(error), error.sentence, error.remedy)
    return Outcome(look_again=timedelta(seconds=wait), refusal=refusal, retryable=True)


def _record(deployment: Deployment, claim: datetime, outcome: Outcome, now: datetime) -> None:
    """Gives the claim back. A wish that came meanwhile keeps its own due time and its clean sheet."""
    ours = Deployment.objects.filter(pk=deployment.pk, claimed_until=claim)
    with transaction.atomic():
        if outcome.look_again is None:
            locked = ours.select_for_update(of=("self",)).first()
            if locked is not None:
                # The row points to its revision and the revision to its row.
                locked.current = None
                locked.save(update_fields=["current"])
                locked.delete()
            return
        facts: dict[str, Any] = {"reconcile_due_at": now + outcome.look_again}
        if outcome.refusal is None:
            facts |= {"attempts": 0, "refusal": None}
        else:
            facts |= {
                "attempts": deployment.attempts + 1,
                "refusal": {
                    "code": outcome.refusal.code,
                    "sentence": outcome.refusal.sentence,
                    "remedy": outcome.refusal.remedy,
                    "at": now.isoformat(),
                    "terminal": not outcome.retryable,
                },
            }
        if outcome.applied and deployment.current is not None:
            facts |= {"applied_revision": deployment.current.number, "applied_at": now}
        same_wish = ours.filter(
            changed_at=deployment.changed_at, reconcile_due_at=deployment.reconcile_due_at
        )
        same_wish.update(**facts)
        ours.update(claimed_until=None)


def _is_free(now: datetime) -> Q:
    return Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)


def _code(error: KubeError) -> str:
    """ "QuotaExceeded" becomes "quota-exceeded"."""
    name = type(error).__name__
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
