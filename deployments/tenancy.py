"""What an organisation's people may know of the deployments that are shared with them: which, and their plain state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Exists, OuterRef, Q

from console.models import Organization
from deployments.models import Deployment, Share
from deployments.standing import Standing, standing_of, with_standing
from deployments.vocabulary import DesiredState, Phase, Sharing, Tone

MOST = 200


@dataclass(frozen=True, slots=True)
class State:
    """In a tenant's words; no nodes, no clusters, no reasons."""

    label: str
    tone: Tone
    icon: str = ""
    sentence: str = ""
    """What it means for whoever calls it; empty where all is well."""


SERVING = State("Serving", Tone.GOOD)
LESS = State("Slow", Tone.WARN, sentence="It serves with less capacity than usual, and may be slower.")
LATE = State("Slow", Tone.WARN, sentence="Answers have begun later than they should in the last 24 hours.")
STARTING = State(
    "Starting", Tone.BUSY, sentence="It is being started. Until it serves, calls are answered with 503."
)
AWAY = State("Unavailable", Tone.BAD, sentence="It does not answer at present. Calls are answered with 503.")
OFF = State("Switched off", Tone.IDLE, "circle-stop", "The people who run the platform have switched it off.")
NOT_KNOWN = State(
    "Not known", Tone.WARN, sentence="How it stands is not known at this moment. Calls may work."
)


def states_for(organization: Organization, now: datetime) -> list[tuple[Deployment, State]]:
    """What this organisation may use, by name, and how it stands. One query."""
    found = with_standing(open_to(organization), now).select_related("model__provider")[:MOST]
    return [(deployment, in_plain_words(standing_of(deployment, now))) for deployment in found]


def open_to(*organizations: Organization) -> models.QuerySet[Deployment]:
    """Deployments that one of these organisations may use, by name."""
    if not organizations:
        return Deployment.objects.none()
    given = Share.objects.filter(deployment=OuterRef("pk"), organization__in=organizations)
    return (
        Deployment.objects.filter(Q(sharing=Sharing.ALL) | Q(sharing=Sharing.SELECTED) & Exists(given))
        .exclude(desired_state=DesiredState.DELETED)
        .order_by("name")
    )


def in_plain_words(standing: Standing) -> State:
    if standing.phase is Phase.SERVING:
        return SERVING
    if standing.phase is Phase.UNKNOWN:
        return NOT_KNOWN
    if standing.phase in (Phase.STOPPED, Phase.STOPPING, Phase.DELETING):
        return OFF
    if standing.ready:
        return LESS if standing.ready < standing.wanted else SERVING
    return STARTING if standing.phase.is_moving else AWAY
