"""The frame around every page: who is signed in, what is offered, how much there is."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import HttpRequest
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from console.access import MATRIX, Permission, Role
from console.models import User
from console.shell import shell
from deployments.vocabulary import Sharing
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


def request(user: User | AnonymousUser | None) -> HttpRequest:
    made = RequestFactory().get("/")
    if user is not None:
        made.user = user
    return made


@pytest.mark.parametrize("role", [*Role, None])
def test_templates_offer_what_views_allow(role: Role | None) -> None:
    held = MATRIX[role] if role else frozenset()
    may = shell(request(world.person(role=role)))["may"]
    assert may == {permission.name.lower(): permission in held for permission in Permission}


@pytest.mark.parametrize("user", [None, AnonymousUser()])
def test_strangers_are_offered_nothing(user: AnonymousUser | None) -> None:
    found = shell(request(user))
    assert found["may"] == {}
    assert set(found["shell"]) == {"environment"}


def test_who_is_signed_in_is_shown(settings: Settings) -> None:
    settings.ENVIRONMENT_NAME = "Production <1>"
    page = world.signed_in(world.person()).get("/models/").text
    for text in ("Ada Berg", "Administrator", ">AB<", "Production &lt;1&gt;"):
        assert text in page


def test_a_tenant_is_called_one_and_led_nowhere_else() -> None:
    page = world.signed_in(world.tenant("bea@acme.example", "acme")).get("/", follow=True).text
    assert "Member" in page
    for address in ("/models/", "/clusters/", "/endpoints/", "/import/", "/admin/"):
        assert f'href="{address}"' not in page


def test_only_what_one_may_see_is_counted() -> None:
    world.deployment("one", sharing=world.shared(Sharing.ALL))
    world.deployment("two")
    count = shell(request(world.person()))["shell"]["deployment_count"]
    with CaptureQueriesContext(connection) as captured:
        assert count() == 2
    assert len(captured) <= 2


def test_a_fragment_does_without_the_count() -> None:
    user = world.person()
    with CaptureQueriesContext(connection) as captured:
        shell(request(user))
    assert not any("deployments_deployment" in query["sql"] for query in captured)
