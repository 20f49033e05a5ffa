"""The token for gated weights and the NGC key go in and never come out to a page."""

from __future__ import annotations

import logging

import pytest
from django.test import Client

from deployments.models import CatalogModel, Provider
from tests.deployments.catalog.conftest import TOKEN, fields

pytestmark = pytest.mark.django_db
EDIT = "/models/opt-125m/edit/"


@pytest.fixture
def model(web: Client, provider: Provider) -> CatalogModel:
    assert web.post("/models/new/", fields(provider, weights_token=TOKEN)).status_code == 302
    return CatalogModel.objects.get()


def test_a_token_is_stored_with_its_time(model: CatalogModel) -> None:
    assert model.weights_token.reveal() == TOKEN
    assert model.weights_token_set_at is not None


@pytest.mark.parametrize("address", ["/models/", "/models/opt-125m/", EDIT, "/models/opt-125m/delete/"])
def test_no_page_shows_a_stored_token(web: Client, model: CatalogModel, address: str) -> None:
    page = web.get(address).text
    assert TOKEN not in page
    assert model.weights_token.ciphertext not in page


def test_the_pages_say_that_a_token_is_there(web: Client, model: CatalogModel) -> None:
    assert f"Saved {model.weights_token_set_at:%d %b %Y, %H:%M} UTC" in web.get(EDIT).text
    assert "Remove the stored token" in web.get(EDIT).text
    assert "Stored" in web.get("/models/opt-125m/").text


def test_without_a_token_there_is_none_to_remove(web: Client, provider: Provider) -> None:
    web.post("/models/new/", fields(provider))
    assert "Remove the stored token" not in web.get(EDIT).text
    assert "Stored" not in web.get("/models/opt-125m/").text.partition("<dt>Token</dt>")[2][:60]


@pytest.mark.parametrize("address", ["/models/new/", EDIT])
def test_a_typed_token_does_not_come_back_with_an_error(
    web: Client, provider: Provider, model: CatalogModel, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = web.post(address, fields(provider, name="", weights_token="hf_typed-canary"))
    assert answer.status_code == 422
    assert "hf_typed-canary" not in answer.text
    assert "hf_typed-canary" not in caplog.text
    assert CatalogModel.objects.get().weights_token.reveal() == TOKEN


@pytest.mark.parametrize("typed", ["", "   "])
def test_an_empty_field_keeps_the_stored_token(
    web: Client, provider: Provider, model: CatalogModel, typed: str
) -> None:
    web.post(EDIT, fields(provider, name="Changed", weights_token=typed))
    again = CatalogModel.objects.get()
    assert (again.name, again.weights_token.reveal()) == ("Changed", TOKEN)
    assert again.weights_token_set_at == model.weights_token_set_at


def test_a_new_token_replaces_the_stored_one(web: Client, provider: Provider, model: CatalogModel) -> None:
    web.post(EDIT, fields(provider, weights_token="  hf_new  "))
    again = CatalogModel.objects.get()
    assert again.weights_token.reveal() == "hf_new"
    assert again.weights_token_set_at > model.weights_token_set_at


def test_a_token_is_removed_on_request(web: Client, provider: Provider, model: CatalogModel) -> None:
    web.post(EDIT, fields(provider, forget_token="on"))
    again = CatalogModel.objects.get()
    assert not again.weights_token
    assert again.weights_token_set_at is None


def test_a_new_token_wins_over_removing_the_old_one(
    web: Client, provider: Provider, model: CatalogModel
) -> None:
    web.post(EDIT, fields(provider, forget_token="on", weights_token="hf_new"))
    assert CatalogModel.objects.get().weights_token.reveal() == "hf_new"


def test_an_ngc_key_is_kept_beside_the_token_and_removed_on_request(
    web: Client, provider: Provider, model: CatalogModel
) -> None:
    web.post(EDIT, fields(provider, ngc_key="nvapi-canary"))
    again = CatalogModel.objects.get()
    assert (again.weights_token.reveal(), again.ngc_key.reveal()) == (TOKEN, "nvapi-canary")
    assert again.ngc_key_set_at is not None
    for address in (EDIT, "/models/opt-125m/"):
        assert "nvapi-canary" not in web.get(address).text
    web.post(EDIT, fields(provider, forget_ngc_key="on"))
    again = CatalogModel.objects.get()
    assert (again.weights_token.reveal(), bool(again.ngc_key), again.ngc_key_set_at) == (TOKEN, False, None)


def test_keys_typed_beside_a_mistake_are_said_to_be_lost(web: Client, provider: Provider) -> None:
    answer = web.post("/models/new/", fields(provider, name="", weights_token="a", ngc_key="b"))
    assert answer.text.count("It was not kept while other settings need a change") >= 2
