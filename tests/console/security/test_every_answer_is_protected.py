"""Whatever the answer is, and whoever made it, browsers are told how to treat it (ASVS 3.2.1, 3.4.3 to 3.4.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from console.access import Role
from deployments.views import catalog
from tests.console.people.test_every_address_is_guarded import ROWS
from tests.console.security.test_answers_are_kept_by_nobody import client_of
from tests.deployments.pages import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world_of_rows")]
STRICT = {
    "default-src": "'none'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "form-action": "'self'",
}


def unprotected(answer: Any) -> list[str]:
    """What is missing in the headers of an answer."""
    policy = dict(
        part.strip().split(" ", 1)
        for part in answer.get("Content-Security-Policy", "").split(";")
        if " " in part.strip()
    )
    missing = [name for name, value in STRICT.items() if policy.get(name) != value]
    missing += ["unsafe" for value in policy.values() if "unsafe" in value or "*" in value or "http" in value]
    wanted = {
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    missing += [name for name, value in wanted.items() if answer.get(name) != value]
    missing += [name for name in answer.headers if name.lower().startswith("access-control-")]
    if "charset" not in answer["Content-Type"] and answer["Content-Type"].startswith("text/"):
        missing.append("charset")
    return missing


@pytest.mark.parametrize("kind", ["administrator", "tenant", "stranger"])
def test_at_every_address(kind: str) -> None:
    client = client_of(kind)
    bare = {}
    for name, row in ROWS.items():
        if name in {"account_logout", "session_end_others"}:
            continue
        for method in ("get", "post", "put"):
            answer = getattr(client, method)(reverse(name, args=row.args))
            if missing := unprotected(answer):
                bare[method, name] = missing
    assert bare == {}


def of_a_defect(client: Client) -> Any:
    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    client.raise_request_exception = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "paginate", fail)
        return client.get("/models/")


def without_a_token(client: Client) -> Any:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    return strict.post("/organizations/new/", {})


KINDS: dict[str, tuple[int, Callable[[Client], Any]]] = {
    "a page": (200, lambda client: client.get("/models/")),
    "a fragment": (200, lambda client: client.get("/models/", headers={"HX-Request": "true"})),
    "a redirect": (301, lambda client: client.get("/models")),
    "a form with a mistake": (422, lambda client: client.post("/organizations/new/", {"name": ""})),
    "what is not there": (404, lambda client: client.get("/no-such-page/")),
    "another method": (405, lambda client: client.put("/models/")),
    "NUL in the address": (400, lambda client: client.get("/models/?q=%00")),
    "another host": (400, lambda client: client.get("/models/", headers={"host": "evil.example"})),
    "too much": (413, lambda client: client.post("/models/new/", b"a" * 1_100_000, "text/plain")),
    "too many fields": (400, lambda client: client.post("/models/new/", {f"a{n}": "" for n in range(1100)})),
    "a failed CSRF check": (403, without_a_token),
    "a defect": (500, of_a_defect),
    "a style sheet": (200, lambda client: client.get("/static/css/base.css")),
    "a picture": (200, lambda client: client.get("/static/img/logo.svg")),
    "a missing file": (404, lambda client: client.get("/static/none.css")),
    "a document": (200, lambda client: client.get("/deployments/chat/yaml/")),
    "a table": (200, lambda client: client.get("/audit/export.csv")),
    "health": (200, lambda client: client.get("/healthz")),
    "the API": (200, lambda client: client.get("/api/v1/models")),
    "nothing of the API": (404, lambda client: client.get("/api/v1/none")),
    "a problem of the API": (422, lambda client: client.get("/api/v1/models?limit=x")),
    "Django admin": (200, lambda client: client.get("/admin/deployments/deployment/")),
    "the sign-in page": (200, lambda client: Client().get("/sign-in/")),
    "who is not known to the API": (401, lambda client: Client().get("/api/v1/models")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_of_every_kind(kind: str) -> None:
    status, ask = KINDS[kind]
    answer = ask(world.signed_in(world.person("eve@example.com")))
    answer.close()
    assert answer.status_code == status
    assert unprotected(answer) == []
    if "/static/" not in answer.request["PATH_INFO"]:
        assert "no-store" in answer["Cache-Control"]


def test_a_missing_right() -> None:
    answer = world.signed_in(world.person("vic@example.com", Role.VIEWER)).get("/clusters/new/")
    assert answer.status_code == 403
    assert unprotected(answer) == []
