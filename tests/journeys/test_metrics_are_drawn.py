"""Charts in a real browser: drawn, hovered, zoomed and saved, in both themes, and the table says what they show."""

from __future__ import annotations

import re
import time

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import Stack, Visitor
from tests.tenant import Tenant

pytestmark = pytest.mark.xdist_group("journeys")  # one stack for all of them

CHAT = "llama-8b-chat"
PAGE = f"/deployments/{CHAT}/metrics/"
PATIENCE = 120.0


@pytest.fixture(scope="module")
def used(stack: Stack) -> Stack:
    """A stack whose chat model has answered through the gateway, streamed and not, and whose ledger knows."""
    minted = stack.manage("mint_key", "bob@acme.example", "--name", "metrics", "--expires", "1h")
    assert minted.returncode == 0, minted.stderr
    with Tenant(stack.gateway, minted.stdout.strip(), CHAT) as tenant:
        wait_until_it_serves(stack, tenant)
        for _ in range(3):
            tenant.stream(max_tokens=8)
        tenant.chat(max_tokens=4)
    return stack


def wait_until_it_serves(stack: Stack, tenant: Tenant) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = httpx.post(
            f"{stack.gateway}/v1/chat/completions",
            headers={"Authorization": f"Bearer {tenant.key}"},
            json={"model": CHAT, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2},
        )
        if answer.status_code == 200:
            return
        assert answer.status_code == 503, answer.text
        assert time.monotonic() < deadline
        time.sleep(0.5)


def shown(page: Page) -> None:
    """The page, once the ledger has recorded the requests and Plotly has drawn them."""
    for _ in range(30):
        page.goto(PAGE)
        if page.locator("[data-chart='ttft']").count():
            break
        page.wait_for_timeout(500)
    expect(page.locator("[data-chart='ttft'] .main-svg").first).to_be_visible()
    charts = page.locator("[data-chart]").count()  # those of engines only once one was read
    assert charts in (5, 8)
    expect(page.locator("[data-chart] .main-svg")).to_have_count(3 * charts)  # three layers each


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1600), ("dark", 1024), ("light", 390), ("dark", 390)]
)
def test_charts_are_drawn_without_a_complaint(browser: Browser, used: Stack, scheme: str, width: int) -> None:
    person = Visitor(
        browser, used, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    shown(person.page)
    assert person.page.locator("[data-chart='ttft'] .scatterlayer .trace").count() == 4
    assert not person.scrolls_sideways()
    assert person.violations() == ""
    person.leave()


def test_the_table_has_what_the_chart_draws(visitor: Visitor, used: Stack) -> None:
    page = visitor.page
    shown(page)
    drawn = page.evaluate(
        "document.querySelector('[data-chart=ttft] .plot').data.map(({name, y}) => [name, y[y.length - 1]])"
    )
    row = page.locator("#numbers tbody tr").first.locator("td")
    told = [float(text.replace(",", "")) for text in row.all_inner_texts()[:4]]
    by_name = dict(drawn)
    assert told == [by_name[name] for name in ("p50", "p95", "p99", "mean")]


def test_hovering_tells_the_hour_and_zooming_stays_in_the_address(visitor: Visitor, used: Stack) -> None:
    page = visitor.page
    shown(page)
    plot = page.locator("[data-chart='requests'] .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.97, box["y"] + box["height"] / 2)
    expect(
        page.locator(
            "[data-chart='requests'] .hoverlayer .legend, [data-chart='requests'] .hoverlayer text"
        ).first
    ).to_be_visible()

    ttft = page.locator("[data-chart='ttft'] .nsewdrag").first
    ttft.scroll_into_view_if_needed()
    box = ttft.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.95, middle, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile("zoom="))
    zoomed = page.evaluate("document.querySelector('[data-chart=itl] .plot').layout.xaxis.range")
    page.reload()
    expect(page.locator("[data-chart='itl'] .main-svg").first).to_be_visible()
    again = page.evaluate("document.querySelector('[data-chart=itl] .plot').layout.xaxis.range")
    assert [each[:13].replace(" ", "T") for each in again] == [each[:13].replace(" ", "T") for each in zoomed]


def test_a_chart_is_saved_as_a_picture_and_the_numbers_as_a_file(visitor: Visitor, used: Stack) -> None:
    page = visitor.page
    shown(page)
    with page.expect_download() as picture:
        page.locator("[data-png='ttft']").click()
    assert picture.value.suggested_filename.endswith(".png")
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as file:
        page.get_by_role("link", name="CSV").click()
    assert file.value.path().read_text().startswith("start_utc,ttft_p50_ms")


def test_a_change_of_theme_colours_the_charts_anew(visitor: Visitor, used: Stack) -> None:
    page = visitor.page
    shown(page)
    colour = "document.querySelector('[data-chart=ttft] .plot').data[1].line.color"
    before = page.evaluate(colour)
    page.locator(".sidebar-foot label").filter(has=page.locator("input[value='dark']")).click()
    page.wait_for_function(f"{colour} !== {before!r}")
