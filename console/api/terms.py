"""The terms of a deployment: with whom it is shared, limits, prices."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status

from console.access import Permission
from console.api.authentication import Asking, needs
from console.api.finding import find_deployment
from console.api.paging import MOST, USUAL, Page, paged
from console.api.problems import Problem, of_document
from console.api.reading import Given
from console.models import Organization
from deployments import desired
from deployments.desired import Conflict
from deployments.document import InvalidDocument
from deployments.models import Price
from deployments.vocabulary import LimitScope, Sharing
from metering import limit_changes
from metering.limit_changes import Amounts
from metering.own_limits import own_amounts

router = Router(tags=["Sharing, limits, prices"])
_MOST_REQUESTS, _MOST_TOKENS = 10**9, 10**12


class SharingSet(Given):
    mode: str
    """private, all or selected."""
    organizations: list[str] = []


class Limit(Schema):
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class Limits(Given):
    organization: Limit | None = None
    user: Limit | None = None
    api_key: Limit | None = None


class LimitsMode(Given):
    reports_only: bool
    """Limits refuse nobody and are only reported."""


class OwnLimits(Schema):
    organization: str
    limits: Limits


class LimitsOut(Schema):
    limits: Limits
    """For everybody; they are part of the document."""
    exceptions: list[OwnLimits]
    reports_only: bool


class PriceOut(Schema):
    id: int
    currency: str
    input_per_million: str | None
    output_per_million: str | None
    cached_input_per_million: str | None
    effective_from: str


class Prices(Page):
    items: list[PriceOut]


_NAMES = {"organization": LimitScope.ORGANIZATION, "user": LimitScope.USER, "api_key": LimitScope.API_KEY}


@router.get("/deployments/{name}/sharing", response=SharingSet)
def get_sharing(request: Asking, name: str) -> dict[str, Any]:
    sharing = find_deployment(request.auth.user, name).spec.sharing
    return {"mode": sharing.mode.value, "organizations": list(sharing.organizations)}


@router.put("/deployments/{name}/sharing", response=SharingSet, auth=needs(Permission.SHARE))
def set_sharing(request: Asking, name: str, given: SharingSet) -> dict[str, Any]:
    """Takes effect at every gateway within a second; no replica restarts."""
    user = request.auth.user
    found = find_deployment(user, name)
    if given.mode not in set(Sharing):
        raise Problem(422, errors=[("mode", "It is private, all or selected.")])
    if given.mode == Sharing.SELECTED and not given.organizations:
        raise Problem(422, errors=[("organizations", "Choose one or more, or the mode private.")])
    try:
        made = desired.share(found, Sharing(given.mode), given.organizations, author=user)
    except InvalidDocument as invalid:
        raise of_document(invalid) from None
    except Conflict as conflict:
        raise Problem(409, str(conflict)) from None
    sharing = made.spec.sharing
    return {"mode": sharing.mode.value, "organizations": list(sharing.organizations)}


@router.get("/deployments/{name}/limits", response=LimitsOut)
def get_limits(request: Asking, name: str) -> dict[str, Any]:
    found = find_deployment(request.auth.user, name)
    general = {
        scope: Amounts(each.requests_per_minute, each.tokens_per_minute)
        for scope, each in found.spec.rate_limits.by_scope().items()
    }
    return {
        "limits": _said(general),
        "exceptions": [
            {"organization": slug, "limits": _said(amounts)} for slug, amounts in own_amounts(found).items()
        ],
        "reports_only": limit_changes.is_shadow(found),
    }


@router.put("/deployments/{name}/limits", response=LimitsOut, auth=needs(Permission.PRICES))
def set_mode(request: Asking, name: str, given: LimitsMode) -> dict[str, Any]:
    """Whether limits are enforced; they themselves are part of the document."""
    limit_changes.set_shadow(find_deployment(request.auth.user, name), given.reports_only)
    return get_limits(request, name)


@router.put("/deployments/{name}/limits/{organization}", response=OwnLimits, auth=needs(Permission.PRICES))
def set_exception(request: Asking, name: str, organization: str, given: Limits) -> dict[str, Any]:
    """Limits of one organisation; a scope that is sent stands in for the general one, null and left out follow it."""
    found = find_deployment(request.auth.user, name)
    tenant = get_object_or_404(Organization, slug=organization)
    amounts = {
        scope: _amounts(word, limit)
        for word, scope in _NAMES.items()
        if (limit := getattr(given, word)) is not None
    }
    if not amounts:
        raise Problem(422, "Nothing is different. Send a scope, or delete the exception.")
    limit_changes.set_exception(found, tenant, amounts)
    return {"organization": organization, "limits": _said(amounts)}


@router.delete(
    "/deployments/{name}/limits/{organization}", response={204: None}, auth=needs(Permission.PRICES)
)
def remove_exception(request: Asking, name: str, organization: str) -> Status[None]:
    found = find_deployment(request.auth.user, name)
    limit_changes.remove_exception(found, get_object_or_404(Organization, slug=organization))
    return Status(204, None)


@router.get("/deployments/{name}/prices", response=Prices, auth=needs(Permission.USAGE))
def list_prices(
    request: Asking,
    response: HttpResponse,
    name: str,
    limit: int = Query(USUAL, ge=1, le=MOST),
    cursor: str = "",
) -> dict[str, Any]:
    """Newest first. A price changes with the document; what was is never changed."""
    found = find_deployment(request.auth.user, name)
    rows = Price.objects.filter(deployment=found)
    return paged(request, response, rows, "id", _price, limit=limit, cursor=cursor, is_newest_first=True)


def _said(amounts: dict[LimitScope, Amounts]) -> dict[str, Any]:
    return {
        word: {"requests_per_minute": amounts[scope].requests, "tokens_per_minute": amounts[scope].tokens}
        if scope in amounts
        else None
        for word, scope in _NAMES.items()
    }


def _amounts(word: str, limit: Limit) -> Amounts:
    for name, value, most in (
        ("requests_per_minute", limit.requests_per_minute, _MOST_REQUESTS),
        ("tokens_per_minute", limit.tokens_per_minute, _MOST_TOKENS),
    ):
        if value is not None and not 1 <= value <= most:
            raise Problem(422, errors=[(f"{word}.{name}", f"It is 1 to {most:,}, or null for no limit.")])
    return Amounts(limit.requests_per_minute, limit.tokens_per_minute)


def _price(price: Price) -> dict[str, Any]:
    def text(value: Any) -> str | None:
        return None if value is None else f"{value.normalize():f}"

    return {
        "id": price.pk,
        "currency": price.currency,
        "input_per_million": text(price.input_per_million),
        "output_per_million": text(price.output_per_million),
        "cached_input_per_million": text(price.cached_input_per_million),
        "effective_from": price.effective_from.isoformat(),
    }
