"""What only a browser shows: scripts that keep what was typed, no console message, no accessibility violation."""

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from deployments.models import Draft
from deployments.wizard import steps
from tests.deployments.wizard.conftest import variables

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def browse(live_server, page: Page, web: Client) -> Iterator[Callable[[str], Page]]:
    """Opens a page as the signed-in person; afterwards the console has to be empty."""
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.context.add_cookies(
        [{"name": "session", "value": web.cookies["session"].value, "url": live_server.url}]
    )

    def go(path: str) -> Page:
        page.goto(live_server.url + path)
        return page

    yield go
    assert messages == []


def test_the_rail_keeps_what_was_typed(browse, draft: Draft, at) -> None:
    page = browse(at("engine"))
    page.get_by_label("Tag").fill("v0.32.0")
    page.get_by_role("link", name="Pricing", exact=True).click()
    expect(page.get_by_role("heading", name="Pricing")).to_be_visible()
    page.get_by_role("button", name="Rate limits").click()
    page.locator(".steps a").filter(has_text="Engine").click()
    expect(page.get_by_label("Tag")).to_have_value("v0.32.0")


def test_enter_in_a_field_goes_on(browse, at) -> None:
    page = browse(at("environment"))
    page.get_by_label("Name").first.fill("A")
    page.get_by_label("Value").first.fill("1")
    page.get_by_label("Value").first.press("Enter")
    expect(page.get_by_role("heading", name="Rate limits")).to_be_visible()


def test_rows_are_added_and_removed_and_secrets_hidden_while_typing(browse, draft: Draft, at) -> None:
    page = browse(at("environment"))
    page.get_by_label("Name").first.fill("A")
    page.get_by_role("button", name="Add variable").click()
    page.get_by_label("Name").nth(1).fill("TOKEN")
    page.get_by_label("Secret").nth(1).check()
    value = page.get_by_label("Value").nth(1)
    expect(value).to_have_attribute("type", "password")
    value.fill("hidden")
    page.get_by_role("button", name="Remove variable").first.click()
    page.get_by_role("button", name="Continue to rate limits").click()
    expect(page.get_by_role("heading", name="Rate limits")).to_be_visible()
    draft.refresh_from_db()
    assert draft.sections["environment"] == [{"name": "TOKEN", "secret": True}]


def test_the_name_is_judged_while_one_types(browse, draft: Draft) -> None:
    page = browse(reverse("model_deploy", args=["opt-125m"]))
    page.get_by_label("Name").fill("Not a name")
    expect(page.locator("#id_name_live")).to_contain_text("is not a DNS label")
    page.get_by_label("Name").fill("a-name")
    expect(page.locator("#id_name_live")).to_contain_text("a-name is free.")


def test_limits_show_their_fields_when_switched_on(browse, at) -> None:
    page = browse(at("rate-limits"))
    expect(page.get_by_label("Tokens").first).to_be_hidden()
    page.get_by_label("Limit each organisation").check()
    expect(page.get_by_label("Tokens").first).to_be_visible()


def test_another_engine_shows_its_fields_at_once_and_loses_nothing(browse, draft: Draft, at) -> None:
    page = browse(at("engine"))
    page.get_by_label("Arguments").fill("--seed 7")
    page.get_by_role("radio", name="NVIDIA NIM").check()
    expect(page.get_by_label("Profile")).to_be_visible()
    expect(page.get_by_role("radio", name="NVIDIA NIM")).to_be_focused()
    page.get_by_role("radio", name="NVIDIA Dynamo").check()
    expect(page.locator("#id_image")).to_have_value("nvcr.io/nvidia/ai-dynamo/vllm-runtime")
    page.get_by_role("radio", name="SGLang").check()
    expect(page.locator("#id_image")).to_have_value("nvcr.io/nvidia/ai-dynamo/sglang-runtime")
    expect(page.get_by_label("Prefill workers", exact=True)).to_be_hidden()
    page.get_by_role("radio", name="Disaggregated").check()
    expect(page.get_by_label("Prefill workers", exact=True)).to_be_visible()
    expect(page.locator("#advice")).to_contain_text("The cluster has no Dynamo operator")
    page.get_by_role("radio", name="vLLM").first.check()
    expect(page.get_by_label("Arguments")).to_have_value("--seed 7")


@pytest.mark.parametrize("kind", ["nim", "dynamo"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_fields_of_every_engine_are_in_order(browse, web: Client, at, kind: str, theme: str) -> None:
    web.post(at("engine"), {"kind": kind, "shown": "vllm", "action": "fields"})
    page = browse(at("engine"))
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()


def test_the_threshold_shown_is_that_of_the_chosen_metric(browse, at) -> None:
    page = browse(at("autoscaling"))
    page.get_by_label("Change the number of replicas with the load").check()
    for metric, label in (("memory", "Memory in use"), ("cpu", "CPU in use")):
        page.locator(f"input[value={metric}]").check()
        expect(page.locator("[data-for] input:visible")).to_have_count(1)
        expect(page.get_by_label(label)).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_an_accessibility_violation(browse, web: Client, at, theme: str) -> None:
    web.post(at("environment"), variables({"name": "HF_HOME", "value": "/x"}, {"name": "T", "secret": "on"}))
    web.post(at("rate-limits"), {"user_on": "on", "action": "back"})
    found = {}
    for path in [reverse("model_deploy", args=["opt-125m"]), *(at(step.slug) for step in steps.STEPS)]:
        page = browse(path)
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        result = Axe().run(page)
        if result.violations_count:
            found[path] = result.generate_report()
    assert found == {}


def test_no_page_scrolls_sideways_on_a_phone(browse, web: Client, at) -> None:
    web.post(at("engine"), {"tag": "x" * 120, "image": "a" * 200, "action": "back"})
    for step in steps.STEPS:
        page = browse(at(step.slug))
        page.set_viewport_size({"width": 360, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, step.slug
