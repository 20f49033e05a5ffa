"""A change is looked at before it is made, goes wrong, and is rolled back: what is said is what happens."""

import re
from time import monotonic, sleep

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Stack, Visitor

pytestmark = pytest.mark.xdist_group("journeys")  # one stack for all of them

ROLLOUT = 90_000  # milliseconds, on a busy machine
DOCUMENT = """\
apiVersion: slipway/v1
kind: ModelDeployment
metadata: {name: careful}
spec:
  model: opt-125m
  endpoint: main
  engine: {kind: vllm, tag: v0.33.0, replicas: 1, volume: 10Gi}
  environment: [{name: MOOD, value: calm}]
"""


def has_become(page: Page, words: str) -> None:
    """The page's own badge says so, without a reload."""
    expect(page.locator("h1 .badge")).to_have_text(re.compile(words), timeout=ROLLOUT)


def edit(page: Page, tag: str) -> None:
    """As far as the review of another tag."""
    page.get_by_role("link", name="Edit configuration").first.click()
    page.get_by_role("button", name="Continue to engine").click()
    page.get_by_label("Tag").fill(tag)
    page.get_by_role("button", name="Continue to resources").click()
    page.locator(".steps a").filter(has_text="Review").click()


def pods(stack: Stack) -> dict[str, str]:
    """Uid by name of the deployment's pods."""
    columns = "custom-columns=NAME:.metadata.name,UID:.metadata.uid"
    listed = stack.kubectl(
        "get", "pods", "-n", "models", "-l", "slipway/deployment=careful", "--no-headers", "-o", columns
    )
    rows = (line.partition(" ") for line in listed.splitlines())
    return {name: uid.strip() for name, _, uid in rows}


def test_a_change_is_previewed_broken_and_rolled_back(visitor: Visitor, stack: Stack) -> None:
    applied = stack.manage("apply", "-", "--wait", given=DOCUMENT)
    assert applied.returncode == 0, applied.stderr
    before = pods(stack)
    page = visitor.page
    page.goto("/deployments/careful/")

    edit(page, "v9.9.9")
    impact = page.locator("#impact")
    expect(impact).to_contain_text("1 replica restarts, and none is missed")
    expect(impact).to_contain_text("md-careful-1 starts first")
    page.get_by_label("Replace in place").check()
    expect(impact).to_contain_text("1 replica restarts, and nothing serves meanwhile")
    page.get_by_label("Safe choice").check()
    expect(impact).to_contain_text("and none is missed")
    page.get_by_label("Reason").fill("The newest engine")
    page.get_by_role("button", name="Save and roll out").click()

    has_become(page, "Rollout failed")
    expect(page.locator(".diagnosis")).to_contain_text("Revision 1")
    assert pods(stack)["md-careful-0"] == before["md-careful-0"]

    page.get_by_role("link", name="Revisions").click()
    newest = page.get_by_role("row").filter(has_text="The newest engine")
    expect(newest).to_contain_text("Image tag")
    expect(page.get_by_role("row").filter(has=page.get_by_text("Revision 1", exact=True))).to_contain_text(
        "It serves until the newest revision does."
    )
    page.get_by_role("link", name=re.compile("Roll back")).click()
    page.get_by_role("button", name="Review the roll back").click()
    expect(page.locator("#impact")).to_contain_text("No pod that serves restarts")
    expect(page.get_by_label("Reason")).to_have_value("Roll back to revision 1")
    page.get_by_role("button", name="Save and roll out").click()

    has_become(page, "Serving")
    expect(page.locator("#phases-title, .facts").first).to_be_visible()
    until = monotonic() + ROLLOUT / 1000
    while pods(stack) != before:  # the extra pod takes its leave
        assert monotonic() < until, pods(stack)
        sleep(0.5)
    assert not visitor.scrolls_sideways()
