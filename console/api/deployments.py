"""Deployments in the document format: what `manage.py apply` does, with optimistic concurrency by ETag."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Query, Router, Schema, Status

from console.access import Permission
from console.api.authentication import Asking, needs
from console.api.finding import find_deployment
from console.api.idempotency import once
from console.api.paging import MOST, USUAL, Page, paged
from console.api.problems import Problem
from console.api.reading import Given
from console.models import User
from deployments import desired, document
from deployments.applying import apply_document
from deployments.desired import Conflict
from deployments.history import restoring
from deployments.models import Deployment, Revision
from deployments.standing import standing_of, with_standing
from deployments.vocabulary import DesiredState

router = Router(tags=["Deployments"])
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "schema": {"type": "string"},
    "description": "The ETag of the revision that was looked at",
}
_ANY_DOCUMENT = {
    "parameters": [_IF_MATCH],
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "object", "description": "A ModelDeployment, slipway/v1"}}
            for kind in ("application/json", "application/yaml")
        },
    },
}


class DeploymentOut(Schema):
    name: str
    model: str
    endpoint: str
    revision: int
    desired_state: str
    phase: str
    sentence: str
    """Why it is so."""
    remedy: str
    """What to do about it."""
    ready: int
    wanted: int
    sharing: str
    changed_at: str


class DeploymentWhole(DeploymentOut):
    document: dict[str, Any]


class Deployments(Page):
    items: list[DeploymentOut]


class DifferenceOut(Schema):
    path: str
    before: str
    after: str


class Applied(Schema):
    result: str
    """created, changed or unchanged."""
    name: str
    revision: int
    dry_run: bool
    differences: list[DifferenceOut]


class RevisionOut(Schema):
    number: int
    note: str
    author: str | None
    created_at: str


class RevisionWhole(RevisionOut):
    document: dict[str, Any]


class Revisions(Page):
    items: list[RevisionOut]


class RollBack(Given):
    revision: int
    note: str = ""


@router.get("/deployments", response=Deployments)
def list_deployments(
    request: Asking, response: HttpResponse, limit: int = Query(USUAL, ge=1, le=MOST), cursor: str = ""
) -> dict[str, Any]:
    user, now = request.auth.user, timezone.now()
    found = _rows(user, now)
    return paged(request, response, found, "name", lambda each: _shown(each, now), limit=limit, cursor=cursor)


@router.get("/deployments/{name}", response=DeploymentWhole)
def get_deployment(request: Asking, response: HttpResponse, name: str) -> dict[str, Any]:
    """The ETag is that of its revision: send it as If-Match with a change."""
    now = timezone.now()
    found = get_object_or_404(_rows(request.auth.user, now), name=name)
    response["ETag"] = _etag(found)
    return {**_shown(found, now), "document": document.to_mapping(found.spec)}


@router.put(
    "/deployments/{name}",
    response={200: Applied, 201: Applied},
    openapi_extra=_ANY_DOCUMENT,
    auth=needs(Permission.DEPLOY),
)
def apply(
    request: Asking, response: HttpResponse, name: str, dry_run: bool = Query(False, alias="dryRun")
) -> Status[dict[str, Any]]:
    """Creates or changes it, as `manage.py apply` does; JSON or YAML. `dryRun` saves nothing and says what would be.

    With If-Match it is changed only when that is still its revision; with `If-None-Match: *` only created.
    """
    user = request.auth.user
    spec = document.read(request.body)
    if spec.name != name:
        raise Problem(
            422, errors=[("metadata.name", f"It is “{spec.name}”, and the address says “{name[:60]}”.")]
        )
    try:
        outcome = apply_document(
            spec,
            user,
            dry_run=dry_run,
            note="By the API",
            may_share=request.auth.may(Permission.SHARE),
            hold=lambda found: _hold_preconditions(request, found),
        )
    except Conflict as conflict:
        raise Problem(409, str(conflict)) from None
    response["ETag"] = f'"{outcome.revision}"'
    was_created = outcome.result == "created" and not dry_run
    told = {
        "result": outcome.result.value,
        "name": name,
        "revision": outcome.revision,
        "dry_run": dry_run,
        "differences": [
            {"path": each.path, "before": each.before, "after": each.after} for each in outcome.differences
        ],
    }
    return Status(201 if was_created else 200, told)


@router.delete(
    "/deployments/{name}",
    response={202: DeploymentOut},
    openapi_extra={"parameters": [_IF_MATCH]},
    auth=needs(Permission.DEPLOY),
)
def delete_deployment(request: Asking, name: str) -> Status[dict[str, Any]]:
    """Takes it out of the cluster; the record goes when nothing is left there. If-Match holds here, too."""
    user = request.auth.user
    with transaction.atomic():
        found = get_object_or_404(_locked(user), name=name)
        _hold_preconditions(request, found)
        desired.delete(found, author=user)
        return Status(202, _look(user, name))


@router.post("/deployments/{name}/stop", response={202: DeploymentOut}, auth=needs(Permission.DEPLOY))
@once()
def stop(request: Asking, name: str) -> Status[dict[str, Any]]:
    """Zero replicas; the configuration stays."""
    return Status(202, _wished(request, name, desired.stop))


@router.post("/deployments/{name}/start", response={202: DeploymentOut}, auth=needs(Permission.DEPLOY))
@once()
def start(request: Asking, name: str) -> Status[dict[str, Any]]:
    """Replicas again, as its revision says."""
    return Status(202, _wished(request, name, desired.start))


@router.post("/deployments/{name}/restart", response={202: DeploymentOut}, auth=needs(Permission.DEPLOY))
@once()
def restart(request: Asking, name: str) -> Status[dict[str, Any]]:
    """Makes the replicas anew, in the way that is safe now."""

    def wish(found: Deployment, author: User) -> None:
        if not desired.restart(found, author=author, since=found.restarted_at):
            raise Problem(409, f"{name} is not meant to run.")

    return Status(202, _wished(request, name, wish))


@router.post("/deployments/{name}/roll-back", response={202: DeploymentOut}, auth=needs(Permission.DEPLOY))
@once()
def roll_back(request: Asking, name: str, given: RollBack) -> Status[dict[str, Any]]:
    """A new revision with the settings of an earlier one."""
    user = request.auth.user
    found = _changeable(find_deployment(user, name))
    assert found.current is not None
    old = get_object_or_404(found.revisions, number=given.revision) if 0 < given.revision < 2**31 else None
    if old is None:
        raise Problem(422, errors=[("revision", "There is no such revision.")])
    may_share = request.auth.may(Permission.SHARE)
    back = restoring.restored(old.spec, found.current.spec, keep_sharing=not may_share)
    try:
        desired.roll_back(
            found,
            old,
            back.spec,
            author=user,
            expected=found.current.number,
            note=given.note[:200] or f"Back to revision {old.number}",
        )
    except Conflict as conflict:
        raise Problem(409, str(conflict)) from None
    return Status(202, _look(user, name))


@router.get("/deployments/{name}/revisions", response=Revisions)
def list_revisions(
    request: Asking,
    response: HttpResponse,
    name: str,
    limit: int = Query(USUAL, ge=1, le=MOST),
    cursor: str = "",
) -> dict[str, Any]:
    """Newest first."""
    found = find_deployment(request.auth.user, name)
    rows = Revision.objects.filter(deployment=found).select_related("author").defer("secrets", "document")
    return paged(
        request, response, rows, "number", _revision, limit=limit, cursor=cursor, is_newest_first=True
    )


@router.get("/deployments/{name}/revisions/{number}", response=RevisionWhole)
def get_revision(request: Asking, name: str, number: int) -> dict[str, Any]:
    found = find_deployment(request.auth.user, name)
    if not 0 < number < 2**31:
        raise Problem(404)
    revision = get_object_or_404(found.revisions.select_related("author").defer("secrets"), number=number)
    return {**_revision(revision), "document": revision.document}


def _rows(user: Any, now: Any) -> Any:
    visible = Deployment.objects.visible_to(user)
    return (
        with_standing(visible, now)
        .select_related("model", "endpoint", "current")
        .defer(
            "current__secrets", "endpoint__cluster__kubeconfig", "endpoint__tls_key", "model__weights_token"
        )
        .filter(current__isnull=False)
    )


def _shown(found: Any, now: Any) -> dict[str, Any]:
    standing = standing_of(found, now)
    return {
        "name": found.name,
        "model": found.model.slug,
        "endpoint": found.endpoint.slug,
        "revision": found.current.number,
        "desired_state": str(found.desired_state),
        "phase": standing.phase.value,
        "sentence": standing.sentence,
        "remedy": standing.remedy,
        "ready": standing.ready,
        "wanted": standing.wanted,
        "sharing": str(found.sharing),
        "changed_at": found.changed_at.isoformat(),
    }


def _revision(revision: Revision) -> dict[str, Any]:
    return {
        "number": revision.number,
        "note": revision.note,
        "author": revision.author.email if revision.author else None,
        "created_at": revision.created_at.isoformat(),
    }


def _changeable(found: Deployment) -> Deployment:
    if found.desired_state == DesiredState.DELETED:
        raise Problem(409, f"{found.name} is being deleted.")
    return found


def _locked(user: Any) -> Any:
    """Nobody changes or removes the one that is read from here, until the transaction ends."""
    return Deployment.objects.visible_to(user).select_for_update(of=("self",))


def _wished(request: Any, name: str, wish: Any) -> dict[str, Any]:
    user = request.auth.user
    with transaction.atomic():
        wish(_changeable(get_object_or_404(_locked(user), name=name)), author=user)
        return _look(user, name)


def _look(user: Any, name: str) -> dict[str, Any]:
    now = timezone.now()
    return _shown(_rows(user, now).get(name=name), now)


def _etag(found: Deployment) -> str:
    assert found.current is not None
    return f'"{found.current.number}"'


def _hold_preconditions(request: Any, found: Deployment | None) -> None:
    wanted = request.headers.get("If-Match", "").strip()
    if wanted and (
        found is None or (wanted != "*" and _etag(found) not in wanted.replace(" ", "").split(","))
    ):
        raise Problem(412, "It is not of the revision that If-Match names. Read it again.")
    if request.headers.get("If-None-Match", "").strip() == "*" and found is not None:
        raise Problem(412, "There is such a deployment already.")
