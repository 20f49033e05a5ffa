"""E20: a form that is filled in well, with values beside that it never asked for: they change nothing."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import models, transaction

from console.audit.entry import AuditEntry
from console.encryption import EncryptedTextField
from tests.console.security.filled_forms import FORMS, Filled, client_of, filled, prepare, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world_of_rows")]
#: Made anew each time, or told by the clock.
OF_THE_MOMENT = {"digest", "prefix", "password", "hash", "token", "head", "request_id", "last_login"} | {
    "previous",
    "object_id",
    "session_epoch",
}
TABLES = [
    model
    for model in apps.get_models(include_auto_created=True)
    if model._meta.app_label in {"console", "deployments", "metering", "auth", "account", "mfa"}
    and model.__name__ not in {"Partition", "AuditHead"}
]
#: Every column that any of our tables has, and the words that others use for them.
COLUMNS = sorted(
    {name for model in TABLES for each in model._meta.concrete_fields for name in (each.name, each.attname)}
    | {"is_admin", "pk", "groups", "user_permissions", "roles", "permissions", "owner", "tenant", "price"}
)


def ids() -> dict[type[models.Model], set[Any]]:
    return {model: set(model._default_manager.values_list("pk", flat=True)) for model in TABLES}


def stored(before: dict[type[models.Model], set[Any]]) -> list[str]:
    """Everything in the tables but what differs each time; rows that are new have no number."""
    found = []
    for model in TABLES:
        rows = model._default_manager.values()
        if model is AuditEntry:
            rows = rows.values("action", "refused", "object_kind", "organization")
        found += [f"{model.__name__} {[*_told(model, row, before)]}" for row in rows]
    return sorted(found)


def _told(model: type[models.Model], row: dict[str, Any], before: Any) -> Iterator[tuple[str, Any]]:
    for column in model._meta.concrete_fields:
        if column.attname not in row:
            continue
        value = row[column.attname]
        target = column.related_model if column.is_relation else model if column.primary_key else None
        if (
            isinstance(column, models.DateTimeField | models.BinaryField | models.UUIDField)
            or column.name in OF_THE_MOMENT
        ):
            continue
        if isinstance(column, EncryptedTextField):
            value = bool(value)
        elif target in before and value is not None and value not in before[target]:
            value = "new"
        elif isinstance(column, models.JSONField):
            value = str(sorted(value)) if isinstance(value, dict) else str(value)
        yield column.name, value


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_what_was_not_asked_for_is_ignored_or_refused(form: Filled) -> None:
    prepare()
    client = client_of(form.kind)
    page, values = filled(client, form)
    before = ids()
    nothing, plain = stored(before), sent(form, client, values, before)
    assert plain != nothing, "it is taken, and something is stored"

    extra = [name for name in COLUMNS if name not in page.names and name not in values]
    others = [str(pk) for found in before.values() for pk in found if isinstance(pk, int)]

    drawn = random.Random(str(form))
    for value in ("on", "0", "administrator", None, None):
        added = {name: value or drawn.choice(others) for name in extra}
        now = sent(form, client, {**values, **added}, before)
        assert sorted(set(now) ^ set(plain)) == [] or now == nothing


def sent(form: Filled, client: Any, values: dict[str, Any], before: Any) -> list[str]:
    """What is stored afterwards; the transaction is taken back."""
    cookies = copy.deepcopy(client.cookies)
    with transaction.atomic():
        answer = send(client, form, values)
        assert answer.status_code in (200, 302, 422), (form.page, answer.status_code)
        found = stored(before)
        transaction.set_rollback(True)
    client.cookies = cookies
    return found
