"""Every page in both themes and on a small screen: no accessibility violation, no complaint, no sideways scroll."""

import pytest
from playwright.sync_api import Browser

from tests.journeys.conftest import Stack, Visitor

pytestmark = pytest.mark.xdist_group("journeys")  # one stack for all of them

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
]


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 360)]
)
def test_every_page_is_in_order(browser: Browser, stack: Stack, scheme: str, width: int) -> None:
    person = Visitor(
        browser, stack, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    found: list[str] = []
    for path in PAGES:
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
        assert answer.status == 404, path
    person.leave()
