"""Clusters and endpoints. Kubeconfigs, keys and private keys go in and never come out."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Body, Query, Router, Schema, Status

from console.access import Permission
from console.api.authentication import Asking, needs
from console.api.forms import filled, takes
from console.api.idempotency import once
from console.api.paging import MOST, USUAL, Page, paged
from console.api.problems import Problem
from console.audit import rows
from deployments import audited, desired
from deployments.clusters import page as cluster_facts
from deployments.clusters.check import check as check_cluster
from deployments.clusters.forms import ClusterForm
from deployments.endpoints.check import check as check_endpoint
from deployments.endpoints.forms import EndpointForm
from deployments.models import Cluster, Endpoint

router = Router(tags=["Clusters and endpoints"])
_TAKEN = Problem(409, "Another one has this short name or host name.")


class GpuOut(Schema):
    product: str
    total: int
    free: int


class ClusterOut(Schema):
    slug: str
    name: str
    kind: str
    reach: str
    prometheus_url: str
    answers: bool | None
    """Null: it was never asked."""
    sentence: str
    version: str
    gpus: list[GpuOut]
    has_kubeconfig: bool
    has_ngc_key: bool
    checked_at: str | None


class EndpointOut(Schema):
    slug: str
    name: str
    cluster: str
    hostname: str
    namespace: str
    routing: str
    gateway_name: str
    gateway_namespace: str
    gateway_section: str
    ingress_class: str
    tls: str
    tls_secret_name: str
    storage_class: str
    pull_secret: str
    ready: bool | None
    not_ready_reason: str
    has_tls_key: bool


class Clusters(Page):
    items: list[ClusterOut]


class Endpoints(Page):
    items: list[EndpointOut]


@router.get("/clusters", response=Clusters)
def list_clusters(
    request: Asking, response: HttpResponse, limit: int = Query(USUAL, ge=1, le=MOST), cursor: str = ""
) -> dict[str, Any]:
    found = Cluster.objects.visible_to(request.auth.user)
    return paged(request, response, found, "slug", _cluster, limit=limit, cursor=cursor)


@router.get("/clusters/{slug}", response=ClusterOut)
def get_cluster(request: Asking, slug: str) -> dict[str, Any]:
    return _cluster(_find_cluster(request.auth.user, slug))


@router.post(
    "/clusters", response={201: ClusterOut}, auth=needs(Permission.CLUSTERS), openapi_extra=takes(ClusterForm)
)
@once()
def create_cluster(request: Asking, given: Body[dict[str, Any]]) -> Status[dict[str, Any]]:
    """The values of the form in the console; `kubeconfig_text` is kept encrypted and never shown."""
    form = filled(ClusterForm, {"kind": "kubeconfig", **given})
    return Status(201, _cluster(_saved(form, audited.CLUSTER)))


@router.patch(
    "/clusters/{slug}",
    response=ClusterOut,
    auth=needs(Permission.CLUSTERS),
    openapi_extra=takes(ClusterForm, is_whole=False),
)
def edit_cluster(request: Asking, slug: str, given: Body[dict[str, Any]]) -> dict[str, Any]:
    """Only what is sent changes."""
    with transaction.atomic():
        cluster = _find_cluster(request.auth.user, slug, lock=True)
        form: Any = filled(ClusterForm, given, instance=cluster)
        saved = _saved(form, audited.CLUSTER)
        if form.key_change:
            desired.key_changed(saved)
    return _cluster(saved)


@router.delete("/clusters/{slug}", response={204: None}, auth=needs(Permission.CLUSTERS))
def delete_cluster(request: Asking, slug: str) -> Status[None]:
    cluster = _find_cluster(request.auth.user, slug)
    return _deleted(cluster, audited.CLUSTER, f"{slug} has endpoints. Delete them first.")


@router.post("/clusters/{slug}/check", response=ClusterOut, auth=needs(Permission.CLUSTERS))
def check_a_cluster(request: Asking, slug: str) -> dict[str, Any]:
    """Asks the cluster now, and waits for the answer."""
    cluster = _find_cluster(request.auth.user, slug)
    check_cluster(cluster)
    cluster.refresh_from_db()
    return _cluster(cluster)


@router.get("/endpoints", response=Endpoints)
def list_endpoints(
    request: Asking, response: HttpResponse, limit: int = Query(USUAL, ge=1, le=MOST), cursor: str = ""
) -> dict[str, Any]:
    found = Endpoint.objects.visible_to(request.auth.user).select_related("cluster")
    return paged(request, response, found, "slug", _endpoint, limit=limit, cursor=cursor)


@router.get("/endpoints/{slug}", response=EndpointOut)
def get_endpoint(request: Asking, slug: str) -> dict[str, Any]:
    return _endpoint(_find_endpoint(request.auth.user, slug))


@router.post(
    "/endpoints",
    response={201: EndpointOut},
    auth=needs(Permission.CLUSTERS),
    openapi_extra=takes(EndpointForm),
)
@once()
def create_endpoint(request: Asking, given: Body[dict[str, Any]]) -> Status[dict[str, Any]]:
    user = request.auth.user
    form = filled(EndpointForm, given, references={"cluster": _clusters(user)}, user=user)
    return Status(201, _endpoint(_saved(form, audited.ENDPOINT)))


@router.patch(
    "/endpoints/{slug}",
    response=EndpointOut,
    auth=needs(Permission.CLUSTERS),
    openapi_extra=takes(EndpointForm, is_whole=False),
)
def edit_endpoint(request: Asking, slug: str, given: Body[dict[str, Any]]) -> dict[str, Any]:
    """Only what is sent changes."""
    user = request.auth.user
    with transaction.atomic():
        endpoint = _find_endpoint(user, slug, lock=True)
        form = filled(
            EndpointForm,
            given,
            instance=endpoint,
            references={"cluster": _clusters(user)},
            user=user,
            deployments=endpoint.deployments.count(),
        )
        saved = _saved(form, audited.ENDPOINT)
        desired.endpoint_changed(saved)
    return _endpoint(saved)


@router.delete("/endpoints/{slug}", response={204: None}, auth=needs(Permission.CLUSTERS))
def delete_endpoint(request: Asking, slug: str) -> Status[None]:
    endpoint = _find_endpoint(request.auth.user, slug)
    return _deleted(endpoint, audited.ENDPOINT, f"{slug} has deployments. Delete them first.")


@router.post("/endpoints/{slug}/check", response=EndpointOut, auth=needs(Permission.CLUSTERS))
def check_an_endpoint(request: Asking, slug: str) -> dict[str, Any]:
    endpoint = _find_endpoint(request.auth.user, slug)
    check_endpoint(endpoint)
    endpoint.refresh_from_db()
    return _endpoint(endpoint)


def _saved(form: Any, columns: tuple[str, ...]) -> Any:
    try:
        return rows.save(form, columns)
    except IntegrityError:
        raise _TAKEN from None


def _deleted(row: Any, columns: tuple[str, ...], why_not: str) -> Status[None]:
    try:
        rows.delete(row, columns)
    except ProtectedError:
        raise Problem(409, why_not) from None
    return Status(204, None)


def _cluster(cluster: Cluster) -> dict[str, Any]:
    facts = cluster_facts.facts_of(cluster)
    answer = cluster_facts.answer(cluster, timezone.now())
    asked = cluster.checked_at is not None or bool(cluster.check_error)
    return {
        "slug": cluster.slug,
        "name": cluster.name,
        "kind": str(cluster.kind),
        "reach": str(cluster.reach),
        "prometheus_url": cluster.prometheus_url,
        "answers": answer.tone != "bad" if asked else None,
        "sentence": answer.sentence,
        "version": facts.version if facts else "",
        "gpus": [
            {"product": each.name, "total": each.total, "free": each.free}
            for each in (cluster_facts.products(facts) if facts else [])
        ],
        "has_kubeconfig": bool(cluster.kubeconfig),
        "has_ngc_key": bool(cluster.ngc_key),
        "checked_at": cluster.checked_at.isoformat() if cluster.checked_at else None,
    }


_TEXTS = (
    *("slug", "name", "hostname", "namespace", "gateway_name", "gateway_namespace", "gateway_section"),
    *("ingress_class", "tls_secret_name", "storage_class", "pull_secret", "not_ready_reason"),
)


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {
        **{name: getattr(endpoint, name) for name in _TEXTS},
        "cluster": endpoint.cluster.slug,
        "routing": str(endpoint.routing),
        "tls": str(endpoint.tls),
        "ready": endpoint.ready,
        "has_tls_key": bool(endpoint.tls_key),
    }


def _find_cluster(user: Any, slug: str, *, lock: bool = False) -> Cluster:
    """`lock`: nobody changes it until the transaction ends."""
    found = Cluster.objects.visible_to(user)
    return get_object_or_404(found.select_for_update(of=("self",)) if lock else found, slug=slug)


def _find_endpoint(user: Any, slug: str, *, lock: bool = False) -> Endpoint:
    found = Endpoint.objects.visible_to(user).select_related("cluster")
    return get_object_or_404(found.select_for_update(of=("self",)) if lock else found, slug=slug)


def _clusters(user: Any) -> dict[str, int]:
    return dict(Cluster.objects.visible_to(user).values_list("slug", "pk"))
