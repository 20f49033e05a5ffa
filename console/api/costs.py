"""What organisations may spend, and what GPUs cost the platform. Amounts are texts: JSON's numbers are not exact."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Query, Router, Schema, Status

from console.access import Permission
from console.api.authentication import Asking, needs
from console.api.idempotency import once
from console.api.paging import MOST, USUAL, Page, paged
from console.api.problems import of_form
from console.api.reading import Given
from console.models import Organization
from deployments.models import Cluster
from metering.gpu_time import rates
from metering.models import Budget, GpuRate
from metering.notices.budget_form import BudgetForm
from metering.pricing import in_full

router = Router(tags=["Budgets and costs"])


class BudgetOut(Schema):
    currency: str
    amount: str
    """A month (UTC)."""


class Budgets(Schema):
    items: list[BudgetOut]


class BudgetSet(Given):
    amount: str | None
    """Null: no budget in this currency."""


class GpuCostOut(Schema):
    id: int
    product: str
    currency: str
    per_hour: str
    effective_from: str


class GpuCostNew(Given):
    product: str
    """As its nodes are labelled."""
    per_hour: str
    currency: str
    effective_from: str
    """A whole hour (UTC), such as 2026-11-01T00:00."""


class GpuCosts(Page):
    items: list[GpuCostOut]


@router.get("/organizations/{slug}/budgets", response=Budgets, auth=needs(Permission.PRICES))
def list_budgets(request: Asking, slug: str) -> dict[str, Any]:
    return _budgets(get_object_or_404(Organization, slug=slug))


@router.put("/organizations/{slug}/budgets/{currency}", response=Budgets, auth=needs(Permission.PRICES))
def set_budget(request: Asking, slug: str, currency: str, given: BudgetSet) -> dict[str, Any]:
    """Nothing is stopped when it is used up; notifications tell of it."""
    organization = get_object_or_404(Organization, slug=slug)
    form = BudgetForm([], {"currency": currency, "amount": given.amount})
    if not form.is_valid():
        raise of_form(form)
    form.save(organization, request.auth.user)
    return _budgets(organization)


@router.get("/clusters/{slug}/gpu-costs", response=GpuCosts, auth=needs(Permission.USAGE))
def list_gpu_costs(
    request: Asking,
    response: HttpResponse,
    slug: str,
    limit: int = Query(USUAL, ge=1, le=MOST),
    cursor: str = "",
) -> dict[str, Any]:
    """Newest first; what held before stays on record."""
    rows = GpuRate.objects.filter(cluster=_cluster(request.auth.user, slug))
    return paged(request, response, rows, "id", _cost, limit=limit, cursor=cursor, is_newest_first=True)


@router.post("/clusters/{slug}/gpu-costs", response={201: GpuCostOut}, auth=needs(Permission.PRICES))
@once()
def enter_gpu_cost(request: Asking, slug: str, given: GpuCostNew) -> Status[dict[str, Any]]:
    """Of one GPU for an hour, from an hour on, which may be past: nobody is billed by it."""
    user, now = request.auth.user, timezone.now()
    cluster = _cluster(user, slug)
    form = rates.RateForm(rates.products(cluster, now), now, given.dict())
    if not form.is_valid():
        raise of_form(form)
    return Status(201, _cost(form.save(cluster, user)))


def _cluster(user: Any, slug: str) -> Cluster:
    return get_object_or_404(Cluster.objects.visible_to(user).defer("kubeconfig"), slug=slug)


def _budgets(organization: Organization) -> dict[str, Any]:
    found = Budget.objects.filter(organization=organization).order_by("currency")
    return {"items": [{"currency": each.currency, "amount": in_full(each.amount)} for each in found]}


def _cost(rate: GpuRate) -> dict[str, Any]:
    return {
        "id": rate.pk,
        "product": rate.product,
        "currency": rate.currency,
        "per_hour": in_full(rate.per_hour),
        "effective_from": f"{rate.effective_from:%Y-%m-%dT%H:%MZ}",
    }
