"""The catalogue: providers and models. Tokens and keys go in and never come out."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Body, Query, Router, Schema, Status

from console.access import Permission
from console.api.authentication import Asking, needs
from console.api.forms import filled, takes
from console.api.idempotency import once
from console.api.paging import MOST, USUAL, Page, paged
from console.api.problems import Problem
from console.audit import rows
from deployments import audited, desired
from deployments.forms import CatalogModelForm, ProviderForm
from deployments.models import CatalogModel, Provider

router = Router(tags=["Models"])
_FACTS = (
    *("parameters", "bits_per_parameter", "layers", "attention_heads", "kv_heads", "head_size"),
    "context_length",
)


class ModelOut(Schema):
    slug: str
    name: str
    provider: str
    use_case: str
    description: str
    source_kind: str
    source_reference: str
    source_revision: str
    parameters: int | None
    bits_per_parameter: int | None
    layers: int | None
    attention_heads: int | None
    kv_heads: int | None
    head_size: int | None
    context_length: int | None
    has_weights_token: bool
    has_ngc_key: bool


class ProviderOut(Schema):
    slug: str
    name: str
    website: str


class Models(Page):
    items: list[ModelOut]


class Providers(Page):
    items: list[ProviderOut]


@router.get("/models", response=Models)
def list_models(
    request: Asking, response: HttpResponse, limit: int = Query(USUAL, ge=1, le=MOST), cursor: str = ""
) -> dict[str, Any]:
    user = request.auth.user
    found = CatalogModel.objects.visible_to(user).select_related("provider")
    return paged(request, response, found, "slug", shown, limit=limit, cursor=cursor)


@router.get("/models/{slug}", response=ModelOut)
def get_model(request: Asking, slug: str) -> dict[str, Any]:
    return shown(_find(request.auth.user, slug))


@router.post(
    "/models", response={201: ModelOut}, auth=needs(Permission.CATALOG), openapi_extra=takes(CatalogModelForm)
)
@once()
def create_model(request: Asking, given: Body[dict[str, Any]]) -> Status[dict[str, Any]]:
    """The values of the form in the console; `provider` is a short name."""
    form = filled(CatalogModelForm, given, references={"provider": _providers()})
    return Status(201, shown(_saved(form, audited.MODEL)))


@router.patch(
    "/models/{slug}",
    response=ModelOut,
    auth=needs(Permission.CATALOG),
    openapi_extra=takes(CatalogModelForm, is_whole=False),
)
def edit_model(request: Asking, slug: str, given: Body[dict[str, Any]]) -> dict[str, Any]:
    """Only what is sent changes."""
    with transaction.atomic():
        model = _find(request.auth.user, slug, lock=True)
        form: Any = filled(CatalogModelForm, given, instance=model, references={"provider": _providers()})
        saved = _saved(form, audited.MODEL)
        if form.key_change:
            desired.key_changed(saved)
    return shown(saved)


@router.delete("/models/{slug}", response={204: None}, auth=needs(Permission.CATALOG))
def delete_model(request: Asking, slug: str) -> Status[None]:
    model = _find(request.auth.user, slug)
    try:
        rows.delete(model, audited.MODEL)
    except ProtectedError:
        raise Problem(409, f"{slug} is deployed. Delete its deployments first.") from None
    return Status(204, None)


@router.get("/providers", response=Providers)
def list_providers(
    request: Asking, response: HttpResponse, limit: int = Query(USUAL, ge=1, le=MOST), cursor: str = ""
) -> dict[str, Any]:
    return paged(request, response, Provider.objects.all(), "slug", _provider, limit=limit, cursor=cursor)


@router.post(
    "/providers",
    response={201: ProviderOut},
    auth=needs(Permission.CATALOG),
    openapi_extra=takes(ProviderForm),
)
@once()
def create_provider(request: Asking, given: Body[dict[str, Any]]) -> Status[dict[str, Any]]:
    return Status(201, _provider(_saved(filled(ProviderForm, given), audited.PROVIDER)))


def shown(model: CatalogModel) -> dict[str, Any]:
    return {
        "slug": model.slug,
        "name": model.name,
        "provider": model.provider.slug,
        "use_case": str(model.use_case),
        "description": model.description,
        "source_kind": str(model.source_kind),
        "source_reference": model.source_reference,
        "source_revision": model.source_revision,
        **{name: getattr(model, name) for name in _FACTS},
        "has_weights_token": bool(model.weights_token),
        "has_ngc_key": bool(model.ngc_key),
    }


def _provider(provider: Provider) -> dict[str, Any]:
    return {"slug": provider.slug, "name": provider.name, "website": provider.website}


def _find(user: Any, slug: str, *, lock: bool = False) -> CatalogModel:
    """`lock`: nobody changes it until the transaction ends."""
    found = CatalogModel.objects.visible_to(user).select_related("provider")
    return get_object_or_404(found.select_for_update(of=("self",)) if lock else found, slug=slug)


def _saved(form: Any, columns: tuple[str, ...]) -> Any:
    try:
        return rows.save(form, columns)
    except IntegrityError:
        raise Problem(409, "There is one of this name already.") from None


def _providers() -> dict[str, int]:
    return dict(Provider.objects.values_list("slug", "pk"))
