"""Wishes beside the configuration: stop, start, restart, delete, abandon, look again, and what becomes of drift."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from console.audit import record, thing_of
from console.models import User
from deployments import leftovers, strategy
from deployments.desired.known import facts_of, serves
from deployments.desired.queueing import hint, look_at_all, look_for, queue
from deployments.drifting import REPAIR
from deployments.models import CatalogModel, Cluster, Deployment, Endpoint, Revision
from deployments.vocabulary import DesiredState, DriftPolicy

_WISHED = {
    DesiredState.RUNNING: "started",
    DesiredState.STOPPED: "stopped",
    DesiredState.DELETED: "deleted",
}
"""The audit's words. A deletion is of the wish; the cluster follows."""


def stop(deployment: Deployment, *, author: User | None) -> None:
    """Zero replicas; the configuration stays."""
    _wish(deployment, DesiredState.STOPPED, author)


def start(deployment: Deployment, *, author: User | None) -> None:
    """Replicas again, as the current revision says."""
    _wish(deployment, DesiredState.RUNNING, author)


def delete(deployment: Deployment, *, author: User | None) -> None:
    """Takes it out of the cluster; the record goes when nothing is left there. There is no way back."""
    _wish(deployment, DesiredState.DELETED, author)


def restart(deployment: Deployment, *, author: User | None, since: datetime | None) -> bool:
    """Makes the replicas anew, in the way that is safe now.

    `since`: the last restart that this wish knows of, so that one that is sent twice restarts once. False when
    somebody restarted it after that, or when it is not meant to run.
    """
    with transaction.atomic():
        locked = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        if locked.desired_state != DesiredState.RUNNING or locked.restarted_at != since:
            return False
        locked.restarted_at = timezone.now()
        locked.save(update_fields=["restarted_at"])
        chosen = strategy.of_restart(locked.spec, facts_of(locked.endpoint), serves(locked))
        Revision.objects.filter(pk=locked.current.pk).update(strategy=chosen.strategy)  # type: ignore[union-attr]
        queue(locked, author, locked.restarted_at)
        record("deployment.restarted", locked)
    return True


def abandon(deployment: Deployment, *, author: User | None) -> None:
    """Removes the record of a deployment whose cluster is gone; what is there stays. Raises leftovers.StillThere."""
    with transaction.atomic():
        locked = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        thing = thing_of(locked)
        leftovers.give_up(locked, author, timezone.now())
        record("deployment.abandoned", thing)


def endpoint_changed(endpoint: Endpoint) -> int:
    """Queues the deployments of an endpoint that was edited; returns how many. Routes change, pods do not."""
    return look_at_all(Q(endpoint=endpoint))


def key_changed(record: Cluster | CatalogModel) -> int:
    """Queues the deployments of a cluster or model whose key or token was changed or removed; returns how many.

    Pods read another value at their next start; a secret that comes or goes changes what they are made from."""
    return look_at_all(Q(endpoint__cluster=record) if isinstance(record, Cluster) else Q(model=record))


def look_again(deployment: Deployment) -> None:
    """Forgets refusals and back-off and queues another look; wants nothing new."""
    with transaction.atomic():
        Deployment.objects.filter(pk=deployment.pk).update(
            attempts=0, refusal=None, reconcile_due_at=timezone.now()
        )
        hint(deployment.pk)


def set_drift_policy(deployment: Deployment, policy: DriftPolicy, *, author: User | None) -> None:
    """What happens to hand-made changes in the cluster from now on; what is there is looked at again at once."""
    with transaction.atomic():
        locked = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        before = locked.drift_policy
        if before != policy:
            locked.drift_policy = policy
            locked.save(update_fields=["drift_policy"])
            look_for(locked, author)
            record(
                "deployment.drift_policy_changed",
                locked,
                before={"drift_policy": before},
                after={"drift_policy": policy},
            )


def repair_now(deployment: Deployment, *, author: User | None) -> None:
    """Takes back hand-made changes once, although the policy is to leave them."""
    with transaction.atomic():
        locked = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        if locked.drift and not locked.drift["repaired"]:
            locked.drift = {**locked.drift, REPAIR: True}
            locked.save(update_fields=["drift"])
            look_for(locked, author)
            record("deployment.repaired", locked)


def _wish(deployment: Deployment, state: DesiredState, author: User | None) -> None:
    """Changes the desired state; a deployment that is being deleted takes no other wish."""
    with transaction.atomic():
        locked = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        if locked.desired_state in (state, DesiredState.DELETED):
            return
        before, locked.desired_state = locked.desired_state, state
        locked.save(update_fields=["desired_state"])
        queue(locked, author, timezone.now())
        record(
            f"deployment.{_WISHED[state]}",
            locked,
            before={"desired_state": before},
            after={"desired_state": state},
        )
