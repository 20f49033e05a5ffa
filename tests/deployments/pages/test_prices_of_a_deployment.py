"""The configuration page shows every price that ever held, from when on; review and page name cached input alike."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from django.test import Client

from deployments import desired
from deployments.history import portrait
from deployments.models import Deployment
from deployments.spec import Pricing
from tests.deployments.pages import world

PRICE = Pricing("EUR", Decimal("0.15"), Decimal("0.60"))


@pytest.fixture
def chat(ada) -> Deployment:
    return world.deployment(pricing=PRICE)


def change(deployment: Deployment, pricing: Pricing | None) -> None:
    deployment.refresh_from_db()
    assert deployment.current is not None
    spec = replace(deployment.spec, pricing=pricing)
    desired.revise(deployment, spec, author=None, expected=deployment.current.number)


def rows(web: Client) -> list[str]:
    """The rows of the history as text, without their moments."""
    page = web.get("/deployments/chat/configuration/").text
    table = page.partition("Cached input</th>")[2].partition("</table>")[0]
    without_times = re.sub(r"<time.*?</time>", "", table, flags=re.S)
    cells = [re.sub(r"<[^>]+>", " ", row).split() for row in re.findall(r"<tr>.*?</tr>", without_times, re.S)]
    return [html.unescape(" ".join(words)) for words in cells]


def test_every_price_is_shown_the_newest_first(web: Client, chat: Deployment) -> None:
    change(chat, replace(PRICE, cached_input_per_million=Decimal("0.05")))
    change(chat, None)
    change(chat, Pricing("USD", Decimal(1), Decimal("2.123456789012"), Decimal(0)))
    assert rows(web) == [
        "Holds now $1.00 $2.123456789012 $0.00",
        "No price: usage is recorded as unpriced",
        "€0.15 €0.60 €0.05",
        "€0.15 €0.60 Like other input",
    ]


def test_a_deployment_that_never_had_a_price_has_no_history(web: Client, ada) -> None:
    world.deployment()
    page = web.get("/deployments/chat/configuration/").text
    assert "None: usage is recorded as unpriced" in page
    assert "Cached input" not in page


@pytest.mark.parametrize(
    ("pricing", "facts"),
    [
        (None, [("Price", "None: usage is recorded as unpriced")]),
        (PRICE, [("Input", "€0.15 per 1M tokens"), ("Output", "€0.60 per 1M tokens")]),
        (
            replace(PRICE, cached_input_per_million=Decimal(0)),
            [
                ("Input", "€0.15 per 1M tokens"),
                ("Output", "€0.60 per 1M tokens"),
                ("Cached input", "€0.00 per 1M tokens"),
            ],
        ),
    ],
)
def test_cached_input_is_named_where_it_has_a_price(
    pricing: Pricing | None, facts: list[tuple[str, str]]
) -> None:
    assert portrait.price(world.spec(pricing=pricing)) == facts
