"""E23: markup and formulas in every text that people or clusters give are shown as text, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page

from console.audit import Actor, ActorKind, Thing, acting_as, record, refuse
from console.models import Membership, Organization, Subscription, User
from deployments import desired
from deployments.models import CatalogModel, Cluster, Deployment, Endpoint, Observation, Provider
from deployments.spec import Variable
from deployments.vocabulary import Phase, Sharing
from metering import issuing
from metering.models import ApiKey
from tests.browser import wait_for_the_last_answer
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db(transaction=True)
EVIL = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
#: What a browser still has of these pages (ASVS 14.3.3). Beside a choice of theme.
STORED = """async () => ({local: Object.keys(localStorage), session: Object.keys(sessionStorage),
  databases: (await indexedDB.databases()).map(each => each.name)})"""
FORMULA = "=cmd|' /C calc'!A0"
PAGES = [
    "/",
    "/deployments/",
    "/deployments/chat/",
    "/deployments/chat/configuration/",
    "/deployments/chat/metrics/",
    "/deployments/chat/logs/",
    "/deployments/chat/revisions/",
    "/deployments/chat/yaml/",
    "/deployments/chat/sharing/",
    "/deployments/chat/edit/",
    "/models/",
    "/models/llama-8b/",
    "/models/llama-8b/edit/",
    "/models/llama-8b/deploy/",
    "/clusters/",
    "/clusters/fra-1/",
    "/endpoints/",
    "/endpoints/main/",
    "/fleet/",
    "/usage/",
    "/usage/invoices/",
    "/organizations/",
    "/organizations/acme/",
    "/people/",
    "/people/?q=%3Cscript%3Ealert(3)%3C/script%3E",
    "/keys/",
    "/audit/",
    "/audit/?q=%22%3E%3Cscript%3Ealert(4)%3C/script%3E",
    "/accounts/access-keys/",
    "/accounts/sessions/",
    "/notifications/",
]
PORTAL = [
    "/portal/",
    "/portal/models/chat/",
    "/portal/playground/",
    "/portal/keys/",
    "/portal/keys/new/",
    "/portal/members/",
    "/portal/usage/",
    "/portal/bill/",
    "/accounts/security/",
]


def fill() -> None:
    """Everything with a text has the same odd one."""
    chat = Deployment.objects.get(name="chat")
    world.see(chat, Phase.FAILED, sentence=EVIL, remedy=EVIL)
    world.move(chat, Phase.FAILED, world.ago(hours=1), sentence=EVIL)
    Provider.objects.update(name=EVIL[:90])
    CatalogModel.objects.update(name=EVIL[:90], description=EVIL, source_reference=EVIL[:90])
    Cluster.objects.update(name=EVIL[:90], check_error=EVIL, unreachable_reason=EVIL)
    Endpoint.objects.update(name=EVIL[:90])
    _of_tenants(chat)
    with acting_as(Actor(ActorKind.PERSON, EVIL, 7)):
        record("cluster.edited", Thing("cluster", EVIL), before={"a": EVIL}, after={"a": FORMULA})
    refuse("request.refused", Thing("address", EVIL))


def _of_tenants(chat: Deployment) -> None:
    user = world.tenant("bea@acme.example", "acme")
    Membership.objects.update(role=Membership.Role.OWNER)
    acme = Organization.objects.get(slug="acme")
    assert chat.current is not None
    told = replace(
        chat.current.spec,
        description=EVIL,
        sharing=world.shared(Sharing.SELECTED, "acme"),
        environment=(Variable("EVIL", EVIL),),
    )
    desired.revise(chat, told, author=user, expected=1, note=EVIL[:90])
    Observation.objects.update(details={"log": [EVIL], "events": [{"reason": EVIL, "message": EVIL}]})
    issuing.issue(user=user, organization=acme, name=EVIL[:90], description=EVIL[:90], by=user)
    Subscription.objects.create(name=EVIL[:90], channel="email", addresses=["eve@example.com"])
    User.objects.update(name=EVIL[:90])
    Organization.objects.update(name=EVIL[:90], suspension_reason=EVIL[:90])


def page_of(live_server: Any, browser: Browser, client: Client) -> Page:
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(15_000)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    return context.new_page()


@pytest.fixture
def tenant(live_server: Any, browser: Browser) -> Iterator[Page]:
    fill()
    page = page_of(live_server, browser, world.signed_in(User.objects.get(email="bea@acme.example")))
    yield page
    page.context.close()
    wait_for_the_last_answer()


@pytest.fixture
def page(live_server: Any, browser: Browser) -> Iterator[Page]:
    client = world.signed_in(world.person("eve@example.com", name=EVIL[:90]))
    fill()
    page = page_of(live_server, browser, client)
    yield page
    page.context.close()
    wait_for_the_last_answer()


def test_nothing_runs_on_any_page(page: Page) -> None:
    shown = visit(page, [*PAGES, *(f"/keys/{key.pk}/" for key in ApiKey.objects.all())])
    assert shown >= len(PAGES) // 2, "the texts are on the pages, so that something is shown here"


def test_nothing_runs_in_the_portal(tenant: Page) -> None:
    keys = [f"/portal/keys/{key.pk}/" for key in ApiKey.objects.filter(organization__slug="acme")]
    assert keys
    shown = visit(tenant, [*PORTAL, *keys])
    assert shown >= len(PORTAL) // 2


def visit(page: Page, paths: list[str]) -> int:
    """Looks at each; on how many of them the text was to be read."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(f"ran: {dialog.message}"), dialog.dismiss()))
    shown = 0
    for path in paths:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        assert page.locator("img[onerror], img[src=x]").count() == 0, path
        assert "alert(" not in "".join(page.locator("script:not([src])").all_inner_texts()), path
        shown += "<img src=x onerror" in page.locator("body").inner_text()
    assert said == []
    kept = page.evaluate(STORED)
    assert (kept["local"], kept["databases"]) == ([], [])
    assert set(kept["session"]) <= {"htmx-current-path-for-history"}
    return shown
