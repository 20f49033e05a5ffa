"""An invoice on paper: dark on white whatever the theme, without the console around it, all columns on the page."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.journeys.conftest import Visitor


def test_an_invoice_is_printed_on_white_paper(visitor: Visitor) -> None:
    page = visitor.page
    page.emulate_media(color_scheme="dark")
    page.goto("/usage/invoices/")
    page.get_by_role("link", name="Acme").click()
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 794, "height": 1123})  # A4 at 96 dots an inch
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"Acme, \w+ \d{4}"))
    for around in (".sidebar", ".crumbs", "a.btn"):
        assert page.locator(around).first.is_hidden()
    ground, ink = page.evaluate(
        """() => {
            const style = getComputedStyle(document.querySelector("td.num"));
            return [getComputedStyle(document.body).backgroundColor, style.color].map((colour) => {
                const canvas = new OffscreenCanvas(1, 1).getContext("2d");
                canvas.fillStyle = colour;
                canvas.fillRect(0, 0, 1, 1);
                return canvas.getImageData(0, 0, 1, 1).data[1];
            });
        }"""
    )
    assert ground > 240
    assert ink < 90
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
