"""Models and providers are added, edited and deleted; bad input keeps what was typed and says what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import ProtectedError
from django.test import Client

from deployments import desired
from deployments.models import CatalogModel, Draft, Provider
from deployments.vocabulary import SourceKind
from tests.deployments.catalog.conftest import fields
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


def test_a_model_is_added(web: Client, provider: Provider) -> None:
    sizes = {"parameters": "125000000", "layers": "12", "context_length": "2048"}
    answer = web.post("/models/new/", fields(provider, source_revision="27dcfa7", **sizes), follow=True)
    assert answer.redirect_chain == [("/models/opt-125m/", 302)]
    assert "OPT 125M is in the catalogue." in answer.text
    model = CatalogModel.objects.get()
    assert (model.name, model.provider, model.use_case) == ("OPT 125M", provider, "completion")
    assert (model.parameters, model.layers, model.head_size) == (125_000_000, 12, None)
    assert not model.weights_token
    for shown in ("facebook/opt-125m", "27dcfa7", "125,000,000", "Parameters"):
        assert shown in answer.text
    assert "Head size" not in answer.text


def test_a_model_is_edited(web: Client, provider: Provider) -> None:
    web.post("/models/new/", fields(provider, layers="12"))
    page = web.get("/models/opt-125m/edit/").text
    assert 'value="facebook/opt-125m"' in page
    web.post("/models/opt-125m/edit/", fields(provider, name="OPT small", layers=""))
    model = CatalogModel.objects.get()
    assert (model.name, model.layers) == ("OPT small", None)


def test_a_model_may_get_another_short_name(web: Client, provider: Provider) -> None:
    web.post("/models/new/", fields(provider))
    assert web.post("/models/opt-125m/edit/", fields(provider, slug="opt")).url == "/models/opt/"
    assert web.get("/models/opt-125m/").status_code == 404


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "required"),
    ({"name": "x" * 121}, "at most 120"),
    ({"slug": "Opt 125M"}, "is not a DNS label"),
    ({"slug": "taken"}, "already exists"),
    ({"slug": "a" * 49}, "48"),
    ({"provider": "999999"}, "valid choice"),
    ({"provider": "no number"}, "valid choice"),
    ({"use_case": "no-such"}, "valid choice"),
    ({"source_kind": "no-such"}, "valid choice"),
    ({"source_reference": ""}, "required"),
    ({"source_reference": "opt-125m"}, "is not a repository"),
    ({"source_reference": "https://huggingface.co/facebook/opt"}, "is not a repository"),
    ({"source_reference": "face book/opt"}, "no spaces"),
    ({"source_reference": "-facebook/opt"}, "start with a hyphen"),
    ({"source_kind": SourceKind.OBJECT_STORAGE.value, "source_reference": "bucket/path"}, "is not a bucket"),
    ({"parameters": "0"}, "greater than or equal to 1"),
    ({"parameters": "-5"}, "greater than or equal to 1"),
    ({"parameters": "9" * 30}, "less than or equal to"),
    ({"layers": "many"}, "whole number"),
    ({"context_length": "1e3"}, "whole number"),
    ({"description": "x" * 1001}, "at most 1000"),
    ({"weights_token": "t" * 4097}, "at most 4096"),
]


@pytest.mark.parametrize(("changes", "sentence"), BAD, ids=lambda value: str(value)[:50])
@pytest.mark.parametrize("address", ["/models/new/", "/models/there/edit/"])
def test_bad_input_is_refused_and_kept(
    web: Client, provider: Provider, address: str, changes: dict[str, Any], sentence: str
) -> None:
    for slug in ("taken", "there"):
        CatalogModel.objects.create(slug=slug, name=slug, provider=provider, source_reference="a/b")
    typed = {"name": "Typed & kept", "description": "Typed <too>", **changes}
    answer = web.post(address, fields(provider, **typed))
    assert answer.status_code == 422
    assert sentence in answer.text
    if "name" not in changes:
        assert 'value="Typed &amp; kept"' in answer.text
    if "description" not in changes:
        assert "Typed &lt;too&gt;" in answer.text
    assert set(CatalogModel.objects.values_list("slug", "name")) == {("taken", "taken"), ("there", "there")}


def test_a_short_name_that_is_an_address_of_ours_is_refused(web: Client, provider: Provider) -> None:
    answer = web.post("/models/new/", fields(provider, slug="new"))
    assert (answer.status_code, CatalogModel.objects.count()) == (422, 0)
    assert "part of an address" in answer.text


@pytest.mark.parametrize("slug", ["Opt", "opt_125m", "-opt", "opt-"])
def test_a_short_name_fits_addresses_and_documents(web: Client, provider: Provider, slug: str) -> None:
    answer = web.post("/models/new/", fields(provider, slug=slug))
    assert (answer.status_code, CatalogModel.objects.count()) == (422, 0)


def test_a_failed_edit_still_names_the_model_as_it_is(web: Client, provider: Provider) -> None:
    web.post("/models/new/", fields(provider))
    page = web.post("/models/opt-125m/edit/", fields(provider, name="New name", slug="")).text
    assert "Edit OPT 125M" in page


def test_deleting_asks_first(web: Client, provider: Provider) -> None:
    web.post("/models/new/", fields(provider))
    assert "Delete OPT 125M?" in web.get("/models/opt-125m/delete/").text
    assert CatalogModel.objects.exists()
    answer = web.post("/models/opt-125m/delete/", follow=True)
    assert answer.redirect_chain == [("/models/", 302)]
    assert "OPT 125M is deleted." in answer.text
    assert not CatalogModel.objects.exists()


def test_drafts_go_with_their_model(web: Client) -> None:
    model = world.model()
    Draft.objects.create(author=world.person("bob@example.com"), model=model)
    web.post("/models/llama-8b/delete/")
    assert not Draft.objects.exists()


def test_a_deployed_model_stays(web: Client) -> None:
    world.deployment("chat")
    asked = web.get("/models/llama-8b/delete/")
    assert "It is deployed" in asked.text
    assert 'href="/deployments/chat/"' in asked.text
    assert "Delete model" not in asked.text
    answer = web.post("/models/llama-8b/delete/")
    assert answer.status_code == 409
    assert "It is deployed" in answer.text
    assert CatalogModel.objects.exists()


def test_a_model_deployed_at_the_last_moment_stays(web: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    world.model()

    def deployed_meanwhile(model: CatalogModel) -> None:
        raise ProtectedError("used", {model})

    monkeypatch.setattr(CatalogModel, "delete", deployed_meanwhile)
    answer = web.post("/models/llama-8b/delete/", follow=True)
    assert "was deployed meanwhile, so it stays." in answer.text


def test_a_deployment_on_its_way_out_still_holds_its_model(web: Client) -> None:
    desired.delete(world.deployment("chat"), author=None)
    assert web.post("/models/llama-8b/delete/").status_code == 409
    assert CatalogModel.objects.exists()


def test_a_provider_is_added_on_the_way_to_a_model(web: Client) -> None:
    answer = web.post("/models/providers/new/", {"name": "Qwen", "slug": "qwen", "website": "qwen.ai"})
    provider = Provider.objects.get()
    assert provider.website == "https://qwen.ai"
    assert answer.url == f"/models/new/?provider={provider.pk}"
    assert f'<option value="{provider.pk}" selected>' in web.get(answer.url).text


@pytest.mark.parametrize("value", ["x", "999999", "<script>"])
def test_a_preset_provider_that_is_none_is_ignored(web: Client, value: str) -> None:
    page = web.get("/models/new/", {"provider": value})
    assert page.status_code == 200
    assert "<script>" not in page.text.partition("<main")[2]


@pytest.mark.parametrize(
    "changes", [{"name": "Meta"}, {"slug": "meta"}, {"name": ""}, {"website": "javascript:alert(1)"}]
)
def test_a_bad_provider_is_refused_and_kept(web: Client, provider: Provider, changes: dict[str, str]) -> None:
    typed = {"name": "Qwen", "slug": "typed-slug", **changes}
    answer = web.post("/models/providers/new/", typed)
    assert answer.status_code == 422
    for value in typed.values():
        if value:
            assert f'value="{value}"' in answer.text
    assert list(Provider.objects.all()) == [provider]
