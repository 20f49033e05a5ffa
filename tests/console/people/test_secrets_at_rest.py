"""Stored secrets: unreadable in the database, invisible in every print, and readable after a rotation."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from console.encryption import Sealed, UnreadableSecret
from deployments.models import CatalogModel
from tests.deployments.pages import world

SECRET = "hf_canary-of-a-token"


def stored() -> str:
    """The column as the database holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT weights_token FROM deployments_catalogmodel")
        (row,) = cursor.fetchall()
    return row[0]


@pytest.fixture
def model(db: None) -> CatalogModel:
    made = world.model()
    made.weights_token = SECRET  # type: ignore[assignment]
    made.save()
    return made


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_is_revealed(text: str) -> None:
    assert Sealed.of(text).reveal() == text
    assert bool(Sealed.of(text)) is bool(text)


def test_a_sealed_value_is_printed_by_nothing() -> None:
    sealed = Sealed.of(SECRET)
    for shown in (str(sealed), repr(sealed), f"{sealed}", f"{sealed!r:>40}", repr([sealed])):
        assert SECRET not in shown
        assert sealed.ciphertext not in shown
    assert str(Sealed.of("")) == ""
    with pytest.raises(TypeError):
        json.dumps(sealed)


def test_a_sealed_value_survives_copies() -> None:
    sealed = Sealed.of(SECRET)
    assert copy.deepcopy(sealed).reveal() == pickle.loads(pickle.dumps(sealed)).reveal() == SECRET


def test_the_same_text_is_never_sealed_the_same_way() -> None:
    assert Sealed.of(SECRET).ciphertext != Sealed.of(SECRET).ciphertext


def test_the_database_holds_the_ciphertext_only(model: CatalogModel) -> None:
    assert stored()
    assert SECRET not in stored()
    assert CatalogModel.objects.get().weights_token.reveal() == SECRET


def test_after_saving_the_value_in_hand_is_sealed_too(model: CatalogModel) -> None:
    assert isinstance(model.weights_token, Sealed)
    assert SECRET not in str(vars(model))


def test_saving_again_keeps_the_secret_and_an_empty_text_removes_it(model: CatalogModel) -> None:
    again = CatalogModel.objects.get()
    again.save()
    assert CatalogModel.objects.get().weights_token.reveal() == SECRET
    again.weights_token = ""  # type: ignore[assignment]
    again.save()
    assert stored() == ""
    assert not CatalogModel.objects.get().weights_token


def test_an_export_of_the_rows_leaves_secrets_out(model: CatalogModel) -> None:
    text = serializers.serialize("json", [CatalogModel.objects.get()])
    assert json.loads(text)[0]["fields"]["weights_token"] == ""
    assert stored() not in text


def test_a_new_key_in_front_reads_the_old_and_writes_the_new(model: CatalogModel, settings: Settings) -> None:
    old, new = settings.FIELD_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    again = CatalogModel.objects.get()
    assert again.weights_token.reveal() == SECRET
    again.weights_token = again.weights_token.reveal()  # type: ignore[assignment]
    again.save()
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert CatalogModel.objects.get().weights_token.reveal() == SECRET


def test_saving_a_row_writes_its_secret_with_the_new_key(model: CatalogModel, settings: Settings) -> None:
    """What docs/operations.md promises."""
    new = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]
    CatalogModel.objects.get().save()
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert CatalogModel.objects.get().weights_token.reveal() == SECRET


def test_saving_a_row_leaves_a_secret_of_the_newest_key_as_it_is(model: CatalogModel) -> None:
    before = stored()
    CatalogModel.objects.get().save()
    assert stored() == before


def test_saving_a_row_keeps_a_secret_that_no_key_opens(model: CatalogModel, settings: Settings) -> None:
    before, old = stored(), settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    CatalogModel.objects.get().save()
    assert stored() == before
    settings.FIELD_ENCRYPTION_KEYS = old
    assert CatalogModel.objects.get().weights_token.reveal() == SECRET


def test_a_secret_of_a_lost_key_says_so_and_nothing_else(model: CatalogModel, settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(UnreadableSecret) as raised:
        CatalogModel.objects.get().weights_token.reveal()
    assert stored() not in str(raised.value)
    assert raised.value.__suppress_context__


def test_without_keys_nothing_is_stored(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = []
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
        Sealed.of(SECRET)
