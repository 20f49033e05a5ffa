"""A NIM that names no image is saved with that of its model, so that a later edit of the catalogue moves nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployments import desired, document
from deployments.document import InvalidDocument
from deployments.models import CatalogModel
from deployments.spec import EngineSpec, NimSpec
from deployments.vocabulary import Engine, SourceKind
from tests.deployments.pages import world
from tests.deployments.pages.world import spec

NIM = spec(engine=EngineSpec(Engine.NIM, "", "2.0.3", nim=NimSpec()))


def of_ngc() -> CatalogModel:
    model = world.model()
    model.source_kind, model.source_reference = SourceKind.NGC, "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8"
    model.save()
    return model


def test_the_image_of_the_model_is_saved_with_the_revision() -> None:
    of_ngc()
    made = desired.create(NIM, author=None)
    assert made.spec.engine.image == "nvcr.io/nim/meta/llama-3.1-8b-instruct"
    assert made.spec.engine.tag == "2.0.3"


def test_saving_it_again_without_the_image_changes_nothing() -> None:
    of_ngc()
    made = desired.create(NIM, author=None)
    again = desired.revise(made, NIM, author=None, expected=1)
    assert again.current.number == 1
    assert document.to_mapping(again.spec)["spec"]["engine"]["image"]


def test_an_image_that_is_named_stays() -> None:
    of_ngc()
    own = replace(NIM, engine=replace(NIM.engine, image="registry.example.com/llama"))
    assert desired.create(own, author=None).spec.engine.image == "registry.example.com/llama"


def test_a_model_without_an_ngc_image_asks_for_one() -> None:
    with pytest.raises(InvalidDocument) as refused:
        desired.create(NIM, author=None)
    assert [problem.path for problem in refused.value.problems] == ["spec.engine.image"]
    assert "Enter the image" in refused.value.problems[0].message
