"""The page of a deployment's limits: exceptions, the shadow, and who may change them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from console.access import Role
from console.models import Organization
from deployments.models import Deployment
from deployments.spec import Limit, RateLimits, SharingSpec
from deployments.vocabulary import Sharing
from metering.models import LimitMode, LimitOverride
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
PAGE = "/deployments/chat/limits/"


@pytest.fixture(autouse=True)
def deployment() -> None:
    world.deployment("chat", rate_limits=RateLimits(organization=Limit(200_000, 600)))
    world.organization("acme")


def test_it_shows_the_limits_of_the_spec() -> None:
    page = world.signed_in(world.person("vic@example.com", Role.VIEWER)).get(PAGE).content.decode()
    assert "200,000" in page
    assert "600" in page
    assert "Make an exception" not in page


def test_an_exception_is_made_changed_and_removed() -> None:
    client = world.signed_in(world.person("bill@example.com", Role.BILLING))
    wish = {"do": "save", "organization": "acme", "organization_own": "on", "organization_requests": "50"}
    assert client.post(PAGE, wish).status_code == 302
    made = LimitOverride.objects.get()
    assert (made.scope, made.requests_per_minute, made.tokens_per_minute) == ("organization", 50, None)
    client.post(PAGE, wish | {"organization_requests": "70", "user_own": "on", "user_tokens": "9"})
    rows = LimitOverride.objects.order_by("scope").values_list(
        "scope", "requests_per_minute", "tokens_per_minute"
    )
    assert list(rows) == [("organization", 70, None), ("user", None, 9)]
    assert "any number of requests, 9 tokens per minute" in client.get(PAGE).content.decode()
    client.post(PAGE, {"do": "save", "organization": "acme", "user_own": "on"})
    assert LimitOverride.objects.get().tokens_per_minute is None, "no limit of any kind is an exception, too"
    client.post(PAGE, {"do": "remove", "organization": "acme"})
    assert not LimitOverride.objects.exists()


def test_an_exception_is_changed_from_what_it_is() -> None:
    client = world.signed_in(world.person())
    client.post(PAGE, {"do": "save", "organization": "acme", "user_own": "on", "user_tokens": "900"})
    assert f"{PAGE.rpartition('/')[2]}?organization=acme" in client.get(PAGE).content.decode()
    form = client.get(f"{PAGE}?organization=acme").content.decode()
    assert "Limits of Acme" in form
    assert 'value="900"' in form
    assert "Otherwise: 600 requests, 200,000 tokens per minute." in form
    assert "Otherwise: no limit." in form


def test_what_is_saved_is_said_in_words() -> None:
    client = world.signed_in(world.person())
    wish = {"organization": "acme", "organization_own": "on", "organization_requests": "5000"}
    answer = client.post(PAGE, {"do": "save", **wish, "api_key_own": "on"}, follow=True)
    said = answer.content.decode()
    assert "Organisation: 5,000 requests, any number of tokens per minute. API key: no limit." in said


@pytest.mark.parametrize("text", ["acme", "Acme", "ACME"])
def test_an_organisation_is_found_by_its_name_or_slug(text: str) -> None:
    client = world.signed_in(world.person())
    assert "Limits of Acme" in client.get(PAGE, {"organization": text}).content.decode()
    page = client.get(PAGE, {"organization": "nobody"}).content.decode()
    assert "No organisation is called nobody." in page


def test_a_name_that_two_have_asks_for_the_slug() -> None:
    for slug in ("twin-1", "twin-2"):
        Organization.objects.create(slug=slug, name="Twin")
    client = world.signed_in(world.person())
    assert (
        "Several organisations are called Twin." in client.get(f"{PAGE}?organization=Twin").content.decode()
    )
    assert "Limits of Twin" in client.get(f"{PAGE}?organization=twin-2").content.decode()


def test_it_says_when_the_organisation_cannot_use_the_deployment() -> None:
    client = world.signed_in(world.person())
    note = "It is not shared with this organisation"
    assert note in client.get(f"{PAGE}?organization=acme").content.decode()
    world.deployment("open", sharing=SharingSpec(Sharing.ALL))
    assert note not in client.get("/deployments/open/limits/?organization=acme").content.decode()


def test_a_viewer_is_offered_no_form() -> None:
    viewer = world.signed_in(world.person("vic@example.com", Role.VIEWER))
    page = viewer.get(f"{PAGE}?organization=acme").content.decode()
    assert "Limits of Acme" not in page
    assert "Save exception" not in page


def test_the_page_costs_the_same_for_few_and_for_many_exceptions() -> None:
    client, deployment, counts = world.signed_in(world.person()), Deployment.objects.get(), []
    for more in (3, 200):
        for number in range(more):
            organization = world.organization(f"org-{more}-{number}")
            LimitOverride.objects.create(
                deployment=deployment, organization=organization, scope="user", tokens_per_minute=1
            )
        client.get(PAGE)
        with CaptureQueriesContext(connection) as captured:
            client.get(PAGE)
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 8


@pytest.mark.parametrize(
    "wish",
    [
        {"organization": "acme"},
        {"organization": "nobody", "user_own": "on"},
        {"organization": "acme", "user_own": "on", "user_tokens": "0"},
        {"organization": "acme", "user_own": "on", "user_tokens": "-5"},
        {"organization": "acme", "user_own": "on", "user_tokens": "1" * 30},
        {"organization": "acme", "user_own": "on", "user_tokens": "many"},
        {"organization": "acme", "user_own": "on", "api_key_tokens": "9"},
        {"user_own": "on", "user_tokens": "9"},
    ],
)
def test_what_makes_no_sense_is_refused_beside_its_field(wish: dict[str, str]) -> None:
    answer = world.signed_in(world.person()).post(PAGE, {"do": "save", **wish})
    assert answer.status_code == 422
    assert not LimitOverride.objects.exists()


def test_the_shadow_is_switched_on_and_off() -> None:
    client = world.signed_in(world.person())
    client.post(PAGE, {"do": "shadow"})
    assert LimitMode.objects.get().shadow
    assert "These limits only report" in client.get(PAGE).content.decode()
    client.post(PAGE, {"do": "enforce"})
    assert not LimitMode.objects.get().shadow


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
def test_who_sets_no_prices_sets_no_limits(role: Role) -> None:
    client = world.signed_in(world.person("op@example.com", role))
    assert client.post(PAGE, {"do": "shadow"}).status_code == 403
    assert not LimitMode.objects.exists()
