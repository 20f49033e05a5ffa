"""E26: every form, well filled in but for one odd value at a time: an answer of ours, and nothing odd is stored."""

from __future__ import annotations

import base64
import copy
import json
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from tests.console.people.test_every_address_is_guarded import ROWS
from tests.console.security.filled_forms import FORMS, Filled, client_of, filled, prepare
from tests.console.security.written import watched
from tests.deployments.pages import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world_of_rows")]
LONG = "odd" * 22_000
"""More than 64 KiB."""
#: None may ever be stored, whatever it is sent as.
NEVER = {
    "64 KiB": LONG,
    "a NUL": "a\0b-canary",
}
#: May be stored where any text may be.
TEXTS = {
    "a number of 400 digits": "9" * 400,
    "not a number": "NaN",
    "infinite": "-Infinity",
    "negative": "-1",
    "a float beyond floats": "1e400",
    "right to left": "\u202ecanary\u2066",
    "half of a character": "%ED%A0%80",
    "a template": "{{ 7*7 }}{% now 'Y' %}${7*7}",
    "an address inside": "http://169.254.169.254/latest/",
    "a path": "../../../../etc/passwd\r\nX: y",
    "a list": "[" * 2000,
}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_each_field_of_each_form(form: Filled) -> None:
    prepare()
    client = client_of(form.kind)
    client.raise_request_exception = False
    page, values = filled(client, form)
    for field in sorted(page.names | set(values)):
        for what, odd in (NEVER | TEXTS).items():
            answer, written = sent(client, form, {**values, field: odd}, odd if what in NEVER else "")
            assert answer.status_code < 500, (field, what)
            if answer.status_code >= 400:
                assert written == set(), (field, what)


def sent(client: Client, form: Filled, values: dict[str, Any], never: str) -> tuple[Any, set[str]]:
    """The answer, and which tables were written to; all is taken back."""
    cookies = copy.deepcopy(client.cookies)
    with transaction.atomic():
        with watched() as written:
            answer = client.post(form.page, values)
        if never:
            for table in written:
                assert not holds(table, never[:400].replace("\0", "")), (form.page, table)
        transaction.set_rollback(True)
    client.cookies = cookies
    return answer, written


def holds(table: str, text: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT EXISTS (SELECT FROM "{table}" AS row WHERE strpos(row::text, %s) > 0)', [text]
        )
        (found,) = cursor.fetchone()
    return bool(found)


def test_the_search_finds_what_is_stored() -> None:
    world.organization("odd")
    assert holds("console_organization", "odd")
    assert not holds("console_organization", LONG[:400])


BOMB = "".join(f"a{n}: %26a{n} [{', '.join([f'*a{n - 1}'] * 9)}]%0A" for n in range(1, 12))
BODIES = {
    "ten megabytes": (b"name=" + b"a" * 10_000_000, "application/x-www-form-urlencoded", {413}),
    "a million fields": (b"a&" * 500_000, "application/x-www-form-urlencoded", {400}),
    "a million parts of one field": (b"name=a&" * 140_000, "application/x-www-form-urlencoded", {400}),
    "deep JSON": (b'{"a":' * 100_000, "application/json", None),
    "deep JSON in a field": (b"credential=" + b"[" * 300_000, "application/x-www-form-urlencoded", None),
    "wide JSON in a field": (b"credential=[" + b"0," * 300_000 + b"0]", "application/x-www-form-urlencoded", None),
    "many files": (
        b"".join(
            b'--x\r\nContent-Disposition: form-data; name="f%d"; filename="f"\r\n\r\na\r\n' % n for n in range(50)
        )
        + b"--x--\r\n",
        "multipart/form-data; boundary=x",
        {400},
    ),
    "a bomb of aliases": (b"document=a0: %26a0 x%0A" + BOMB.encode(), "application/x-www-form-urlencoded", None),
}  # fmt: skip


