"""What reaches no view, what every answer carries, and what people see when something breaks."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpResponse
from django.test import Client

from deployments.views import catalog
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["/models/?q=%00", "/sign-in/?next=a%00b", "/models/a%00b/"])
def test_a_nul_in_the_address_is_refused(address: str) -> None:
    answer = world.signed_in(world.person()).get(address)
    assert answer.status_code == 400
    assert "NUL character" in answer.text


def test_a_nul_in_a_form_is_an_error_of_its_field() -> None:
    answer = world.signed_in(world.person()).post("/models/new/", {"name": "a\x00b", "slug": "a"})
    assert answer.status_code == 422
    assert "Null characters are not allowed" in answer.text


def test_a_body_of_more_than_1_mib_is_refused_unread(client: Client) -> None:
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    assert most == 1024 * 1024
    answer = client.post("/sign-in/", b"x" * (most + 1), content_type="application/octet-stream")
    assert answer.status_code == 413
    assert "At most 1 MiB" in answer.text
    answer = client.post("/sign-in/", b"x" * most, content_type="application/octet-stream")
    assert answer.status_code == 200


def test_a_body_of_unknown_length_is_refused(client: Client) -> None:
    answer = client.generic(
        "POST", "/sign-in/", b"", headers={"Transfer-Encoding": "chunked"}, CONTENT_LENGTH=""
    )
    assert answer.status_code == 411


@pytest.mark.parametrize("length", ["-1", "1e9", "0x10", "many"])
def test_a_length_that_is_no_number_is_refused(client: Client, length: str) -> None:
    assert client.get("/sign-in/", CONTENT_LENGTH=length).status_code == 413


@pytest.mark.parametrize("address", ["/sign-in/", "/models/", "/no-such-page/", "/models/?q=%00"])
def test_every_page_carries_the_headers_that_protect_it(address: str) -> None:
    answer = world.signed_in(world.person()).get(address)
    policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";") if part)
    assert policy.pop("default-src") == "'none'"
    assert policy.pop("frame-ancestors") == policy.pop("base-uri") == "'none'"
    assert set(policy) >= {"script-src", "style-src", "img-src", "font-src", "connect-src", "form-action"}
    assert set(policy.values()) == {"'self'"}
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == answer["Cross-Origin-Opener-Policy"] == "same-origin"


def test_a_page_is_not_framed_and_its_session_not_readable(client: Client) -> None:
    user = world.person()
    answer = client.post("/sign-in/", {"login": user.email, "password": "a long enough password"})
    assert answer["X-Frame-Options"] == "DENY"
    cookie = answer.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_a_page_differs_for_htmx_and_says_so() -> None:
    web = world.signed_in(world.person())
    world.model()
    whole = web.get("/models/")
    part = web.get("/models/", headers={"HX-Request": "true"})
    assert "HX-Request" in whole["Vary"]
    assert "<html" in whole.text
    assert "<html" not in part.text
    assert "Llama 8B" in part.text


@pytest.mark.parametrize("header", ["HX-Boosted", "HX-History-Restore-Request"])
def test_going_back_gives_the_whole_page(header: str) -> None:
    web = world.signed_in(world.person())
    assert "<html" in web.get("/models/", headers={"HX-Request": "true", header: "true"}).text


@pytest.mark.parametrize(("address", "status"), [("/no-such-page/", 404), ("/clusters/new/", 403)])
def test_an_error_page_says_where_to_go_next(address: str, status: int) -> None:
    answer = world.signed_in(world.person(role=world.Role.VIEWER)).get(address)
    assert answer.status_code == status
    assert 'href="/"' in answer.text


@pytest.mark.parametrize("error", [RuntimeError("canary"), DatabaseError("canary")])
def test_a_defect_is_a_plain_page_that_asks_nobody(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> HttpResponse:
        raise error

    monkeypatch.setattr(catalog, "paginate", fail)
    client = world.signed_in(world.person())
    client.raise_request_exception = False
    answer = client.get("/models/")
    assert answer.status_code == 500
    assert "canary" not in answer.text
    assert "<h1>" in answer.text
    assert "default-src" in answer["Content-Security-Policy"]
