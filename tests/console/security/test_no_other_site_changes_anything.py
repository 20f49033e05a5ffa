"""E22: what another site makes a browser send changes nothing, and neither does looking."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.http import int_to_base36

from console.models import Organization
from console.people.roles import Role
from tests.console.people.rights import OPERATIONS
from tests.console.people.test_every_address_is_guarded import ROWS
from tests.console.security.written import watched
from tests.deployments.pages import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world_of_rows")]
HOST = "testserver"
OURS = f"https://{HOST}"
FOREIGN = "https://evil.example"
#: Every address that is not of the API, and answers with 404 to whatever is sent.
PAGES = {
    name: reverse(name, args=row.args)
    for name, row in ROWS.items()
    if not reverse(name, args=row.args).startswith("/api/")
}
CHANGES = [
    (operation.split(" ")[0], "/api/v1" + re.sub(r"\{\w+\}", "7", operation.split(" ")[1]))
    for operation in OPERATIONS
    if not operation.startswith("GET ")
]


@pytest.fixture
def browser() -> Client:
    """Ada's, with a session that was confirmed just now, over TLS."""
    client = Client(enforce_csrf_checks=True, headers={"host": HOST})
    user = world.person("eve@example.com")
    client.force_login(user)
    world.confirm(client, user)
    return client


def token_of(client: Client) -> str:
    page = client.get("/organizations/new/", secure=True).content.decode()
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found is not None
    return found.group(1)


def sent(client: Client, method: str, address: str, token: str, **headers: str) -> Any:
    body = f"csrfmiddlewaretoken={token}&slug=evil&name=Evil"
    return client.generic(
        method,
        address,
        body,
        content_type="application/x-www-form-urlencoded",
        secure=True,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def test_the_same_form_from_our_own_page_is_taken(browser: Client) -> None:
    token = token_of(browser)
    answer = sent(
        browser, "POST", "/organizations/new/", token, origin=OURS, referer=f"{OURS}/organizations/new/"
    )
    assert answer.status_code == 302
    assert Organization.objects.filter(slug="evil").exists()


@pytest.mark.parametrize(
    ("way", "headers"),
    [
        ("no token", {"origin": OURS, "referer": OURS}),
        ("a token of another browser", {"origin": OURS, "referer": OURS}),
        ("another origin", {"origin": FOREIGN, "referer": FOREIGN}),
        ("no origin that one may know", {"origin": "null"}),
        ("the same host without TLS", {"origin": f"http://{HOST}"}),
        ("a name below ours", {"origin": f"https://evil.{HOST}"}),
        ("a page of another site", {"referer": f"{FOREIGN}/{HOST}/"}),
        ("a page that hides where it is", {}),
    ],
)
def test_nothing_is_changed_from_elsewhere(browser: Client, way: str, headers: dict[str, str]) -> None:
    token = {"no token": "", "a token of another browser": "x" * 64}.get(way) or token_of(browser)
    if way == "no token":
        token = ""
    with watched() as written:
        for name, address in PAGES.items():
            assert sent(browser, "POST", address, token, **headers).status_code == 403, name
        for method, address in CHANGES:
            answer = sent(browser, method, address, token, x_csrftoken=token, **headers)
            assert answer.status_code == 403, (method, address)
    assert written == set()


@pytest.mark.parametrize("kind", ["administrator", "operator", "owner"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_looking_changes_nothing(kind: str, method: str) -> None:
    user = (
        world.tenant("bea@acme.example", "acme")
        if kind == "owner"
        else world.person("eve@example.com", Role(kind))
    )
    user.memberships.update(role="owner")
    client = world.signed_in(user)
    # What a page would send as a form, and headers by which some frameworks take one method for another.
    query = "?do=delete&action=delete&_method=DELETE&confirm=yes&name=x&slug=x&mode=all&csrfmiddlewaretoken=x"
    headers = {"x-http-method-override": "DELETE", "x-method-override": "POST", "hx-request": "true"}
    addresses = {name: reverse(name, args=row.args) for name, row in ROWS.items()}
    # The link of a reset, of somebody who is there.
    addresses["reset"] = f"/accounts/password/reset/key/{int_to_base36(user.pk)}-none/"
    wrote = {}
    for name, address in addresses.items():
        for asked in (headers, {}):
            with watched() as written:
                client.generic(method, address + query, headers=asked)
            if written:
                wrote[name] = written
    assert wrote == {}
