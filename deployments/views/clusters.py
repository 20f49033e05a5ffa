"""Clusters: where deployments run, what was learned about them, and the check of the connection."""

from django.contrib import messages
from django.db import IntegrityError
from django.db.models import Count, IntegerField, OuterRef, ProtectedError, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access import Permission, requires
from console.audit import rows
from console.http import Request, page
from console.pages import paginate
from console.presentation import times
from console.reauthentication import confirmed
from deployments import audited, desired, gpus
from deployments.clusters import page as cluster_facts
from deployments.clusters.check import check as check_connection
from deployments.clusters.forms import ClusterForm
from deployments.models import Cluster, Deployment, Endpoint
from deployments.vocabulary import ClusterKind

MOST_ENDPOINTS = 200
_TAKEN = "Another cluster has this short name. Use a different one."


@require_safe
@requires(Permission.VIEW)
def listing(request: Request) -> HttpResponse:
    """Every cluster with what it has and whether it answers."""
    now = timezone.now()
    shown = paginate(request, _visible(request))
    for cluster in shown:
        facts = cluster_facts.facts_of(cluster)
        cluster.answer = cluster_facts.answer(cluster, now)
        cluster.version = facts.version if facts else ""
        cluster.supply = gpus.supply([facts]) if facts else []
        cluster.kind_label = ClusterKind(cluster.kind).label
    return page(request, "deployments/clusters/list.html", {"page": shown})


@require_safe
@requires(Permission.VIEW)
def detail(request: Request, slug: str) -> HttpResponse:
    """One cluster: the facts of its last check, and the endpoints on it."""
    cluster = get_object_or_404(_visible(request), slug=slug)
    facts = cluster_facts.facts_of(cluster)
    endpoints = list(_endpoints(request, cluster)[:MOST_ENDPOINTS])
    context = {
        "cluster": cluster,
        "kind": ClusterKind(cluster.kind),
        "answer": cluster_facts.answer(cluster, timezone.now()),
        "facts": facts,
        "products": cluster_facts.products(facts) if facts else [],
        "rights": cluster_facts.rights(facts) if facts else [],
        "addons": cluster_facts.addons(facts.addons) if facts else [],
        "quotas": cluster_facts.quotas(facts, {e.namespace for e in endpoints}) if facts else [],
        "endpoints": endpoints,
        "unreachable": [each for each in endpoints if not cluster.reaches(each.routing)],
    }
    return page(request, "deployments/clusters/detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CLUSTERS)
@confirmed
def create(request: Request) -> HttpResponse:
    form = ClusterForm(request.POST or None, request.FILES or None, initial={"kind": ClusterKind.KUBECONFIG})
    if request.method == "POST" and form.is_valid() and (cluster := _save(form)):
        _check_and_tell(request, cluster, f"{cluster.name} is added.")
        return redirect("cluster_detail", cluster.slug)
    return _form_page(request, form, "Add a cluster")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CLUSTERS)
@confirmed
def edit(request: Request, slug: str) -> HttpResponse:
    cluster = get_object_or_404(Cluster.objects.visible_to(request.user), slug=slug)
    heading = f"Edit {cluster.name}"
    form = ClusterForm(request.POST or None, request.FILES or None, instance=cluster)
    if request.method == "POST" and form.is_valid() and (saved := _save(form)):
        later = form.key_change if form.key_change and desired.key_changed(saved) else ""
        _check_and_tell(request, saved, f"{saved.name} is saved.{later}")
        return redirect("cluster_detail", saved.slug)
    return _form_page(request, form, heading, slug)


@require_POST
@requires(Permission.CLUSTERS)
def check(request: Request, slug: str) -> HttpResponse:
    """Asks the cluster now. Time-outs are short, so the page waits for the answer."""
    cluster = get_object_or_404(Cluster.objects.visible_to(request.user), slug=slug)
    _check_and_tell(request, cluster)
    return redirect("cluster_detail", slug)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CLUSTERS)
@confirmed
def delete(request: Request, slug: str) -> HttpResponse:
    """Asks, then deletes the record; one with endpoints stays. Nothing in the cluster itself is touched."""
    cluster = get_object_or_404(Cluster.objects.visible_to(request.user), slug=slug)
    endpoints = list(_endpoints(request, cluster)[:20])
    if request.method == "POST" and not endpoints:
        try:
            rows.delete(cluster, audited.CLUSTER)
        except ProtectedError:
            messages.error(request, f"{cluster.name} got an endpoint meanwhile, so it stays.")
            return redirect("cluster_detail", slug)
        messages.success(request, f"{cluster.name} is removed.")
        return redirect("cluster_list")
    status = 409 if request.method == "POST" else 200
    context = {"cluster": cluster, "endpoints": endpoints}
    return page(request, "deployments/clusters/delete.html", context, status=status)


def _visible(request: Request) -> QuerySet[Cluster]:
    """With the counts that are shown; the sealed kubeconfig and key are left in the database."""
    endpoints = Endpoint.objects.filter(cluster=OuterRef("pk")).values("cluster").annotate(n=Count("*"))
    deployments = (
        Deployment.objects.filter(endpoint__cluster=OuterRef("pk"))
        .values("endpoint__cluster")
        .annotate(n=Count("*"))
    )
    return (
        Cluster.objects.visible_to(request.user)
        .defer("kubeconfig", "ngc_key")
        .annotate(
            endpoint_count=Coalesce(Subquery(endpoints.values("n"), output_field=IntegerField()), 0),
            deployment_count=Coalesce(Subquery(deployments.values("n"), output_field=IntegerField()), 0),
        )
        .order_by("name", "pk")
    )


def _endpoints(request: Request, cluster: Cluster) -> QuerySet[Endpoint]:
    return (
        Endpoint.objects.visible_to(request.user)
        .filter(cluster=cluster)
        .only("slug", "name", "hostname", "namespace", "routing", "ready")
        .annotate(deployment_count=Count("deployments"))
        .order_by("name")
    )


def _save(form: ClusterForm) -> Cluster | None:
    try:
        return rows.save(form, audited.CLUSTER)
    except IntegrityError:
        # Two people saved the same short name in the same moment; the form's own look came too early.
        form.add_error("slug", _TAKEN)
        return None


def _check_and_tell(request: Request, cluster: Cluster, saved: str = "") -> None:
    facts = check_connection(cluster)
    if facts is None:
        messages.error(request, f"{saved} {cluster.check_error}".strip())
        return
    free = sum(product.free for product in cluster_facts.products(facts))
    said = f"{saved} {cluster.name} answers: Kubernetes {facts.version}, {free} free GPU{'' if free == 1 else 's'}."
    if facts.permissions_missing:
        number = len(facts.permissions_missing)
        messages.warning(request, f"{said.strip()} {number} right{'' if number == 1 else 's'} missing.")
    else:
        messages.success(request, said.strip())


def _form_page(request: Request, form: ClusterForm, heading: str, slug: str = "") -> HttpResponse:
    cluster = form.instance
    stored = ""
    if form.before is ClusterKind.KUBECONFIG and cluster.kubeconfig_set_at:
        stored = f"Saved {times.moment(cluster.kubeconfig_set_at, timezone.now())} UTC"
    stored_key = ""
    if cluster.ngc_key_set_at:
        stored_key = f"Saved {times.moment(cluster.ngc_key_set_at, timezone.now())} UTC"
    context = {
        "form": form,
        "heading": heading,
        "slug": slug,
        "stored": stored,
        "stored_key": stored_key,
    }
    status = 422 if form.errors else 200
    return page(request, "deployments/clusters/form.html", context, status=status)
