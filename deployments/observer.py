"""Looks at clusters: one pass sees every deployment of a cluster, judges it and writes what is new.

A pass asks the cluster a fixed number of questions and the database a fixed number of statements, for ten
deployments and for a thousand; only the last lines of newly dead containers are asked for one by one, a few per pass
and each once. A cluster that does not answer leaves what was seen as it is, with its age: standing.py says how long
that may be believed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from deployments.clusters.connections import connect_to
from deployments.kube.errors import KubeError
from deployments.models import Cluster, Deployment
from deployments.observing import noted
from deployments.observing.last_words import fetch_last_words
from deployments.observing.records import Known, known_deployments, write
from deployments.observing.sights import look, seen_of
from deployments.plan import surge
from deployments.seen import Seen
from deployments.status import judge
from deployments.vocabulary import DesiredState

logger = logging.getLogger(__name__)

#: How soon to look again: while something moves, and while nothing does.
MOVING, STEADY = timedelta(seconds=2), timedelta(seconds=5)
#: A worker that takes longer than this over one pass is taken for dead.
CLAIM_FOR = timedelta(seconds=45)
UNREACHABLE_AGAIN = timedelta(seconds=10)
FACTS_KEPT = timedelta(minutes=5)
LONGEST_REASON = 480


def observe(cluster_id: int, now: datetime | None = None) -> bool:
    """One pass over a cluster; False when another worker is at it, it is not due, or it did not answer.

    1. Claim the cluster by moving its due time with one conditional UPDATE.
    2. List what carries our labels, in all namespaces, and the events of its kinds.
    3. Group by deployment; judge each by what was seen of it.
    4. Fetch the last words of containers that died since the pass before.
    5. Write what changed, and for the rest only that it was seen; note changes of phase with their evidence.
    6. Have those reconciled whose objects somebody else changed or removed.
    """
    now = now or timezone.now()
    cluster = _claim(cluster_id, now)
    if cluster is None:
        return False
    try:
        connection = connect_to(cluster)
        known = known_deployments(cluster)
        scene = look(connection, cluster.offers)
        versions = noted.versions(connection, cluster.offers)
        fetch_last_words(connection, known, scene.sights, timezone.now())
    except KubeError as error:
        _note_silence(cluster, error, timezone.now())
        return False
    seen_at = timezone.now()
    for one in known:
        one.versions = versions.of(one.key, one.noted)
    judged = [(one, seen_of(one, scene, seen_at)) for one in known]
    statuses = [(one, seen, judge(seen, seen_at)) for one, seen in judged]
    write(cluster, statuses, seen_at)
    _have_repaired(judged, seen_at)
    moving = any(status.phase.is_moving for _, _, status in statuses)
    Cluster.objects.filter(pk=cluster.pk).update(
        observed_at=seen_at,
        observe_due_at=seen_at + (MOVING if moving else STEADY),
        unreachable_since=None,
        unreachable_reason="",
    )
    return True


def due(now: datetime) -> list[int]:
    """Clusters to look at."""
    return list(Cluster.objects.filter(_is_due(now)).values_list("pk", flat=True))


def facts_due(cluster_id: int, now: datetime) -> list[int]:
    """The cluster, when it answers and its facts (free GPUs among them) are old."""
    old = Q(checked_at__isnull=True) | Q(checked_at__lt=now - FACTS_KEPT)
    answering = Cluster.objects.filter(old, pk=cluster_id, unreachable_since__isnull=True)
    return list(answering.values_list("pk", flat=True))


def _is_due(now: datetime) -> Q:
    return Q(observe_due_at__isnull=True) | Q(observe_due_at__lte=now)


def _claim(cluster_id: int, now: datetime) -> Cluster | None:
    taken = Cluster.objects.filter(_is_due(now), pk=cluster_id).update(observe_due_at=now + CLAIM_FOR)
    return Cluster.objects.get(pk=cluster_id) if taken else None


def _note_silence(cluster: Cluster, error: KubeError, now: datetime) -> None:
    """What was seen before stays, and grows old."""
    logger.warning("cluster %s: %s", cluster.slug, error.sentence)
    Cluster.objects.filter(pk=cluster.pk).update(
        unreachable_since=Coalesce(F("unreachable_since"), now),
        unreachable_reason=error.sentence[:LONGEST_REASON],
        observe_due_at=now + UNREACHABLE_AGAIN,
    )


def _have_repaired(judged: Iterable[tuple[Known, Seen]], now: datetime) -> None:
    """Makes those due whose objects somebody else changed, or removed, and those whose rollout can go on."""
    wanting = [one.pk for one, seen in judged if _has_drifted(one, seen) or _may_go_on(one, seen)]
    if wanting:
        # A look that is due soon anyway, or waits for a person, is left as it is.
        Deployment.objects.filter(
            pk__in=wanting, reconcile_due_at__gt=now + timedelta(seconds=10), refusal__isnull=True
        ).filter(Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)).update(reconcile_due_at=now)


def _has_drifted(one: Known, seen: Seen) -> bool:
    if one.desired is DesiredState.DELETED or one.applied_revision < one.revision:
        return False
    if seen.workload is None:
        return True
    # Also our own writes give new versions; the look that follows then finds nothing to do.
    return one.generation != seen.workload.metadata.generation or noted.differ(one.noted, one.versions)


def _may_go_on(one: Known, seen: Seen) -> bool:
    """Whether a rollout with one replica more has reached its next step."""
    workload = seen.workload
    if workload is None or one.desired is not DesiredState.RUNNING:
        return False
    mark = (workload.metadata.annotations or {}).get(surge.SURGE_ANNOTATION, "")
    if not mark:
        return False
    live = surge.Live(
        replicas=workload.replicas,
        partition=workload.partition,
        mark=mark,
        ready=sum(pod.is_ready for pod in seen.pods),
        update_revision=workload.update_revision,
        has_acted=workload.is_observed,
    )
    pods = [
        surge.Pod(ordinal, workload.revision_of(pod), pod.is_ready, bool(pod.spec.node_name))
        for pod in seen.pods
        if pod.metadata.deletion_timestamp is None
        and (ordinal := surge.ordinal_of(workload.metadata.name, pod.metadata.name)) is not None
    ]
    return bool(surge.advance(one.spec.engine.replicas, live, pods).why)
