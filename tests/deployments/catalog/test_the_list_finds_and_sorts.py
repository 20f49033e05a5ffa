"""The catalogue's list and a model's page: search, filter, order, what runs, and the price of it in queries."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deployments import desired
from deployments.models import CatalogModel, Deployment, Draft, Provider
from deployments.vocabulary import Phase, UseCase
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def catalogue(db: None) -> None:
    rows = [
        ("llama-8b", "Llama 8B", "Meta", UseCase.CHAT),
        ("opt-125m", "OPT 125M", "Meta", UseCase.COMPLETION),
        ("qwen-embed", "Qwen Embedding", "Alibaba", UseCase.EMBEDDING),
    ]
    for slug, name, maker, use_case in rows:
        provider, _ = Provider.objects.get_or_create(slug=maker.lower(), defaults={"name": maker})
        CatalogModel.objects.create(
            slug=slug, name=name, provider=provider, use_case=use_case, source_reference=f"a/{slug}"
        )


def shown(web: Client, query: str = "", **headers: str) -> list[str]:
    """Short names in the order of the page."""
    page = web.get(f"/models/{query}", headers=headers or None)
    assert page.status_code == 200
    return re.findall(r'<th scope="row" class="name"><a href="/models/([\w-]+)/"', page.text)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["llama-8b", "opt-125m", "qwen-embed"]),
        ("?q=LLAMA", ["llama-8b"]),
        ("?q=+125m+", ["opt-125m"]),
        ("?q=meta", ["llama-8b", "opt-125m"]),
        ("?q=%25", []),
        ("?q=_", []),
        ("?q=nothing", []),
        ("?use=embedding", ["qwen-embed"]),
        ("?use=no-such", ["llama-8b", "opt-125m", "qwen-embed"]),
        ("?q=meta&use=chat", ["llama-8b"]),
        ("?sort=-name", ["qwen-embed", "opt-125m", "llama-8b"]),
        ("?sort=provider", ["qwen-embed", "llama-8b", "opt-125m"]),
        ("?sort=-provider", ["llama-8b", "opt-125m", "qwen-embed"]),
        ("?sort=password", ["llama-8b", "opt-125m", "qwen-embed"]),
        ("?page=99&sort=--name", ["qwen-embed", "opt-125m", "llama-8b"]),
    ],
)
def test_the_list_shows_what_was_asked_for(
    web: Client, catalogue: None, query: str, found: list[str]
) -> None:
    assert shown(web, query) == found
    assert shown(web, query, **{"HX-Request": "true"}) == found


def test_the_list_sorts_by_what_is_deployed(web: Client, catalogue: None) -> None:
    world.deployment("a", model="opt-125m")
    world.deployment("b", model="opt-125m")
    world.deployment("c", model="llama-8b")
    assert shown(web, "?sort=-deployments") == ["opt-125m", "llama-8b", "qwen-embed"]
    counts = re.findall(r'data-label="Deployments"[^>]*>(?:<[^>]*>)?([^<]+)<', web.get("/models/").text)
    assert counts == ["1", "2", "–"]


def test_a_deployment_that_is_being_deleted_does_not_count(web: Client, catalogue: None) -> None:
    desired.delete(world.deployment("c", model="llama-8b"), author=None)
    page = web.get("/models/?q=llama").text
    assert re.findall(r'data-label="Deployments"[^>]*>(?:<[^>]*>)?([^<]+)<', page) == ["–"]


def test_nothing_found_offers_the_way_back_and_what_was_typed(web: Client, catalogue: None) -> None:
    page = web.get("/models/", {"q": '"><b>none'}).text
    assert "No model matches" in page
    assert "<b>none" not in page
    assert "&quot;&gt;&lt;b&gt;none" in page


def test_an_empty_catalogue_offers_the_first_model(web: Client) -> None:
    page = web.get("/models/").text
    assert "No models yet" in page
    assert 'href="/models/new/"' in page


def test_a_model_without_deployments_offers_to_deploy(web: Client, catalogue: None) -> None:
    page = web.get("/models/opt-125m/").text
    assert "No active deployments of OPT 125M" in page
    assert page.count('href="/models/opt-125m/deploy/"') == 1


def test_a_model_shows_what_runs_of_it_and_offers_more(web: Client, catalogue: None) -> None:
    world.deployment("chat", Phase.FAILED, ready=0, sentence="The image does not exist.", model="opt-125m")
    world.deployment("other", model="llama-8b")
    page = web.get("/models/opt-125m/").text.partition("<main")[2]
    assert 'href="/deployments/chat/"' in page
    assert "The image does not exist." in page
    assert 'href="/deployments/other/"' not in page
    assert "No active deployments" not in page
    assert page.count('href="/models/opt-125m/deploy/"') == 1


def test_a_model_shows_only_ones_own_drafts(web: Client, catalogue: None) -> None:
    model = CatalogModel.objects.get(slug="opt-125m")
    other = Draft.objects.create(author=world.person("bob@example.com"), model=model)
    page = web.get("/models/opt-125m/").text
    assert str(other.pk) not in page
    assert "Unfinished" not in page


def queries(web: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert web.get(address).status_code == 200
    return len(captured)


def grow(count: int) -> None:
    """Models, and deployments of the first one, until there are `count` of each."""
    first = world.deployment("d-0") if not Deployment.objects.exists() else Deployment.objects.get(name="d-0")
    for number in range(CatalogModel.objects.count(), count):
        provider, _ = Provider.objects.get_or_create(slug=f"p-{number}", defaults={"name": f"P {number}"})
        CatalogModel.objects.create(
            slug=f"m-{number}", name=f"M {number}", provider=provider, source_reference="a/b"
        )
    for number in range(Deployment.objects.count(), count):
        world.deployment(f"d-{number}", model=first.model.slug)


@pytest.mark.parametrize(
    "address",
    [
        "/models/",
        "/models/?q=m&use=chat&sort=-deployments",
        "/models/llama-8b/",
        "/models/llama-8b/edit/",
        "/models/llama-8b/delete/",
        "/models/new/",
    ],
)
def test_a_page_costs_the_same_at_any_size(web: Client, address: str) -> None:
    grow(5)
    few = queries(web, address)
    assert few <= 8
    grow(60)
    assert queries(web, address) == few
