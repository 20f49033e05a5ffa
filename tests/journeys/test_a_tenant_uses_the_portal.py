"""A tenant in a browser: finds a model, talks to it, compares two, stops an answer, sees what it cost, makes a key.

Everything is real: the console of `make up`, its gateway, its ledger, and engines of the sandbox.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import Stack, Visitor
from tests.journeys.test_tenants_call_models import apply, document

pytestmark = pytest.mark.xdist_group("journeys")  # one stack for all of them
CHAT, SECOND, LIMITED = "llama-8b-chat", "portal-second", "portal-limited"
ACME = {"mode": "selected", "organizations": ["acme"]}
FIGURES = re.compile(r"First token after [\d,]+ ms · [\d.]+ s in all · [\d,]+ tokens in.* · [\d,]+ out")


@pytest.fixture(scope="module", autouse=True)
def models(stack: Stack) -> None:
    """A second model to compare with, and one of which a person may ask once a minute."""
    price = {"currency": "USD", "inputPerMillion": "1", "outputPerMillion": "2"}
    apply(stack, document(SECOND, "llama-8b-instruct", ACME, pricing=price))
    limits = {"user": {"requestsPerMinute": 1}}
    apply(stack, document(LIMITED, "llama-8b-instruct", ACME, rateLimits=limits))
    deadline = time.monotonic() + 120
    while {CHAT, SECOND, LIMITED} - serving(stack):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def serving(stack: Stack) -> set[str]:
    """Models with an engine that the gateway can reach."""
    code = (
        "from deployments.models import Observation; import json; print(json.dumps(list("
        "Observation.objects.filter(phase='serving').values_list('deployment__name', flat=True))))"
    )
    done = stack.manage("shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.fixture
def bob(browser: Browser, stack: Stack) -> Iterator[Visitor]:
    """The owner of Acme."""
    person = Visitor(browser, stack, "bob@acme.example", viewport={"width": 1440, "height": 900})
    yield person
    person.leave()


def say(page: Page, text: str, model: str = CHAT, other: str = "", tokens: int = 32) -> None:
    page.goto("/portal/playground/")
    page.get_by_label("Model", exact=True).select_option(model)
    if other:
        page.get_by_label("Compare with").select_option(other)
    page.get_by_label("Longest answer").fill(str(tokens))
    page.get_by_label("Your message").fill(text)
    page.get_by_role("button", name="Send message").click()


def test_signing_in_leads_to_the_models_and_their_terms(bob: Visitor) -> None:
    page = bob.page
    assert page.url.endswith("/portal/")
    card = page.get_by_role("article", name="Llama 3.1 8B Instruct").filter(has_text=CHAT)
    expect(card).to_contain_text("Serving")
    expect(card).to_contain_text("per 1M tokens")
    card.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Llama 3.1 8B Instruct")
    expect(page.locator("#sample-curl")).to_contain_text(f"{bob.stack.gateway}/v1/chat/completions")
    page.get_by_text("JavaScript", exact=True).click()
    expect(page.locator("#sample-javascript")).to_be_visible()
    expect(page.locator("#sample-javascript")).to_contain_text(CHAT)


def test_two_models_answer_side_by_side_and_go_on_talking(bob: Visitor) -> None:
    page = bob.page
    say(page, "Say <b>hello</b>.", other=SECOND)
    for name in (CHAT, SECOND):
        pane = page.get_by_role("region", name=name)
        expect(pane.get_by_text(FIGURES)).to_have_count(1)
        expect(pane.get_by_text(FIGURES)).to_contain_text("$0.0")
        expect(pane.locator(".asked")).to_have_text("Say <b>hello</b>.")
        assert pane.locator(".told").inner_text().strip()
    page.get_by_label("Your message").fill("And once more.")
    page.get_by_label("Your message").press("Enter")
    for name in (CHAT, SECOND):
        expect(page.get_by_role("region", name=name).get_by_text(FIGURES)).to_have_count(2)
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator(".asked")).to_have_count(0)
    assert not bob.violations()


def test_what_is_stopped_stops_the_engine_and_is_metered(bob: Visitor) -> None:
    page = bob.page

    def gone() -> float:
        lines = httpx.get(f"{bob.stack.gateway}/metrics").text.splitlines()
        ends = [line for line in lines if 'end="client_gone"' in line and f'model="{SECOND}"' in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in ends)

    before = gone()
    # Stopped with the first word: the sandbox's answers are over soon.
    page.add_init_script("""
        new MutationObserver(() => {
          if (document.querySelector(".told")) document.querySelector("[data-stop]:not([hidden])")?.click();
        }).observe(document, { childList: true, subtree: true });
    """)
    say(page, "Tell me all there is to tell. " * 20, model=SECOND, tokens=8000)
    expect(page.get_by_text("Stopped. What the model wrote until then is metered.")).to_be_visible()
    deadline = time.monotonic() + 10
    while gone() == before:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_over_a_limit_the_page_says_whose_and_for_how_long(bob: Visitor) -> None:
    page = bob.page
    say(page, "One.", model=LIMITED)
    expect(page.get_by_text(FIGURES)).to_have_count(1)
    page.get_by_label("Your message").fill("Two.")
    page.get_by_role("button", name="Send message").click()
    expect(
        page.get_by_text(re.compile(r"Rate limit of portal-limited reached for you.*works again in \d+ s"))
    ).to_be_visible()


def test_without_a_script_the_page_answers_too(browser: Browser, stack: Stack) -> None:
    person = Visitor(browser, stack, "bea@acme.example", java_script_enabled=False)
    say(person.page, "Hello.", model=SECOND)
    expect(person.page.get_by_text(FIGURES)).to_be_visible()
    person.leave()


def test_what_was_said_is_in_usage_and_on_the_bill(bob: Visitor) -> None:
    page = bob.page
    say(page, "Count me.", model=SECOND)
    expect(page.get_by_text(FIGURES)).to_have_count(1)
    deadline = time.monotonic() + 15
    while True:
        page.goto("/portal/usage/?by=key")
        if page.get_by_role("rowheader", name="Playground, bob@acme.example").count():
            break
        assert time.monotonic() < deadline
    page.goto("/portal/bill/")
    expect(page.get_by_role("row", name=SECOND)).to_contain_text("$1.00 input, $2.00 output")


def test_a_key_is_made_rotated_and_revoked(bob: Visitor) -> None:
    page = bob.page
    page.goto("/portal/keys/")
    page.get_by_role("link", name="Make a key").first.click()
    page.get_by_label("Name", exact=True).fill("Journey of the portal")
    page.get_by_role("button", name="Make key").click()
    key = page.locator("#key").inner_text().strip()
    deadline = time.monotonic() + 10
    while (status := models_of(bob.stack, key)) == 401:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert status == 200
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke").click()
    deadline = time.monotonic() + 10
    while models_of(bob.stack, key) == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def models_of(stack: Stack, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{stack.gateway}/v1/models", headers=headers).status_code


def test_an_administrator_looks_at_the_portal_and_leaves_it(browser: Browser, stack: Stack) -> None:
    person = Visitor(browser, stack)
    page = person.page
    token = page.evaluate("JSON.parse(document.body.getAttribute('hx-headers'))['X-CSRFToken']")
    begun = person.context.request.post("/organizations/acme/view-as/", form={"csrfmiddlewaretoken": token})
    assert begun.url.endswith("/portal/")
    page.goto("/portal/usage/")
    expect(page.get_by_text("You see the portal of Acme as its owner does.")).to_be_visible()
    page.get_by_role("button", name="Stop looking").click()
    assert person.context.request.get("/portal/").status == 404
    person.leave()
