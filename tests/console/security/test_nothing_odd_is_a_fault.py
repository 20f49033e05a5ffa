"""E26: whatever is asked of an address, the answer is one of ours: never a fault."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.console.people.test_every_address_is_guarded import ROWS
from tests.deployments.pages import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world_of_rows")]

#: What our pages read from addresses and forms.
NAMES = (
    *(
        "q",
        "page",
        "before",
        "after",
        "cursor",
        "period",
        "from",
        "to",
        "zone",
        "by",
        "sort",
        "order",
        "format",
    ),
    *(
        "organization",
        "model",
        "deployment",
        "user",
        "api-key",
        "kind",
        "state",
        "role",
        "status",
        "action",
        "actor",
    ),
    *(
        "since",
        "until",
        "day",
        "month",
        "step",
        "compare",
        "with",
        "left",
        "right",
        "a",
        "b",
        "seen",
        "digest",
    ),
    *(
        "next",
        "name",
        "slug",
        "email",
        "login",
        "password",
        "reason",
        "note",
        "limit",
        "id",
        "number",
        "overlap",
    ),
)
ODD = {
    "empty": "",
    "markup": "<script>alert(1)</script>",
    "quotes": "'\"; DROP TABLE x; --",
    "long": "x" * 5000,
    "huge number": "9" * 60,
    "negative": "-1",
    "no number": "NaN",
    "exponent": "1e400",
    "digits of another script": "\u0661\u0662",
    "right to left": "\u202eabc",
    "emoji": "\U0001f600" * 50,
    "template": "{{ 7*7 }}{% now %}",
    "format": "%s%n%(x)s{0}",
    "path": "../../../../etc/passwd",
    "line breaks": "a\r\nSet-Cookie: x=y",
    "date": "9999-12-31T23:59:59Z",
    "year zero": "0000-00-00",
    "far": "275760-09-13",
    "zone": "Etc/GMT+99",
}


@pytest.fixture
def administrator() -> Client:
    client = world.signed_in(world.person("eve@example.com"))
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_values_are_answered(administrator: Client, odd: str) -> None:
    given = dict.fromkeys(NAMES, odd)
    faults: list[tuple[str, str, Any]] = []
    for name, row in ROWS.items():
        if name in {"account_logout", "session_end_others", "readyz"}:
            continue
        address = reverse(name, args=row.args)
        for method in ("get", "post"):
            with transaction.atomic():
                answer = getattr(administrator, method)(address, given)
                transaction.set_rollback(True)
            if answer.status_code >= 500:
                faults.append((method, name, answer.status_code))
            assert "Set-Cookie: x" not in str(answer.headers)
    assert faults == []


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND", "DELETE", "PATCH", "x"])
def test_odd_methods_are_answered(administrator: Client, method: str) -> None:
    for name, row in ROWS.items():
        if name in {"account_logout", "session_end_others", "readyz"}:
            continue
        with transaction.atomic():
            answer = administrator.generic(method, reverse(name, args=row.args))
            transaction.set_rollback(True)
        assert answer.status_code < 500, name


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xfe\x00", "application/x-www-form-urlencoded"),
        (b"a=%ff%fe&b=%", "application/x-www-form-urlencoded"),
        (b"not a multipart", "multipart/form-data; boundary=x"),
        (b"{}", "application/json"),
        (b"a" * 900_000, "text/plain; charset=nonsense"),
        ("&".join(f"a{n}=1" for n in range(1200)).encode(), "application/x-www-form-urlencoded"),
    ],
    ids=["bytes", "broken escapes", "no multipart", "json", "charset", "fields"],
)
def test_odd_bodies_are_answered(administrator: Client, body: bytes, kind: str) -> None:
    for name, row in ROWS.items():
        if name in {"account_logout", "session_end_others", "readyz"}:
            continue
        with transaction.atomic():
            answer = administrator.generic("POST", reverse(name, args=row.args), body, content_type=kind)
            transaction.set_rollback(True)
        assert answer.status_code < 500, name


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT"])
def test_no_method_gives_back_what_was_sent(administrator: Client, method: str) -> None:
    for name, row in ROWS.items():
        if name in {"account_logout", "session_end_others"}:
            continue
        answer = administrator.generic(
            method,
            reverse(name, args=row.args),
            b"canary-of-the-body",
            content_type="text/plain",
            headers={"x-canary": "canary-of-a-header"},
        )
        assert answer.status_code == 405, name
        assert b"canary" not in answer.content, name
