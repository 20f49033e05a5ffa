"""Addresses of metering: metrics, API keys, limits, usage."""

from django.urls import path

from metering.views import (
    budgets,
    deployment_usage,
    fleet,
    gpu_rates,
    invoices,
    keys,
    limits,
    metrics,
    new_keys,
    usage,
    usage_overview,
)
from metering.views.place import in_console, in_portal

_KEYS = (
    ("", keys.listed, "list"),
    ("new/", new_keys.create, "create"),
    ("<int:number>/", keys.detail, "detail"),
    ("<int:number>/rotate/", new_keys.rotate, "rotate"),
    ("<int:number>/revoke/", keys.revoke, "revoke"),
)

urlpatterns = [
    path("deployments/<slug:name>/metrics/", metrics.metrics, name="deployment_metrics"),
    path("deployments/<slug:name>/usage/", deployment_usage.usage, name="deployment_usage"),
    path("deployments/<slug:name>/limits/", limits.manage, name="deployment_limits"),
    path("clusters/<slug:slug>/gpu-costs/", gpu_rates.manage, name="cluster_gpu_costs"),
    path("fleet/", fleet.fleet, name="fleet"),
    path("usage/", usage_overview.overview, name="usage"),
    path("usage/invoices/", invoices.newest, name="usage_invoices"),
    path("usage/invoices/<str:word>/", invoices.month, name="usage_month"),
    path("usage/invoices/<str:word>/<slug:slug>/", invoices.one, name="usage_invoice"),
    path("notifications/budgets/", budgets.listed, name="budget_list"),
    path("organizations/<slug:slug>/budget/", budgets.manage, name="organization_budget"),
    path("usage/correctness/", usage.correctness, name="usage_correctness"),
    # The same pages twice: for administrators in the console, for tenants in their portal.
    *(path(f"keys/{rest}", in_console(view), name=f"key_{name}") for rest, view, name in _KEYS),
    *(path(f"portal/keys/{rest}", in_portal(view), name=f"portal_key_{name}") for rest, view, name in _KEYS),
]
