"""The catalogue: models, their providers, and what runs of each."""

from datetime import datetime

from django.contrib import messages
from django.db.models import Count, ProtectedError, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from console.access import Permission, requires
from console.audit import rows
from console.http import Request, page
from console.pages import paginate
from console.reauthentication import confirmed
from deployments import audited, desired
from deployments.forms import CatalogModelForm, ProviderForm
from deployments.models import CatalogModel, Deployment, Draft
from deployments.standing import standing_of, with_standing
from deployments.vocabulary import DesiredState, SourceKind, UseCase

SORTS = {"name": "name", "provider": "provider__name", "deployments": "active"}


@require_safe
@requires(Permission.VIEW)
def listing(request: Request) -> HttpResponse:
    """Every model with how much runs of it; search by name, filter by use case."""
    sort = request.GET.get("sort", "name")
    column = SORTS.get(sort.removeprefix("-"), "name")
    search = request.GET.get("q", "").strip()[:100]
    use_case = request.GET.get("use", "")
    running = Count("deployments", filter=~Q(deployments__desired_state=DesiredState.DELETED))
    models = CatalogModel.objects.visible_to(request.user).select_related("provider").annotate(active=running)
    if search:
        models = models.filter(
            Q(name__icontains=search) | Q(slug__icontains=search) | Q(provider__name__icontains=search)
        )
    if use_case in set(UseCase):
        models = models.filter(use_case=use_case)
    models = models.order_by(f"-{column}" if sort.startswith("-") else column, "name")
    shown = paginate(request, models)
    for model in shown:
        model.use_case_label = UseCase(model.use_case).label
        model.source_label = SourceKind(model.source_kind).label
    context = {
        "page": shown,
        "sort": sort,
        "search": search,
        "use_case": use_case,
        "use_cases": UseCase,
        "filtered": bool(search or use_case),
    }
    return page(request, "deployments/models/list.html", context, fragment="table")


@require_safe
@requires(Permission.VIEW)
def detail(request: Request, slug: str) -> HttpResponse:
    """One model: what it is, what runs of it, and the way to deploy it."""
    model = get_object_or_404(
        CatalogModel.objects.visible_to(request.user).select_related("provider"), slug=slug
    )
    now = timezone.now()
    running = with_standing(Deployment.objects.visible_to(request.user).filter(model=model), now)
    deployments = [
        (deployment, standing_of(deployment, now)) for deployment in running.order_by("name")[:200]
    ]
    context = {
        "model": model,
        "use_case": UseCase(model.use_case),
        "source": SourceKind(model.source_kind),
        "deployments": deployments,
        "drafts": Draft.objects.visible_to(request.user).filter(model=model, editing=None, result=None)[:5],
        "facts": _sizing_facts(model),
    }
    return page(request, "deployments/models/detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CATALOG)
@confirmed
def create(request: Request) -> HttpResponse:
    initial = {
        "use_case": UseCase.CHAT,
        "source_kind": SourceKind.HUGGING_FACE,
        "provider": request.GET.get("provider"),
    }
    form = CatalogModelForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        model = rows.save(form, audited.MODEL)
        messages.success(request, f"{model.name} is in the catalogue.")
        return redirect("model_detail", model.slug)
    return _form_page(request, form, "Add a model")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CATALOG)
@confirmed
def edit(request: Request, slug: str) -> HttpResponse:
    model = get_object_or_404(CatalogModel.objects.visible_to(request.user), slug=slug)
    form = CatalogModelForm(request.POST or None, instance=model)
    if request.method == "POST" and form.is_valid():
        saved = rows.save(form, audited.MODEL)
        later = form.key_change if form.key_change and desired.key_changed(saved) else ""
        told = f"{saved.name} is saved. Running deployments take it over with their next revision."
        messages.success(request, f"{told}{later}")
        return redirect("model_detail", saved.slug)
    return _form_page(request, form, f"Edit {CatalogModel.objects.get(pk=model.pk).name}", slug)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CATALOG)
def delete(request: Request, slug: str) -> HttpResponse:
    """Asks, then deletes; a model that is deployed stays."""
    model = get_object_or_404(CatalogModel.objects.visible_to(request.user), slug=slug)
    users = list(model.deployments.order_by("name").values_list("name", flat=True)[:20])
    if request.method == "POST" and not users:
        try:
            rows.delete(model, audited.MODEL)
        except ProtectedError:
            messages.error(request, f"{model.name} was deployed meanwhile, so it stays.")
            return redirect("model_detail", slug)
        messages.success(request, f"{model.name} is deleted.")
        return redirect("model_list")
    status = 409 if request.method == "POST" else 200
    return page(request, "deployments/models/delete.html", {"model": model, "users": users}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CATALOG)
def create_provider(request: Request) -> HttpResponse:
    form = ProviderForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        provider = rows.save(form, audited.PROVIDER)
        messages.success(request, f"{provider.name} is added.")
        return redirect(f"/models/new/?provider={provider.pk}")
    status = 422 if form.errors else 200
    return page(request, "deployments/models/provider_form.html", {"form": form}, status=status)


def _form_page(request: Request, form: CatalogModelForm, heading: str, slug: str = "") -> HttpResponse:
    status = 422 if form.errors else 200
    context = {
        "form": form,
        "heading": heading,
        "slug": slug,
        "stored": _saved(form.instance.weights_token_set_at),
        "stored_key": _saved(form.instance.ngc_key_set_at),
    }
    return page(request, "deployments/models/form.html", context, status=status)


def _saved(at: datetime | None) -> str:
    return f"Saved {at:%d %b %Y, %H:%M} UTC" if at else ""


def _sizing_facts(model: CatalogModel) -> list[tuple[str, int]]:
    """Only what is known."""
    named = [
        ("Parameters", model.parameters),
        ("Bits per parameter", model.bits_per_parameter),
        ("Layers", model.layers),
        ("Attention heads", model.attention_heads),
        ("KV heads", model.kv_heads),
        ("Head size", model.head_size),
        ("Context length, tokens", model.context_length),
    ]
    return [(name, value) for name, value in named if value is not None]
