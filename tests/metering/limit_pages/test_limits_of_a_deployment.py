"""The page of a deployment's limits: exceptions, the shadow, and who may change them."""

from __future__ import annotations

import pytest

from console.access import Role
from deployments.spec import Limit, RateLimits
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


@pytest.mark.parametrize(
    "wish",
    [
        {"organization": "acme"},
        {"organization": "nobody", "user_own": "on"},
        {"organization": "acme", "user_own": "on", "user_tokens": "0"},
        {"organization": "acme", "user_own": "on", "user_tokens": "-5"},
        {"organization": "acme", "user_own": "on", "user_tokens": "1" * 30},
        {"organization": "acme", "user_own": "on", "user_tokens": "many"},
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
