"""Each of the six kinds of person follows every link on a phone: none leads nowhere, no button is beyond a right."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from django.urls import resolve
from playwright.sync_api import Browser

from tests.console.people.rights import RIGHTS
from tests.console.people.test_every_role_at_every_address import may
from tests.journeys.conftest import Stack, Visitor

pytestmark = pytest.mark.xdist_group("journeys")

MAKE = """
from django.contrib.auth.models import Group
from console.models import Membership, Organization, User
known, _ = User.objects.get_or_create(email="{email}", defaults={{"name": "{kind} of the journey"}})
known.set_password("{password}"); known.save()
if "{kind}" in ("owner", "member"):
    acme = Organization.objects.get(slug="acme")
    Membership.objects.update_or_create(user=known, organization=acme, defaults={{"role": "{kind}"}})
else:
    known.groups.set([Group.objects.get(name="{kind}")])
"""
SERVE = ["Overview", "Deployments", "Models", "Endpoints", "Clusters", "Fleet"]
#: What the navigation offers, beside the pages of one's own account.
OFFERED = {
    "administrator": [*SERVE, "Usage", "API keys", "Organisations", "People", "Audit", "Notifications"],
    "operator": [*SERVE, "Usage", "API keys", "Audit"],
    "billing": [*SERVE, "Usage", "API keys", "Budgets"],
    "viewer": [*SERVE, "API keys"],
    "owner": ["Models", "Playground", "API keys", "Usage", "Members", "Bill"],
    "member": ["Models", "Playground", "API keys", "Usage", "Members"],
}
#: What sends something by POST; htmx says so in an attribute.
BUTTONS = "form[method=post], [hx-post]"
TARGETS = "found => found.map(each => each.getAttribute('hx-post') || each.getAttribute('action'))"
#: Some of what each kind is offered to do.
MAY = {
    "administrator": {"organization_view_as", "endpoint_check", "person_invite"},
    "operator": {"deployment_restart", "deployment_metrics", "deployment_clone"},
    "billing": {"deployment_limits", "organization_budget"},
    "viewer": {"access_key_create", "account_logout"},
    "owner": {"portal_members", "portal_key_create", "portal_playground"},
    "member": {"portal_key_create", "portal_playground"},
}


def shape(path: str) -> str:
    """Which page it is, whatever it is about, and with all that it filters by."""
    return resolve(urlsplit(path).path).view_name


def _wide(person: Visitor) -> None:
    """The pages of the navigation at a desk: nothing moves sideways, and the first one is accessible to everybody."""
    person.page.set_viewport_size({"width": 1440, "height": 900})
    person.page.goto("/")
    assert person.violations() == ""
    links = person.page.eval_on_selector_all(
        "nav.nav a, .portal-nav a", "links => links.map(each => each.getAttribute('href'))"
    )
    for path in links:
        person.page.goto(path)
        assert not person.scrolls_sideways(), path


@pytest.mark.parametrize("kind", OFFERED)
def test_every_link_leads_somewhere(browser: Browser, stack: Stack, kind: str) -> None:
    email = f"{kind}@journey.example"
    made = stack.manage("shell", "-c", MAKE.format(email=email, kind=kind, password=stack.password))
    assert made.returncode == 0, made.stderr
    person = Visitor(browser, stack, email, viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    person.page.goto("/")
    names = person.page.locator("nav.nav a, .portal-nav a").all_inner_texts()
    assert [re.sub(r"\s*\d+$", "", each.strip()) for each in names] == OFFERED[kind]
    waiting, seen, wrong, offered = ["/"], {"home"}, list[str](), set[str]()
    while waiting:
        path = waiting.pop(0)
        answer = person.page.goto(path)
        assert answer is not None
        if answer.status != 200:
            wrong.append(f"{path}: {answer.status}")
        if person.scrolls_sideways():
            wrong.append(f"{path}: scrolls sideways")
        for target in person.page.eval_on_selector_all(BUTTONS, TARGETS):
            name = resolve(urlsplit(target or path).path).view_name
            if name in RIGHTS and not may(kind, RIGHTS[name][1]):
                wrong.append(f"{path}: offers {name}, which a {kind} may not do")
            offered.add(name)
        for link in person.page.eval_on_selector_all(
            "a[href^='/']:not([download])", "links => links.map(each => each.getAttribute('href'))"
        ):
            is_file = re.search(r"format=|openapi|\.(csv|jsonl?|yaml)\b|/static/|/document/", link)
            if not is_file and shape(link) not in seen:
                seen.add(shape(link))
                waiting.append(link)
    assert wrong == []
    assert len(seen) > len(OFFERED[kind])
    # Some may be there for this kind alone, so that the search is known to see them.
    assert MAY[kind] <= offered, sorted(offered)
    _wide(person)
    person.leave()
