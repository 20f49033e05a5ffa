"""People of the platform read the catalogue, those with the right change it, tenants find nothing."""

from __future__ import annotations

import pytest

from console.access import Role
from deployments.models import CatalogModel, Provider
from tests.deployments.catalog.conftest import fields
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db

READ = ["/models/", "/models/llama-8b/"]
CHANGE = [
    *("/models/new/", "/models/providers/new/", "/models/llama-8b/edit/", "/models/llama-8b/delete/"),
]
METHODS = ["get", "head", "post", "put", "patch", "delete", "options"]


@pytest.fixture(autouse=True)
def model(provider: Provider) -> CatalogModel:
    return world.model()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("address", [*READ, *CHANGE])
def test_a_tenant_finds_nothing(address: str, method: str, provider: Provider) -> None:
    web = world.signed_in(world.tenant("bea@acme.example", "acme"))
    answer = getattr(web, method)(address)
    is_served = method in ("get", "head") or (method == "post" and address in CHANGE)
    assert answer.status_code == (404 if is_served else 405)
    assert CatalogModel.objects.filter(slug="llama-8b").exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.BILLING])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("address", CHANGE)
def test_who_lacks_the_right_is_refused(address: str, method: str, role: Role, provider: Provider) -> None:
    web = world.signed_in(world.person(role=role))
    data = fields(provider) if method == "post" else None
    answer = getattr(web, method)(address, data)
    assert answer.status_code == (403 if method in ("get", "head", "post") else 405)
    assert list(CatalogModel.objects.values_list("slug", flat=True)) == ["llama-8b"]
    assert list(Provider.objects.all()) == [provider]


@pytest.mark.parametrize("address", READ)
def test_who_lacks_the_right_reads_and_is_offered_nothing(address: str) -> None:
    page = world.signed_in(world.person(role=Role.VIEWER)).get(address)
    assert page.status_code == 200
    for offered in (*CHANGE, "/models/llama-8b/deploy/"):
        assert f'href="{offered}"' not in page.text


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.OPERATOR])
def test_who_holds_the_right_changes_the_catalogue(role: Role, provider: Provider) -> None:
    web = world.signed_in(world.person(role=role))
    for address in (*READ, *CHANGE):
        assert web.get(address).status_code == 200, address
    assert web.post("/models/new/", fields(provider)).status_code == 302
    assert CatalogModel.objects.filter(slug="opt-125m").exists()


@pytest.mark.parametrize("part", ["", "edit/", "delete/"])
def test_an_unknown_model_is_not_found(part: str) -> None:
    web = world.signed_in(world.person())
    assert web.get(f"/models/no-such/{part}").status_code == 404
