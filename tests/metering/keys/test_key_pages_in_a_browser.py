"""What only a browser shows of keys and limits: accessibility, small screens, double clicks, samples and copying."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from console.models import User
from deployments.models import Deployment
from deployments.spec import Limit, RateLimits, SharingSpec
from deployments.vocabulary import LimitScope, Sharing
from metering import issuing, limit_changes
from metering.limit_changes import Amounts
from metering.models import ApiKey
from tests.browser import wait_for_the_last_answer
from tests.deployments.pages import world
from tests.metering.keys.people import owner

pytestmark = pytest.mark.django_db(transaction=True)
Browse = Callable[..., Page]


@pytest.fixture
def bob(db: None) -> User:
    """With a key in every state, in two organisations."""
    bob = owner()
    limits = RateLimits(organization=Limit(200_000, 600))
    for name in ("chat", *(f"model-{number}" for number in range(9))):
        world.deployment(name, sharing=SharingSpec(Sharing.ALL), rate_limits=limits)
    acme, now = bob.organizations.get(), timezone.now()
    bea = world.tenant("bea@acme.example", "acme", "globex")
    for name, life in (
        ("Search service", None),
        ("Notebook", timedelta(days=3)),
        ("Old build", timedelta(days=9)),
    ):
        issuing.issue(
            user=bob,
            organization=acme,
            name=name,
            by=bob,
            expires_at=life and now + life,
            description="For the tests.",
        )
    issuing.issue(
        user=bea, organization=acme, name="Bea's", by=bea, deployments=[Deployment.objects.get(name="chat")]
    )
    ApiKey.objects.filter(name="Search service").update(last_used_at=now)
    issuing.rotate(ApiKey.objects.get(name="Old build"), overlap=timedelta(days=1), by=bob)
    issuing.revoke(ApiKey.objects.get(name="Bea's"), by=bob)
    out = world.tenant("out@acme.example", "acme")
    issuing.issue(user=out, organization=acme, name="Suspended one", by=out)
    out.memberships.all().delete()
    exception = {LimitScope.ORGANIZATION: Amounts(5_000, None), LimitScope.API_KEY: Amounts()}
    limit_changes.set_exception(Deployment.objects.get(name="chat"), acme, exception)
    return bob


@pytest.fixture
def browse(live_server: Any, browser: Browser, bob: User) -> Iterator[Browse]:
    """Opens a page as somebody; afterwards no browser's console may have said anything."""
    said: list[str] = []
    contexts = []

    def go(user: User, path: str, *, theme: str = "light", width: int = 1440) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        contexts.append(context)
        cookie = world.signed_in(user).cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(live_server.url + path)
        return page

    yield go
    for context in contexts:
        context.close()
    wait_for_the_last_answer()
    # A form that is refused is what one of these tests is about.
    assert [each for each in said if "status of 422" not in each] == []


def faults(page: Page) -> list[Any]:
    violations = Axe().run(page).response["violations"]
    found: list[Any] = [(each["id"], [node["html"] for node in each["nodes"]]) for each in violations]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("scrolls sideways")
    return found


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_every_page_is_accessible_and_fits(browse: Browse, bob: User, theme: str, width: int) -> None:
    key, old = ApiKey.objects.get(name="Search service"), ApiKey.objects.get(prefix__gt="", name="Bea's")
    own = bob.memberships.get().pk
    paths = {
        bob: ["/", "/portal/keys/", "/portal/keys/new/", f"/portal/keys/{key.pk}/"],
        world.person(): [
            "/keys/",
            "/keys/?q=nothing",
            "/keys/new/",
            f"/keys/new/?membership={own}",
            f"/keys/{old.pk}/",
            f"/keys/{key.pk}/rotate/",
            f"/keys/{key.pk}/revoke/",
            "/deployments/chat/limits/",
            "/deployments/chat/limits/?organization=acme",
        ],
    }
    found = {}
    for user, addresses in paths.items():
        page = browse(user, "/", theme=theme, width=width)
        root = page.url.removesuffix("/").removesuffix("/portal")
        for path in addresses:
            page.goto(root + path)
            found[path] = faults(page)
    page = browse(bob, "/portal/keys/new/", theme=theme, width=width)
    page.get_by_label("Name").fill("New")
    page.get_by_role("button", name="Make key").click()
    expect(page.get_by_role("heading", name="New is made")).to_be_visible()
    found["made"] = faults(page)
    assert {path: what for path, what in found.items() if what} == {}


def test_a_double_click_shows_the_one_key_and_a_reload_shows_it_no_more(browse: Browse, bob: User) -> None:
    """E13."""
    page = browse(bob, "/portal/keys/new/")
    before = ApiKey.objects.count()
    page.get_by_label("Name").fill("Twice")
    page.get_by_role("button", name="Make key").dblclick()
    expect(page.get_by_role("heading", name="Twice is made")).to_be_visible()
    expect(page.locator("#key")).to_contain_text(ApiKey.objects.get(name="Twice").prefix)
    page.reload()
    expect(page.get_by_text("Twice was made already")).to_be_visible()
    assert ApiKey.objects.count() == before + 1


def test_the_models_of_a_key_are_searched_and_ticked(browse: Browse, bob: User) -> None:
    page = browse(bob, "/portal/keys/new/")
    page.get_by_label("Name").fill("Chat only")
    page.get_by_label("Search models").fill("chat")
    expect(page.locator("#models label:visible")).to_have_count(1)
    page.get_by_label("chat", exact=True).check()
    page.get_by_role("button", name="Make key").click()
    expect(page.get_by_text("Models are ticked, but the key is for all.").first).to_be_visible()
    page.get_by_role("radio", name="Chosen models").check()
    page.get_by_role("button", name="Make key").click()
    expect(page.get_by_role("heading", name="Chat only is made")).to_be_visible()
    assert [each.name for each in ApiKey.objects.get(name="Chat only").deployments.all()] == ["chat"]


def test_samples_switch_between_curl_and_python(browse: Browse, bob: User) -> None:
    page = browse(bob, "/")
    expect(page.locator("#sample-curl")).to_be_visible()
    expect(page.locator("#sample-python")).to_be_hidden()
    page.get_by_text("Python", exact=True).click()
    expect(page.locator("#sample-python")).to_be_visible()
    expect(page.locator("#sample-curl")).to_be_hidden()


def test_an_administrator_searches_for_whom_the_key_is(browse: Browse) -> None:
    page = browse(world.person(), "/keys/new/")
    page.get_by_label("Search").press_sequentially("bea")
    expect(page.locator("#people tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Bea, Globex").click()
    expect(page.get_by_text("For Bea, Globex")).to_be_visible()
