"""Access keys of this API itself: one's own, and for administrators those of everybody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Query, Router, Schema, Status

from console.access import Permission
from console.access_key import AccessKey
from console.api import issuing
from console.api.authentication import Asking
from console.api.idempotency import once
from console.api.paging import MOST, USUAL, Page, paged
from console.api.problems import Problem
from console.api.reading import Given

router = Router(tags=["Access keys"])


class AccessKeyOut(Schema):
    id: int
    name: str
    owner: str
    prefix: str
    scopes: list[str]
    is_live: bool
    created_at: str
    expires_at: str
    last_used_at: str | None


class AccessKeyShown(AccessKeyOut):
    key: str
    """The key itself, this once."""


class AccessKeyNew(Given):
    name: str
    scopes: list[str] = []
    days: int | None = None
    """Null: 90, or as long as the access key lives that makes it."""


class AccessKeys(Page):
    items: list[AccessKeyOut]


@router.get("/access-keys", response=AccessKeys)
def list_access_keys(
    request: Asking, response: HttpResponse, limit: int = Query(USUAL, ge=1, le=MOST), cursor: str = ""
) -> dict[str, Any]:
    """Newest first."""
    rows = visible(request.auth)
    return paged(request, response, rows, "id", _shown, limit=limit, cursor=cursor, is_newest_first=True)


@router.post("/access-keys", response={201: AccessKeyShown})
@once(secret=True)
def create_access_key(request: Asking, response: HttpResponse, given: AccessKeyNew) -> Status[dict[str, Any]]:
    """Of one's own. A key makes no key that has more rights than it has itself, or lives longer."""
    user = request.auth.user
    unknown = sorted(set(given.scopes) - set(Permission))
    if unknown:
        raise Problem(422, errors=[("scopes", f"There is no right “{unknown[0][:60]}”.")])
    scopes = [Permission(word) for word in given.scopes]
    if not all(request.auth.may(each) for each in scopes):
        raise Problem(403, "This access key cannot give rights that it does not have.")
    life = _life(given.days, request.auth.key)
    try:
        key, text = issuing.issue(owner=user, name=given.name, scopes=scopes, life=life, by=user)
    except issuing.Refused as refused:
        raise Problem(422, errors=[(refused.field or "", str(refused))]) from None
    response["Cache-Control"] = "no-store"
    return Status(201, {**_shown(key), "key": text})


@router.delete("/access-keys/{number}", response={204: None})
def revoke(request: Asking, number: int) -> Status[None]:
    """A key ends itself, and keys that have no right beyond its own."""
    if not 0 < number < 2**63:
        raise Problem(404)
    found = get_object_or_404(visible(request.auth), pk=number)
    own = request.auth.key
    if own is not None and not set(found.scopes) <= set(own.scopes):
        raise Problem(403, "This access key cannot end one that has rights beyond its own.")
    issuing.revoke(found)
    return Status(204, None)


def visible(principal: Any) -> Any:
    """One's own; those of everybody for who administers people."""
    rows = AccessKey.objects.select_related("user")
    return rows if principal.may(Permission.ORGANIZATIONS) else rows.filter(user=principal.user)


def _life(days: int | None, maker: AccessKey | None) -> timedelta:
    """How long a new key lives. Raises Problem."""
    if days is not None and not 0 < days <= issuing.LONGEST_LIFE.days:
        raise Problem(422, errors=[("days", f"It is 1 to {issuing.LONGEST_LIFE.days}.")])
    wanted = issuing.USUAL_LIFE if days is None else timedelta(days=days)
    if maker is None:
        return wanted
    left = maker.expires_at - timezone.now()
    if days is not None and wanted > left:
        raise Problem(
            403,
            f"This access key ends {maker.expires_at:%Y-%m-%d %H:%M} UTC, and makes none that lives longer.",
        )
    return min(wanted, left)


def _shown(key: AccessKey) -> dict[str, Any]:
    return {
        "id": key.pk,
        "name": key.name,
        "owner": key.user.email,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "is_live": key.revoked_at is None and key.expires_at > timezone.now() and key.user.is_active,
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat(),
        "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
    }
