"""Every page in both themes and on a small screen: no accessibility violation, no complaint, no sideways scroll."""

import pytest
from playwright.sync_api import Browser

from tests.journeys.conftest import Stack, Visitor

pytestmark = pytest.mark.xdist_group("journeys")  # one stack for all of them

#: Everybody has these, tenants as well.
ACCOUNT = [
    "/accounts/security/",
    "/accounts/security/app/",
    "/accounts/security/passkeys/add/",
    "/accounts/security/recovery-codes/",
    "/accounts/sessions/",
    "/accounts/reauthenticate/",
    "/accounts/password/change/",
]
PAGES = [
    "/",
    "/models/",
    "/models/new/",
    "/models/providers/new/",
    "/models/opt-125m/",
    "/models/opt-125m/edit/",
    "/models/opt-125m/delete/",
    "/models/opt-125m/deploy/",
    "/deployments/",
    "/deployments/?q=nothing-like-it",
    "/import/",
    "/deployments/llama-8b-chat/",
    "/deployments/llama-8b-chat/configuration/",
    "/deployments/llama-8b-chat/metrics/",
    "/deployments/llama-8b-chat/usage/",
    "/fleet/",
    "/clusters/sandbox/gpu-costs/",
    "/deployments/llama-8b-chat/logs/",
    "/deployments/llama-8b-chat/revisions/",
    "/deployments/llama-8b-chat/revisions/1/",
    "/deployments/llama-8b-chat/revisions/1/clone/",
    "/deployments/llama-8b-chat/revisions/compare/",
    "/deployments/llama-8b-chat/sharing/",
    "/deployments/llama-8b-chat/yaml/",
    "/deployments/llama-8b-chat/edit/",
    "/deployments/llama-8b-chat/stop/",
    "/deployments/llama-8b-chat/delete/",
    "/usage/",
    "/usage/?by=time&period=30d",
    "/usage/correctness/",
    "/usage/invoices/",
    "/audit/",
    "/audit/1/",
    "/audit/?q=nothing-like-it",
    "/clusters/",
    "/clusters/new/",
    "/clusters/sandbox/",
    "/clusters/sandbox/edit/",
    "/notifications/",
    "/notifications/new/email/",
    "/notifications/new/webhook/",
    "/notifications/budgets/",
    "/organizations/acme/budget/",
    "/endpoints/",
    "/endpoints/new/",
    "/endpoints/main/",
    "/endpoints/main/edit/",
    # people, and one's own account
    "/people/",
    "/people/?q=nobody-like-it",
    "/people/invite/",
    "/people/1/",
    "/people/2/",
    # the API
    "/accounts/access-keys/",
    "/accounts/access-keys/new/",
    "/api/v1/reference/",
    *ACCOUNT,
]

OWNERS_PAGES = [
    "/portal/",
    "/portal/models/llama-8b-chat/",
    "/portal/playground/",
    "/portal/usage/",
    "/portal/usage/?by=user&period=30d",
    "/portal/bill/",
    "/portal/keys/",
    "/portal/keys/new/",
    "/accounts/password/change/",
]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 360)])
@pytest.mark.parametrize(("email", "pages"), [("", PAGES), ("bob@acme.example", OWNERS_PAGES)])
def test_every_page_is_in_order(
    browser: Browser, stack: Stack, email: str, pages: list[str], scheme: str, width: int
) -> None:
    screen = {"width": width, "height": 900}
    person = Visitor(browser, stack, email, viewport=screen, color_scheme=scheme, reduced_motion="reduce")
    found: list[str] = []
    for path in pages:
        answer = person.page.goto(path)
        assert answer is not None
        if answer.status != 200:
            found.append(f"{path}: {answer.status}")
        if person.scrolls_sideways():
            found.append(f"{path}: scrolls sideways")
        if violations := person.violations():
            found.append(f"{path}: {violations}")
    assert not found, "\n".join(found)
    person.leave()


def test_a_tenant_sees_what_is_shared_and_no_console(browser: Browser, stack: Stack) -> None:
    person = Visitor(browser, stack, "bob@acme.example")
    assert "llama-8b-chat" in person.page.content()
    for path in PAGES[1:]:
        answer = person.context.request.get(path)
        assert answer.status == (200 if path in ACCOUNT else 404), path
    person.leave()
