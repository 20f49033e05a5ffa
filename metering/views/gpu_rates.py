"""What the GPUs of a cluster cost by the hour: in force now, on record, and the form for a new rate."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from console.access import Permission, can, requires
from console.http import Request, page
from console.presentation.figures import money
from deployments import gpus
from deployments.models import Cluster
from metering.gpu_time import rates
from metering.models import GpuRate


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.USAGE)
def manage(request: Request, slug: str) -> HttpResponse:
    """GET shows; POST enters a rate, for people who may set prices."""
    cluster = get_object_or_404(Cluster.objects.visible_to(request.user).defer("kubeconfig"), slug=slug)
    may_change = can(request.user, Permission.PRICES)
    if request.method == "POST" and not may_change:
        raise PermissionDenied
    now = timezone.now()
    known = rates.products(cluster, now)
    form = rates.RateForm(known, now, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        rate = form.save(cluster, request.user)
        name = gpus.short_name(rate.product) or "GPUs without a label"
        messages.success(
            request, f"{name} on {cluster} cost {money(rate.per_hour, rate.currency)} an hour from then on."
        )
        return redirect("cluster_gpu_costs", cluster.slug)
    history = GpuRate.objects.filter(cluster=cluster).select_related("created_by")[: rates.MOST_SHOWN]
    context = {
        "cluster": cluster,
        "products": known,
        "history": [(gpus.short_name(rate.product) or "GPU without a label", rate) for rate in history],
        "form": form if may_change and known else None,
        "now": now,
    }
    return page(request, "metering/gpu_rates.html", context, status=422 if form.errors else 200)
