"""The main job, as one person does it: deploy, watch, break, mend, stop, start, delete."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Stack, Visitor

pytestmark = pytest.mark.xdist_group("journeys")  # one stack for all of them

ROLLOUT = 90_000  # milliseconds, on a busy machine
STEPS = ["engine", "resources", "autoscaling", "environment", "rate limits", "pricing", "review"]


#: A model of its own in the catalogue, because other journeys leave deployments behind.
OWN_MODEL = """
from deployments.models import CatalogModel
model = CatalogModel.objects.get(slug="opt-125m")
model.pk, model.slug, model.name, model._state.adding = None, "own-opt", "Own OPT", True
model.save()
"""


def has_become(page: Page, words: str) -> None:
    """The page's own badge says so, without a reload."""
    expect(page.locator("h1 .badge")).to_have_text(re.compile(words), timeout=ROLLOUT)


def change_the_tag(page: Page, tag: str) -> None:
    page.get_by_role("link", name="Edit configuration").first.click()
    page.get_by_role("button", name="Continue to engine").click()
    page.get_by_label("Tag").fill(tag)
    page.get_by_role("button", name="Continue to resources").click()
    page.locator(".steps a").filter(has_text="Review").click()
    page.get_by_role("button", name="Save and roll out").click()


def choose(page: Page, action: str) -> None:
    """An action of the menu, and whatever it asks."""
    page.get_by_role("button", name="More actions").click()
    page.locator("#actions").get_by_role("link", name=re.compile(action)).click()
    asked = page.locator("dialog[open]")
    if action == "Delete":
        asked.get_by_label("Type journey to confirm").fill("journey")
    asked.get_by_role("button", name=re.compile(action)).click()


def test_from_the_catalogue_to_serving_and_back_to_nothing(visitor: Visitor, stack: Stack) -> None:
    made = stack.manage("shell", "--no-imports", "-c", OWN_MODEL)
    assert made.returncode == 0, made.stderr
    page = visitor.page
    page.get_by_role("link", name="Models").first.click()
    page.get_by_role("link", name="Own OPT").click()
    expect(page.get_by_role("heading", name="No active deployments of Own OPT")).to_be_visible()
    page.get_by_role("link", name="Deploy", exact=True).click()

    page.get_by_label("Name").fill("journey")
    for step in STEPS:
        page.get_by_role("button", name=f"Continue to {step}").click()
        expect(page.locator("#step-title, h2").first).to_be_visible()
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.wait_for_url("**/deployments/journey/")
    has_become(page, "Serving")

    change_the_tag(page, "v9.9.9")
    page.wait_for_url("**/deployments/journey/")
    has_become(page, "Rollout failed")
    expect(page.locator(".diagnosis")).to_contain_text("the image or tag does not exist")

    change_the_tag(page, "v0.32.0")
    page.wait_for_url("**/deployments/journey/")
    has_become(page, "Serving")

    choose(page, "Stop")
    has_become(page, "Stopped")
    choose(page, "Start")
    has_become(page, "Serving")

    choose(page, "Delete")
    expect(page.get_by_role("link", name="journey", exact=True)).to_have_count(0, timeout=ROLLOUT)
    selector = "slipway/deployment=journey"
    left = stack.kubectl("get", "all,pvc,secrets,hpa", "-A", "-l", selector, "-o", "name")
    assert left.strip() == ""
