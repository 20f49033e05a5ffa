"""Whatever somebody changes with a form of the console is in the audit, under their name."""

from __future__ import annotations

import pytest

from console.models import AuditEntry
from tests.console.security.filled_forms import FORMS, Filled, client_of, filled, prepare, send
from tests.console.security.written import watched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world_of_rows")]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_it_is_there_with_who_did_it(form: Filled) -> None:
    prepare()
    client = client_of(form.kind)
    _, values = filled(client, form)
    before = AuditEntry.objects.count()
    with watched() as written:
        answer = send(client, form, values)
    assert answer.status_code in (200, 302)
    assert written, "it is taken, and something is stored"
    entries = list(AuditEntry.objects.order_by("number")[before:])
    assert entries
    who = "eve@example.com" if form.kind == "administrator" else "bea@acme.example"
    assert {each.actor for each in entries} == {who}
    assert not any(each.refused for each in entries)
