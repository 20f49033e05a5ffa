"""What may be said about a deployment at this moment, from what was wanted, what was seen, and how long ago.

The observer writes what it saw; a page that is read later must not believe it blindly. The rule is written once, as
an SQL expression, so that lists of thousands can be filtered, counted and sorted by it, and the page of a single
deployment says the same. Nothing here is ever greener than the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Case, CharField, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from console.presentation import times
from deployments import status
from deployments.models import Deployment, Observation
from deployments.status import TRUSTED_FOR
from deployments.vocabulary import DesiredState, Phase


@dataclass(frozen=True, slots=True)
class Standing:
    """A phase with its reason, as it is shown."""

    phase: Phase
    sentence: str
    remedy: str
    ready: int
    wanted: int
    seen_at: datetime | None
    refused: bool = False
    """The cluster will not take what is wanted, or cannot be asked."""

    @property
    def needs_attention(self) -> bool:
        return self.phase.needs_attention or self.refused


def shown_phase(now: datetime, at: str = "") -> Case:
    """The value of the Phase to show; `at` is the path to the deployment, as in "endpoints__deployments__"."""
    state, seen = f"{at}desired_state", f"{at}observation__"
    phase = Coalesce(F(f"{seen}phase"), Value(Phase.QUEUED.value))
    return Case(
        When(**{f"{at}refusal__terminal": True}, then=Value(Phase.FAILED.value)),
        When(**{state: DesiredState.DELETED.value}, then=Value(Phase.DELETING.value)),
        When(is_stale(now, at), then=Value(Phase.UNKNOWN.value)),
        When(
            Q(**{state: DesiredState.STOPPED.value}) & ~Q(**{f"{seen}phase": Phase.STOPPED.value}),
            then=Value(Phase.STOPPING.value),
        ),
        When(
            Q(**{state: DesiredState.RUNNING.value})
            & Q(**{f"{seen}phase__in": [Phase.STOPPED.value, Phase.STOPPING.value]}),
            then=Value(Phase.QUEUED.value),
        ),
        When(
            (
                Q(**{f"{seen}revision__lt": F(f"{at}current__number")})
                | Q(**{f"{at}restarted_at__gt": F(f"{seen}observed_at")})
            )
            & Q(**{f"{seen}phase__in": [Phase.SERVING.value, Phase.DEGRADED.value, Phase.FAILED.value]}),
            then=Value(Phase.UPDATING.value),
        ),
        default=phase,
        output_field=CharField(),
    )


def is_stale(now: datetime, at: str = "") -> Q:
    """Nobody has looked for too long, or never did although there was time to."""
    seen, limit = f"{at}observation__", now - TRUSTED_FOR
    never = Q(**{f"{seen}observed_at__isnull": True}) & Q(**{f"{at}changed_at__lt": limit})
    return Q(**{f"{seen}observed_at__lt": limit}) | never


def with_standing(deployments: QuerySet[Deployment], now: datetime) -> QuerySet[Deployment]:
    """Adds `shown`, and brings in the same query what `standing_of` reads."""
    return deployments.select_related("observation", "endpoint__cluster", "changed_by", "current").annotate(
        shown=shown_phase(now)
    )


def standing_of(deployment: Deployment, now: datetime) -> Standing:
    """The standing of a deployment that came through `with_standing`."""
    phase = Phase(deployment.shown)  # type: ignore[attr-defined]
    seen = observation_of(deployment)
    refusal: Mapping[str, Any] | None = deployment.refusal
    sentence, remedy = seen.sentence, seen.remedy
    told = phase is Phase.FAILED and seen.phase == Phase.FAILED and not _too_old(deployment, seen, now)
    if refusal and not told:
        sentence, remedy = str(refusal.get("sentence", "")), str(refusal.get("remedy", ""))
    elif phase is Phase.UNKNOWN and _too_old(deployment, seen, now):
        sentence, remedy = _out_of_sight(deployment, seen, now)
    elif phase != seen.phase:
        # The wish is newer than the last look, so what was seen then explains nothing.
        sentence, remedy = _wish(deployment, phase, now), ""
    return Standing(
        phase, sentence, remedy, seen.ready, seen.wanted, seen.observed_at, refused=refusal is not None
    )


def observation_of(deployment: Deployment) -> Observation:
    """What was seen last; nothing at all for a deployment that nobody has looked at."""
    try:
        return deployment.observation
    except ObjectDoesNotExist:
        return Observation(deployment=deployment, phase_since=deployment.changed_at)


def _too_old(deployment: Deployment, seen: Observation, now: datetime) -> bool:
    return (seen.observed_at or deployment.changed_at) < now - TRUSTED_FOR


def _out_of_sight(deployment: Deployment, seen: Observation, now: datetime) -> tuple[str, str]:
    cluster = deployment.endpoint.cluster
    last = Phase(seen.phase).label.lower() if seen.observed_at else ""
    if cluster.unreachable_since is not None:
        reason = cluster.unreachable_reason or "no answer"
        return status.unreachable(cluster.name, cluster.unreachable_since, reason, last)
    if seen.observed_at is None:
        return (
            "Nobody has looked at it in the cluster yet.",
            "Check that the worker process runs: it applies and watches deployments.",
        )
    return (
        f"It was last looked at {times.age(now - seen.observed_at)} ago, and was then {last}.",
        "Check that the worker process runs: it applies and watches deployments.",
    )


def _wish(deployment: Deployment, phase: Phase, now: datetime) -> str:
    by = f" by {deployment.changed_by}" if deployment.changed_by else ""
    at = times.moment(deployment.changed_at, now)
    if phase is Phase.UPDATING and deployment.restarted_at == deployment.changed_at:
        return f"A restart was asked for at {at} UTC{by}."
    if phase is Phase.UPDATING and deployment.current is not None:
        return f"Revision {deployment.current.number} was saved at {at} UTC{by}."
    verb = {Phase.DELETING: "Deletion", Phase.STOPPING: "A stop", Phase.QUEUED: "A start"}.get(phase)
    return f"{verb} was asked for at {at} UTC{by}." if verb else ""
