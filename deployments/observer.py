"""Sees what is there: one look at a cluster, judged and written down for all of its deployments at once.

How a look goes:

1. Claim the cluster by moving its due time on; whoever loses leaves.
2. Read everything of ours in a constant number of calls (sight.py).
3. Judge each deployment (status.py): pure, from the objects, the events and the clock.
4. Write all observations and all changes of phase in a constant number of statements.
5. Make due what has lost its workload, so that somebody's `kubectl delete` is mended at once.
6. Say when to look again: soon while anything moves, later when all is at rest.

A cluster that does not answer changes no observation: they grow old, and what is old is shown as unknown.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

from deployments import document, naming
from deployments.cluster_access import connect_to
from deployments.kube import client
from deployments.kube.errors import KubeError
from deployments.models import Cluster, Deployment, Observation, Transition
from deployments.seen import Seen, Status, StoredRefusal
from deployments.sight import LOGS_PER_LOOK, DeadLog, Sight, dead_logs, look
from deployments.spec import DeploymentSpec
from deployments.status import judge
from deployments.vocabulary import DesiredState, Phase

CLAIM = timedelta(seconds=30)
MOVING, AT_REST, AWAY = timedelta(seconds=2), timedelta(seconds=10), timedelta(seconds=10)
#: Controller revisions of which we remember which of our revisions they are.
MOST_REMEMBERED = 8

log = logging.getLogger(__name__)


def due(now: datetime) -> list[int]:
    """Clusters that wait for a look."""
    return list(Cluster.objects.filter(_is_due(now)).values_list("pk", flat=True))


def observe(cluster_id: int, now: datetime) -> int | None:
    """One look; the number of deployments judged. None when somebody else looks, or when there is no answer."""
    if not Cluster.objects.filter(_is_due(now), pk=cluster_id).update(observe_due_at=now + CLAIM):
        return None
    cluster = Cluster.objects.get(pk=cluster_id)
    try:
        with connect_to(cluster) as kube:
            judged = _look(cluster, kube, now)
    except KubeError as error:
        log.warning("Cluster %s cannot be observed: %s", cluster.slug, error.sentence)
        Cluster.objects.filter(pk=cluster_id).update(
            unreachable_since=Coalesce(F("unreachable_since"), Value(now)),
            unreachable_reason=error.sentence[:500],
            observe_due_at=now + AWAY,
        )
        return None
    moving = any(status.phase.is_moving for status in judged.values())
    Cluster.objects.filter(pk=cluster_id).update(
        observed_at=now,
        unreachable_since=None,
        unreachable_reason="",
        observe_due_at=now + (MOVING if moving else AT_REST),
    )
    return len(judged)


def _look(cluster: Cluster, kube: client.Cluster, now: datetime) -> dict[int, Status]:
    wanted = list(
        Deployment.objects.filter(endpoint__cluster=cluster)
        .select_related("observation", "endpoint")
        .annotate(
            number=F("current__number"), revision_id=F("current_id"), asked_document=F("current__document")
        )
    )
    if not wanted:
        kube.version()  # A cluster without deployments still says whether it answers.
        return {}
    sights = look(kube)
    budget = LOGS_PER_LOOK
    judged: dict[int, Status] = {}
    rows: list[Observation] = []
    changes: list[Transition] = []
    lost: list[int] = []
    for deployment in wanted:
        sight = sights.get((deployment.endpoint.namespace, naming.label_value(deployment.name))) or Sight()
        before = _before(deployment)
        logs, budget = dead_logs(kube, sight.pods, _remembered_logs(before), budget)
        revisions = _revisions(sight, before)
        status = judge(_seen(deployment, sight, logs, revisions, before, now), now)
        judged[deployment.pk] = status
        rows.append(_row(deployment, status, logs, revisions, before, now))
        if before is None or before.phase != status.phase:
            changes.append(_transition(deployment, status, before, now))
        if _has_lost_its_workload(deployment, sight):
            lost.append(deployment.pk)
    _write(rows, changes)
    if lost:
        Deployment.objects.filter(pk__in=lost, reconcile_due_at__gt=now).update(reconcile_due_at=now)
    return judged


def _seen(
    deployment: Deployment,
    sight: Sight,
    logs: Mapping[str, DeadLog],
    revisions: Mapping[str, int],
    before: Observation | None,
    now: datetime,
) -> Seen:
    number: int = deployment.number  # type: ignore[attr-defined]
    return Seen(
        spec=_spec(deployment),
        revision=number,
        desired=DesiredState(deployment.desired_state),
        asked_at=deployment.changed_at,
        observed_at=now,
        applied_revision=_labelled_revision(sight),
        refusal=StoredRefusal.from_mapping(deployment.refusal),
        workload=sight.workload,
        pods=sight.pods,
        claims=sight.claims,
        events=sight.events,
        autoscaler=sight.autoscaler,
        logs={pod: dead.lines for pod, dead in logs.items()},
        revisions=revisions,
        last_phase=Phase(before.phase) if before and before.observed_at else None,
        last_wanted=before.wanted if before else 0,
    )


def _row(
    deployment: Deployment,
    status: Status,
    logs: Mapping[str, DeadLog],
    revisions: Mapping[str, int],
    before: Observation | None,
    now: datetime,
) -> Observation:
    details = status.to_mapping()
    details["memory"] = {
        "logs": {pod: [dead.container, *dead.lines] for pod, dead in logs.items() if dead.container},
        "revisions": dict(revisions),
    }
    same = before is not None and before.phase == status.phase
    return Observation(
        deployment_id=deployment.pk,
        phase=status.phase,
        phase_since=before.phase_since if same and before else now,
        sentence=status.sentence,
        remedy=status.remedy,
        ready=status.ready,
        wanted=status.wanted,
        revision=status.revision,
        observed_at=now,
        details=details,
    )


def _transition(
    deployment: Deployment, status: Status, before: Observation | None, now: datetime
) -> Transition:
    return Transition(
        deployment_id=deployment.pk,
        revision=status.revision,
        before=before.phase if before else "",
        after=status.phase,
        at=now,
        sentence=status.sentence,
        remedy=status.remedy,
        evidence=status.evidence.to_mapping(),
    )


def _write(rows: list[Observation], changes: list[Transition]) -> None:
    """Two statements for any number of deployments; one that was deleted meanwhile is left out the second time."""
    columns = [field.name for field in Observation._meta.fields if not field.primary_key]
    for attempt in range(2):
        try:
            with transaction.atomic():
                Observation.objects.bulk_create(
                    rows, update_conflicts=True, unique_fields=["deployment"], update_fields=columns
                )
                Transition.objects.bulk_create(changes)
            return
        except IntegrityError:
            if attempt:
                raise
            keys = [row.deployment_id for row in rows]
            there = set(Deployment.objects.filter(pk__in=keys).values_list("pk", flat=True))
            rows = [row for row in rows if row.deployment_id in there]
            changes = [change for change in changes if change.deployment_id in there]


def _before(deployment: Deployment) -> Observation | None:
    try:
        return deployment.observation
    except ObjectDoesNotExist:
        return None


def _remembered_logs(before: Observation | None) -> dict[str, DeadLog]:
    memory: dict[str, Any] = (before.details if before else {}).get("memory", {})
    return {
        pod: DeadLog(container, tuple(lines)) for pod, (container, *lines) in memory.get("logs", {}).items()
    }


def _revisions(sight: Sight, before: Observation | None) -> dict[str, int]:
    """Which of our revisions each controller revision is: the newest is the one that the workload carries now."""
    memory: dict[str, Any] = (before.details if before else {}).get("memory", {})
    known: dict[str, int] = dict(memory.get("revisions", {}))
    workload = sight.workload
    if workload is not None and workload.status.observed_generation >= workload.metadata.generation:
        newest = workload.status.update_revision
        known.pop(newest, None)
        known[newest] = _labelled_revision(sight)
    return dict(list(known.items())[-MOST_REMEMBERED:])


def _labelled_revision(sight: Sight) -> int:
    label = sight.workload.metadata.label(naming.REVISION_LABEL) if sight.workload else ""
    return int(label) if label.isdecimal() else 0


def _has_lost_its_workload(deployment: Deployment, sight: Sight) -> bool:
    return (
        sight.workload is None
        and deployment.applied_revision > 0
        and deployment.refusal is None
        and deployment.desired_state != DesiredState.DELETED
    )


def _spec(deployment: Deployment) -> DeploymentSpec:
    """A revision never changes, so it is read once; the document is only parsed for one that is not known."""
    key: int = deployment.revision_id  # type: ignore[attr-defined]
    spec = _SPECS.get(key)
    if spec is None:
        if len(_SPECS) > 20_000:
            _SPECS.clear()
        spec = _SPECS[key] = document.from_mapping(deployment.asked_document)  # type: ignore[attr-defined]
    return spec


_SPECS: dict[int, DeploymentSpec] = {}


def _is_due(now: datetime) -> Q:
    return Q(observe_due_at__isnull=True) | Q(observe_due_at__lte=now)
