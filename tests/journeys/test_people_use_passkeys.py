"""A passkey is added, signs in as second factor and by itself, and is removed: a real browser with a virtual key."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import Stack

pytestmark = pytest.mark.xdist_group("journeys")
EMAIL = "charlie@globex.example"
#: Where a tenant finds oneself after signing in.
HOME = re.compile(r"localhost:\d+/portal/$")


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A browser with a built-in key, at a host name: passkeys belong to one, and an IP address is none."""
    context = browser.new_context(base_url=stack.console.replace("127.0.0.1", "localhost"))
    page = context.new_page()
    page.set_default_timeout(20_000)
    key = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": key})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert complaints == []


def give_password(page: Page, stack: Stack) -> None:
    page.goto("/sign-in/")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(stack.password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page) -> None:
    page.locator(".account").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in/")


def test_a_passkey_from_its_making_to_its_end(page: Page, stack: Stack) -> None:
    give_password(page, stack)
    page.wait_for_url(HOME)
    page.goto("/accounts/security/")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Make the passkey").click()
    page.get_by_role("button", name="Show them once").click()
    expect(page.locator("#codes")).to_contain_text(re.compile(r"^\s*(\d{8}\s*){10}$"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "slipway-recovery-codes.txt"
    sign_out(page)

    give_password(page, stack)
    page.wait_for_url("**/accounts/second-factor/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(HOME)
    sign_out(page)

    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(HOME)

    page.goto("/accounts/reauthenticate/?next=/accounts/security/")
    page.get_by_role("button", name="Continue with a passkey").click()
    page.wait_for_url("**/accounts/security/")
    expect(page.get_by_role("row", name="Laptop")).to_be_visible()
    page.get_by_role("link", name="Remove Laptop").click()
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.get_by_text("The passkey is removed.")).to_be_visible()
    sign_out(page)

    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/sign-in/")
    expect(page.get_by_role("alert").or_(page.get_by_role("status"))).to_be_visible()
    give_password(page, stack)
    page.wait_for_url(HOME)


def test_without_a_key_in_the_browser_the_page_says_so(browser: Browser, stack: Stack) -> None:
    context = browser.new_context(base_url=stack.console)
    page = context.new_page()
    give_password(page, stack)
    page.wait_for_url("**/portal/")
    page.goto("/accounts/security/passkeys/add/")
    expect(page.get_by_text("This browser cannot make a passkey here")).to_be_visible()
    expect(page.get_by_role("button", name="Make the passkey")).to_be_hidden()
    context.close()