@pytest.mark.parametrize("kind", BODIES)
def test_odd_bodies_at_every_address_store_nothing(kind: str) -> None:
    body, content_type, statuses = BODIES[kind]
    # As a browser sends it: the check of the token is what reads a body first.
    user, client = (
        world.person("eve@example.com"),
        Client(enforce_csrf_checks=True, raise_request_exception=False),
    )
    client.force_login(user)
    world.confirm(client, user)
    token = client.get("/organizations/new/").cookies[settings.CSRF_COOKIE_NAME].value
    begun, asked = time.process_time(), 0
    for name, row in ROWS.items():
        if name in {"account_logout", "session_end_others"} or name.startswith("api_"):
            continue
        with transaction.atomic():
            with watched() as written:
                answer = client.post(
                    reverse(name, args=row.args), body, content_type, headers={"x-csrftoken": token}
                )
            transaction.set_rollback(True)
        asked += 1
        assert answer.status_code < 500, name
        if statuses:
            assert answer.status_code in statuses, (name, answer.status_code)
        if answer.status_code >= 400:
            assert written == set(), name
    # A bound that no machine is too slow for: none of them grows with what a body unfolds to.
    assert time.process_time() - begun < asked * 1.0


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


#: Right in shape, and nonsense in every part.
SHAPED: dict[str, Any] = {
    "id": "AAAA",
    "rawId": "AAAA",
    "type": "public-key",
    "clientExtensionResults": {},
    "response": {
        "clientDataJSON": _b64(
            b'{"type":"webauthn.get","challenge":"AAAA","origin":"https://testserver","crossOrigin":false}'
        ),
        "authenticatorData": _b64(b"\0" * 37),
        "attestationObject": _b64(b"\xa3cfmtdnonegattStmt\xa0hauthDataX\x25" + b"\xff" * 37),
        "signature": "AAAA",
        "userHandle": _b64(b"1"),
    },
}
CREDENTIALS = {
    "a number": "5",
    "nothing": "null",
    "a list": "[]",
    "another shape": '{"id": 5, "rawId": {}, "response": [], "type": null}',
    "no JSON": "{",
    "NaN": '{"id": NaN}',
    "bytes": json.dumps(SHAPED),
    "no user": json.dumps(SHAPED | {"response": {**SHAPED["response"], "userHandle": "AAAA"}}),
    "a wrong origin": json.dumps(
        SHAPED | {"response": {**SHAPED["response"], "clientDataJSON": _b64(b'{"type":"webauthn.get"}')}}
    ),
    "a NUL": '"\\u0000\0"',
    "deep": '{"a":' * 100_000,
    "long": '"' + "a" * 900_000 + '"',
}


@pytest.mark.parametrize("odd", CREDENTIALS)
def test_strangers_send_odd_passkeys(odd: str) -> None:
    stranger = Client()
    stranger.raise_request_exception = False
    given = {"credential": CREDENTIALS[odd], "next": "/"}
    stranger.get("/accounts/passkey/", headers={"accept": "application/json"})
    assert stranger.post("/accounts/passkey/", given).status_code in {200, 302}
    assert "_auth_user_id" not in stranger.session
    # The second step of a sign-in, after a right password.
    person = world.person("pat@example.com")
    TOTP.activate(person, generate_totp_secret())
    stranger.post("/sign-in/", {"login": person.email, "password": "a long enough password"})
    assert stranger.post("/accounts/second-factor/", given).status_code in {200, 302}
    assert "_auth_user_id" not in stranger.session


@pytest.mark.parametrize("odd", CREDENTIALS)
def test_people_add_no_odd_passkey(odd: str) -> None:
    client = world.signed_in(world.person("eve@example.com"))
    client.raise_request_exception = False
    given = {"credential": CREDENTIALS[odd], "name": "x" * 20}
    client.get("/accounts/security/passkeys/add/")
    assert client.post("/accounts/security/passkeys/add/", given).status_code in {200, 302}
    assert not Authenticator.objects.exists()
