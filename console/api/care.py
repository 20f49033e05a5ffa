"""Looking after a deployment: another look, hand-made changes, giving it up, and what its latency is to be."""

from __future__ import annotations

from typing import Any

from ninja import Router, Schema, Status

from console.access import Permission
from console.api.authentication import Asking, needs
from console.api.finding import find_deployment
from console.api.idempotency import once
from console.api.problems import Problem, of_form
from console.api.reading import Given
from deployments import desired
from deployments.leftovers import StillThere
from deployments.models import Deployment
from deployments.vocabulary import DriftPolicy
from metering.latency.target_form import TargetForm
from metering.models import LatencyTarget

router = Router(tags=["Deployments"])


class DriftOut(Schema):
    policy: str
    changes: int
    """Made in the cluster by others, as the last look found them."""
    repaired: bool


class DriftSet(Given):
    policy: str
    """repair or leave."""


class Targets(Given):
    ttft_ms: int | None = None
    itl_ms: int | None = None


@router.post("/deployments/{name}/look-again", response={202: DriftOut}, auth=needs(Permission.DEPLOY))
@once()
def look_again(request: Asking, name: str) -> Status[dict[str, Any]]:
    """Forgets refusals and back-off, and looks at the cluster at once; wants nothing new."""
    found = find_deployment(request.auth.user, name)
    desired.look_again(found)
    return Status(202, _drift(found))


@router.get("/deployments/{name}/drift", response=DriftOut)
def get_drift(request: Asking, name: str) -> dict[str, Any]:
    return _drift(find_deployment(request.auth.user, name))


@router.put("/deployments/{name}/drift", response=DriftOut, auth=needs(Permission.DEPLOY))
def set_drift_policy(request: Asking, name: str, given: DriftSet) -> dict[str, Any]:
    """What becomes of changes that others make in the cluster, from now on."""
    user = request.auth.user
    if given.policy not in set(DriftPolicy):
        raise Problem(422, errors=[("policy", "It is repair or leave.")])
    desired.set_drift_policy(find_deployment(user, name), DriftPolicy(given.policy), author=user)
    return _drift(find_deployment(user, name))


@router.post("/deployments/{name}/repair", response={202: DriftOut}, auth=needs(Permission.DEPLOY))
@once()
def repair(request: Asking, name: str) -> Status[dict[str, Any]]:
    """Takes back what others changed, once, whatever the policy says."""
    user = request.auth.user
    found = find_deployment(user, name)
    if not found.drift or found.drift.get("repaired"):
        raise Problem(409, "Nothing is left to take back.")
    desired.repair_now(found, author=user)
    return Status(202, _drift(find_deployment(user, name)))


@router.post("/deployments/{name}/abandon", response={204: None}, auth=needs(Permission.DEPLOY))
def abandon(request: Asking, name: str) -> Status[None]:
    """Removes the record of a deployment whose cluster is gone; what is there stays."""
    user = request.auth.user
    try:
        desired.abandon(find_deployment(user, name), author=user)
    except StillThere as reason:
        raise Problem(409, str(reason)) from None
    return Status(204, None)


@router.get("/deployments/{name}/latency-targets", response=Targets)
def get_targets(request: Asking, name: str) -> dict[str, Any]:
    return _targets(find_deployment(request.auth.user, name))


@router.put("/deployments/{name}/latency-targets", response=Targets, auth=needs(Permission.DEPLOY))
def set_targets(request: Asking, name: str, given: Targets) -> dict[str, Any]:
    """Milliseconds that the p95 of each hour is to stay below; null: no target."""
    found = find_deployment(request.auth.user, name)
    form = TargetForm(None, given.dict())
    if not form.is_valid():
        raise of_form(form)
    form.save(found)
    return _targets(found)


def _drift(found: Deployment) -> dict[str, Any]:
    seen = found.drift or {}
    return {
        "policy": str(found.drift_policy),
        "changes": len(seen.get("changes") or []),
        "repaired": bool(seen.get("repaired")),
    }


def _targets(found: Deployment) -> dict[str, Any]:
    target = LatencyTarget.objects.filter(deployment=found).first()
    return {"ttft_ms": target.ttft_ms if target else None, "itl_ms": target.itl_ms if target else None}
