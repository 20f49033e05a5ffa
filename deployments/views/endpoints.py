"""Endpoints: host names on clusters where deployments are served, whether they are ready, and why not."""

from datetime import datetime

from django.contrib import messages
from django.db import IntegrityError
from django.db.models import Count, ProtectedError, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access import Permission, requires
from console.audit import rows
from console.http import Request, page
from console.pages import paginate
from console.reauthentication import confirmed
from deployments import audited, desired
from deployments.clusters.page import Badge
from deployments.endpoints import certificates
from deployments.endpoints import check as endpoint_check
from deployments.endpoints.forms import EndpointForm
from deployments.models import Deployment, Endpoint
from deployments.standing import standing_of, with_standing
from deployments.vocabulary import Routing, TlsMode, Tone

MOST_DEPLOYMENTS = 200


@require_safe
@requires(Permission.VIEW)
def listing(request: Request) -> HttpResponse:
    """Every endpoint with its place, route and readiness; what is not ready comes first."""
    now = timezone.now()
    endpoints = (
        _visible(request)
        .defer("tls_certificate", "tls_key", "cluster__kubeconfig", "cluster__facts")
        .order_by("ready", "name", "pk")
    )
    shown = paginate(request, endpoints)
    for endpoint in shown:
        endpoint.state = _state(endpoint)
        endpoint.reason, endpoint.remedy = _reason(endpoint)
        endpoint.route = _route(endpoint)
        endpoint.tls_label = TlsMode(endpoint.tls).label
        endpoint.expiry = _expiry(endpoint.tls_expires_at, now)
        endpoint.is_reachable = endpoint.cluster.reaches(endpoint.routing)
    return page(request, "deployments/endpoints/list.html", {"page": shown})


@require_safe
@requires(Permission.VIEW)
def detail(request: Request, slug: str) -> HttpResponse:
    """One endpoint: why it is ready or not, its certificate, and what is served there."""
    now = timezone.now()
    endpoint = get_object_or_404(
        _visible(request).defer("tls_key", "cluster__kubeconfig", "cluster__facts"), slug=slug
    )
    deployments = with_standing(
        Deployment.objects.visible_to(request.user).filter(endpoint=endpoint).order_by("name"), now
    )
    reason, remedy = _reason(endpoint)
    context = {
        "endpoint": endpoint,
        "state": _state(endpoint),
        "reason": reason,
        "remedy": remedy,
        "route": _route(endpoint),
        "is_reachable": endpoint.cluster.reaches(endpoint.routing),
        "tls": TlsMode(endpoint.tls),
        "certificate": certificates.describe(endpoint.tls_certificate) if endpoint.tls_certificate else None,
        "expiry": _expiry(endpoint.tls_expires_at, now),
        "deployments": [(each, standing_of(each, now)) for each in deployments[:MOST_DEPLOYMENTS]],
    }
    return page(request, "deployments/endpoints/detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CLUSTERS)
@confirmed
def create(request: Request) -> HttpResponse:
    initial = {"routing": Routing.GATEWAY, "tls": TlsMode.NONE, "namespace": "models"}
    form = EndpointForm(request.POST or None, user=request.user, initial=initial)
    wanted = request.GET.get("cluster", "")[:63]
    form.initial["cluster"] = next((c.pk for c in form.clusters if c.slug == wanted), None)
    if request.method == "POST" and form.is_valid() and (endpoint := _save(form)):
        _check_and_tell(request, endpoint, f"{endpoint.name} is added.")
        return redirect("endpoint_detail", endpoint.slug)
    return _form_page(request, form, "Add an endpoint")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CLUSTERS)
@confirmed
def edit(request: Request, slug: str) -> HttpResponse:
    endpoint = get_object_or_404(_visible(request), slug=slug)
    heading = f"Edit {endpoint.name}"
    number: int = endpoint.deployment_count  # type: ignore[attr-defined]  # annotated by _visible
    form = EndpointForm(request.POST or None, user=request.user, instance=endpoint, deployments=number)
    if request.method == "POST" and form.is_valid() and (saved := _save(form)):
        later = " The routes of its deployments follow now; no replica restarts." if number else ""
        desired.endpoint_changed(saved)
        _check_and_tell(request, saved, f"{saved.name} is saved.{later}")
        return redirect("endpoint_detail", saved.slug)
    return _form_page(request, form, heading, slug)


