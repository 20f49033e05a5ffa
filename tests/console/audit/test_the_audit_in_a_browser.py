"""What only a browser shows of the audit: filtering as one types, files that follow, pages, and accessibility."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Browser, Page, expect

from console.access import Role
from console.audit import Actor, ActorKind, Thing, acting_as, record, refuse
from tests.browser import wait_for_the_last_answer
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(live_server: Any, browser: Browser) -> Iterator[Page]:
    """The audit as an operator sees it, with sixty entries; the browser's console may say nothing."""
    client = world.signed_in(world.person("olga@example.com", Role.OPERATOR))
    with acting_as(Actor(ActorKind.PERSON, "ada@example.com", 7)):
        for step in range(60):
            record(
                "cluster.edited", Thing("cluster", f"fra-{step}"), before={"a": step}, after={"a": step + 1}
            )
        record("deployment.stopped", Thing("deployment", "llama-8b-chat"))
    refuse("request.refused", Thing("address", "GET /clusters/new/"))
    said: list[str] = []
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(10_000)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    opened = context.new_page()
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto("/audit/")
    yield opened
    context.close()
    wait_for_the_last_answer()
    assert said == []


def violations(page: Page) -> list[Any]:
    found = Axe().run(page).response["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


def test_typing_filters_and_the_files_follow(page: Page) -> None:
    page.get_by_role("searchbox").fill("llama")
    expect(page.locator("#entries tbody tr")).to_have_count(1)
    expect(page).to_have_url(
        "/audit/?q=llama&action=&refused=&actor=&object=&organization=&address=&from=&to="
    )
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    with waiting.value.path().open() as file:
        assert [row["object_name"] for row in csv.DictReader(file)] == ["llama-8b-chat"]


def test_pages_lead_to_older_entries_and_back(page: Page) -> None:
    expect(page.locator("#entries tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="fra-0", exact=True)).to_be_visible()
    page.get_by_role("link", name="Newer").click()
    expect(page.get_by_role("link", name="llama-8b-chat")).to_be_visible()


def test_more_filters_and_one_entry(page: Page) -> None:
    page.get_by_role("button", name="More filters").click()
    page.get_by_label("Object").fill("cluster:fra-7")
    page.get_by_role("button", name="Show entries").click()
    expect(page.locator("#entries tbody tr")).to_have_count(1)
    expect(page.get_by_role("link", name="Object: cluster:fra-7")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="Cluster edited").click()
    expect(page.locator(".diff del")).to_have_text("- a: 7")
    expect(page.locator(".diff ins")).to_have_text("+ a: 8")
    assert violations(page) == []
    page.get_by_role("link", name="ada@example.com").click()
    expect(page.locator("#entries tbody tr")).to_have_count(50)
