"""What an organisation's people may know of the deployments that are shared with them: name, model, plain state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Exists, OuterRef, Q

from console.models import Organization, User
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


@dataclass(frozen=True, slots=True)
class SharedModel:
    name: str
    model: str
    state: State


AVAILABLE = State("Available", Tone.GOOD)
SLOW = State("Available, with less capacity", Tone.WARN)
STARTING = State("Starting", Tone.BUSY)
AWAY = State("Not available", Tone.BAD)
OFF = State("Switched off", Tone.IDLE, "circle-stop")
NOT_KNOWN = State("Not known at the moment", Tone.WARN)


def shared_with(user: User, now: datetime) -> list[SharedModel]:
    """Deployments shared with any organisation of this person, by name. One query."""
    given = Share.objects.filter(deployment=OuterRef("pk"), organization__memberships__user=user)
    has_one = Exists(user.memberships.all())
    found = (
        with_standing(Deployment.objects.all(), now)
        .select_related("model")
        .filter(Q(sharing=Sharing.ALL) & has_one | Q(sharing=Sharing.SELECTED) & Exists(given))
        .exclude(desired_state=DesiredState.DELETED)
        .order_by("name")[:MOST]
    )
    return [SharedModel(d.name, d.model.name, in_plain_words(standing_of(d, now))) for d in found]


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
        return AVAILABLE
    if standing.phase is Phase.UNKNOWN:
        return NOT_KNOWN
    if standing.phase in (Phase.STOPPED, Phase.STOPPING, Phase.DELETING):
        return OFF
    if standing.ready:
        return SLOW if standing.ready < standing.wanted else AVAILABLE
    return STARTING if standing.phase.is_moving else AWAY