@require_POST
@requires(Permission.CLUSTERS)
def check(request: Request, slug: str) -> HttpResponse:
    """Asks the cluster now. Time-outs are short, so the page waits for the answer."""
    endpoint = get_object_or_404(_visible(request), slug=slug)
    _check_and_tell(request, endpoint)
    return redirect("endpoint_detail", slug)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CLUSTERS)
def delete(request: Request, slug: str) -> HttpResponse:
    """Asks, then deletes; one with deployments stays."""
    endpoint = get_object_or_404(Endpoint.objects.visible_to(request.user), slug=slug)
    users = list(endpoint.deployments.order_by("name").values_list("name", flat=True)[:20])
    if request.method == "POST" and not users:
        try:
            rows.delete(endpoint, audited.ENDPOINT)
        except ProtectedError:
            messages.error(request, f"{endpoint.name} got a deployment meanwhile, so it stays.")
            return redirect("endpoint_detail", slug)
        messages.success(request, f"{endpoint.name} is deleted.")
        return redirect("endpoint_list")
    status = 409 if request.method == "POST" else 200
    context = {"endpoint": endpoint, "users": users}
    return page(request, "deployments/endpoints/delete.html", context, status=status)


def _visible(request: Request) -> QuerySet[Endpoint]:
    return (
        Endpoint.objects.visible_to(request.user)
        .select_related("cluster")
        .annotate(deployment_count=Count("deployments"))
    )


def _save(form: EndpointForm) -> Endpoint | None:
    try:
        return rows.save(form, audited.ENDPOINT)
    except IntegrityError:
        # Somebody else was faster by a moment; the form's own look came too early.
        form.add_error(None, "Another endpoint with this short name or host name was saved in this moment.")
        return None


def _check_and_tell(request: Request, endpoint: Endpoint, saved: str = "") -> None:
    outcome = endpoint_check.check(endpoint)
    if outcome.ready:
        messages.success(request, f"{saved} {endpoint.name} is ready.".strip())
    else:
        number = len(outcome.problems)
        more = f" There {'is' if number == 2 else 'are'} {number - 1} more." if number > 1 else ""
        first = outcome.problems[0]
        said = f"{saved} {endpoint.name} is not ready. {first.sentence} {first.remedy}".strip()
        messages.warning(request, f"{said}{more}")
    if outcome.unseen:
        messages.info(request, f"Slipway may not look at {', '.join(outcome.unseen)}, so this was left out.")


def _state(endpoint: Endpoint) -> Badge:
    if endpoint.ready is None:
        return Badge("Not checked", Tone.IDLE)
    return Badge("Ready", Tone.GOOD) if endpoint.ready else Badge("Not ready", Tone.BAD)


def _reason(endpoint: Endpoint) -> tuple[str, str]:
    """Sentence and remedy, as endpoint_check.reason_of put them together."""
    sentence, _, remedy = endpoint.not_ready_reason.partition("\n")
    return sentence, remedy


def _route(endpoint: Endpoint) -> tuple[str, str]:
    """What routes, and which one of it."""
    if endpoint.routing == Routing.GATEWAY:
        where = endpoint.gateway_namespace or endpoint.namespace
        section = f", listener {endpoint.gateway_section}" if endpoint.gateway_section else ""
        return Routing.GATEWAY.label, f"{where}/{endpoint.gateway_name}{section}"
    if endpoint.routing == Routing.INGRESS:
        return Routing.INGRESS.label, endpoint.ingress_class or "Default class"
    return Routing.SERVICE.label, ""


def _expiry(at: datetime | None, now: datetime) -> Badge | None:
    """None while there is plenty of time."""
    if at is None or at - now >= certificates.EXPIRES_SOON:
        return None
    return Badge("Expired", Tone.BAD) if at <= now else Badge("Expires soon", Tone.WARN)


def _form_page(request: Request, form: EndpointForm, heading: str, slug: str = "") -> HttpResponse:
    stored = "A key is stored" if form.key_is_stored else ""
    context = {"form": form, "heading": heading, "slug": slug, "stored": stored}
    status = 422 if form.errors else 200
    return page(request, "deployments/endpoints/form.html", context, status=status)
