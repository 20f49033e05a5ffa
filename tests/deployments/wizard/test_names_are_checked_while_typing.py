"""The name's verdict while one types, and the name that is suggested."""

import pytest
from django.test import Client
from django.urls import reverse

from deployments.models import CatalogModel, Deployment, Endpoint
from deployments.wizard.drafts import suggest


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("", ""),
        ("free", "free is free."),
        ("taken", "There is a deployment taken already."),
        ("Not A Name", "is not a DNS label"),
        ("a" * 300, "characters are too long"),
        ("<b>", "“&lt;b&gt;” is not a DNS label"),
    ],
)
def test_a_typed_name_gets_a_sentence(
    web: Client, model: CatalogModel, endpoint: Endpoint, typed: str, answer: str
) -> None:
    Deployment.objects.create(name="taken", model=model, endpoint=endpoint)
    response = web.get(reverse("deployment_name_check"), {"name": typed})
    assert response.status_code == 200
    text = response.content.decode()
    assert answer in text if answer else not text.strip()


@pytest.mark.parametrize(
    ("slug", "taken", "name"),
    [
        ("opt-125m", [], "opt-125m"),
        ("opt-125m", ["opt-125m"], "opt-125m-2"),
        ("opt-125m", ["opt-125m", "opt-125m-2"], "opt-125m-3"),
        ("Llama_3.1", [], "llama-3-1"),
        ("___", [], "model"),
        ("a" * 63, [], "a" * 44),
    ],
)
def test_a_free_name_is_suggested(slug: str, taken: list[str], name: str) -> None:
    assert suggest(slug, taken) == name


def test_the_page_begins_with_a_free_name(web: Client, model: CatalogModel, endpoint: Endpoint) -> None:
    Deployment.objects.create(name="opt-125m", model=model, endpoint=endpoint)
    page = web.get(reverse("model_deploy", args=[model.slug])).content.decode()
    assert 'value="opt-125m-2"' in page
