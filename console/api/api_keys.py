"""API keys of tenants: made for a person of an organisation, rotated, revoked. The text is in one answer only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Query, Router, Schema, Status

from console.access import Permission
from console.api.authentication import Asking, needs
from console.api.idempotency import once
from console.api.paging import MOST, USUAL, Page, paged
from console.api.problems import Problem
from console.api.reading import Given
from console.models import Membership
from deployments.models import Deployment
from metering import issuing
from metering.models import ApiKey
from metering.standing import state_of

router = Router(tags=["API keys"])
_LONGEST_OVERLAP = timedelta(days=7)


class ApiKeyOut(Schema):
    id: int
    name: str
    prefix: str
    user: str
    organization: str
    state: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    deployments: list[str] | None
    """Null: for all that is shared with the organisation."""


class ApiKeyShown(ApiKeyOut):
    key: str
    """The key itself, this once."""


class ApiKeyNew(Given):
    user: str
    """E-mail address of a member."""
    organization: str
    name: str
    description: str = ""
    expires_at: datetime | None = None
    deployments: list[str] | None = None


class Rotation(Given):
    overlap_seconds: int = 0


class ApiKeys(Page):
    items: list[ApiKeyOut]


@router.get("/api-keys", response=ApiKeys)
def list_api_keys(
    request: Asking, response: HttpResponse, limit: int = Query(USUAL, ge=1, le=MOST), cursor: str = ""
) -> dict[str, Any]:
    """Newest first."""
    rows = _rows(request.auth.user)
    return paged(request, response, rows, "id", _shown, limit=limit, cursor=cursor, is_newest_first=True)


@router.get("/api-keys/{number}", response=ApiKeyOut)
def get_api_key(request: Asking, number: int) -> dict[str, Any]:
    return _shown(_find(request.auth.user, number))


@router.post("/api-keys", response={201: ApiKeyShown}, auth=needs(Permission.ORGANIZATIONS))
@once(secret=True)
def create_api_key(request: Asking, response: HttpResponse, given: ApiKeyNew) -> Status[dict[str, Any]]:
    user = request.auth.user
    member = (
        Membership.objects.select_related("user", "organization")
        .filter(user__email=given.user.lower(), organization__slug=given.organization)
        .first()
    )
    if member is None:
        raise Problem(422, errors=[("user", "Nobody of this address belongs to this organisation.")])
    chosen = None
    if given.deployments is not None:
        chosen = list(Deployment.objects.filter(name__in=given.deployments[:1000]))
        if len(chosen) != len(set(given.deployments)):
            raise Problem(422, errors=[("deployments", "One of them is not there.")])
    expires = given.expires_at
    if expires is not None and expires.tzinfo is None:
        raise Problem(422, errors=[("expires_at", "Give the zone, such as 2026-12-31T00:00:00Z.")])
    try:
        key, text = issuing.issue(
            user=member.user,
            organization=member.organization,
            name=given.name,
            description=given.description,
            expires_at=expires,
            deployments=chosen,
            by=user,
        )
    except issuing.Refused as refused:
        raise Problem(422, errors=[(refused.field or "", str(refused))]) from None
    return Status(201, _once_shown(response, user, key, text))


@router.post("/api-keys/{number}/rotate", response={201: ApiKeyShown}, auth=needs(Permission.ORGANIZATIONS))
@once(secret=True)
def rotate(request: Asking, response: HttpResponse, number: int, given: Rotation) -> Status[dict[str, Any]]:
    """A new key in its place; the old one goes on for the overlap, seven days at most."""
    user = request.auth.user
    if not 0 <= given.overlap_seconds <= _LONGEST_OVERLAP.total_seconds():
        raise Problem(422, errors=[("overlap_seconds", "It is 0 to 604,800.")])
    found = _find(user, number)
    try:
        key, text = issuing.rotate(found, overlap=timedelta(seconds=given.overlap_seconds), by=user)
    except issuing.Refused as refused:
        raise Problem(409, str(refused)) from None
    return Status(201, _once_shown(response, user, key, text))


@router.post("/api-keys/{number}/revoke", response=ApiKeyOut, auth=needs(Permission.ORGANIZATIONS))
def revoke(request: Asking, number: int) -> dict[str, Any]:
    """No gateway takes it any more, within a second."""
    user = request.auth.user
    issuing.revoke(_find(user, number), by=user)
    return _shown(_find(user, number))


def _rows(user: Any) -> Any:
    visible = ApiKey.objects.visible_to(user).exclude(kind=ApiKey.Kind.PLAYGROUND)
    return visible.with_owners().select_related("user", "organization").prefetch_related("deployments")


def _find(user: Any, number: int) -> ApiKey:
    if not 0 < number < 2**63:
        raise Problem(404)
    return get_object_or_404(_rows(user), pk=number)


def _once_shown(response: HttpResponse, user: Any, key: ApiKey, text: str) -> dict[str, Any]:
    response["Cache-Control"] = "no-store"
    return {**_shown(_find(user, key.pk)), "key": text}


def _shown(key: ApiKey) -> dict[str, Any]:
    def text(at: datetime | None) -> str | None:
        return at.isoformat() if at else None

    return {
        "id": key.pk,
        "name": key.name,
        "prefix": key.prefix,
        "user": key.user.email,
        "organization": key.organization.slug,
        "state": state_of(key, timezone.now()).label,
        "created_at": key.created_at.isoformat(),
        "expires_at": text(key.expires_at),
        "last_used_at": text(key.last_used_at),
        "deployments": None if key.all_deployments else sorted(each.name for each in key.deployments.all()),
    }
