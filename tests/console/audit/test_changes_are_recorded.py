"""What an entry says, with which transaction it stays or goes, and that secrets do not get into it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from console.audit import Actor, ActorKind, Thing, acting_as, acting_as_program, record
from console.audit.difference import CHANGED, SET
from console.audit.entry import AuditEntry, AuditHead
from console.encryption import Sealed
from console.models import Organization
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
THING = Thing("cluster", "fra-1", "7")


def newest() -> AuditEntry:
    return AuditEntry.objects.order_by("-number")[0]


def changes(before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, list[Any]]:
    record("cluster.edited", THING, before=before, after=after)
    return dict(newest().changes)


def test_an_entry_says_who_did_what_to_which_object() -> None:
    acme = world.organization("acme")
    ada = world.person("ada@example.com")
    with acting_as(Actor(ActorKind.PERSON, ada.email, ada.pk)):
        record(
            "cluster.edited", THING, before={"name": "Fra"}, after={"name": "Frankfurt"}, organization=acme
        )
    entry = newest()
    assert (entry.actor_kind, entry.actor, entry.actor_id) == ("person", "ada@example.com", ada.pk)
    assert (entry.action, entry.object_kind, entry.object_name, entry.object_id) == (
        *("cluster.edited", "cluster", "fra-1", "7"),
    )
    assert (entry.organization, entry.organization_id) == ("acme", acme.pk)
    assert entry.changes == {"name": ["Fra", "Frankfurt"]}
    assert not entry.refused


def test_rows_of_models_say_their_kind_and_name_themselves() -> None:
    acme = world.organization("acme")
    record("organization.created", acme, after={"name": "Acme"})
    entry = newest()
    assert (entry.object_kind, entry.object_id, entry.organization) == ("organization", str(acme.pk), "acme")
    ada = world.person("ada@example.com")
    record("person.created", ada)
    assert (newest().object_kind, newest().object_name) == ("person", "ada@example.com")


def test_entries_stay_when_people_and_objects_go() -> None:
    acme = Organization.objects.create(slug="gone", name="Gone")
    record("organization.created", acme)
    acme.delete()
    assert (newest().organization, newest().object_name) == ("gone", "Gone")


def test_only_what_differs_is_kept_as_json() -> None:
    price = Decimal("0.150")
    assert changes({"a": 1, "price": price, "same": 2}, {"a": None, "price": Decimal(2), "same": 2}) == {
        "a": [1, None],
        "price": ["0.150", "2"],
    }
    assert changes(None, {"a": ["x", "y"], "empty": None}) == {"a": [None, ["x", "y"]]}
    assert changes({"a": {"b": 1}}, None) == {"a": [["b: 1"], None]}


def test_what_changed_nothing_leaves_no_entry() -> None:
    before = AuditEntry.objects.count()
    assert record("cluster.edited", THING, before={"a": 1}, after={"a": 1}) is None
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        (None, Sealed.of("hunter2-a"), [None, SET]),
        (Sealed.of("hunter2-a"), Sealed.of("hunter2-b"), [SET, CHANGED]),
        (Sealed.of("hunter2-a"), Sealed.of(""), [SET, None]),
        ("hunter2-a", "hunter2-b", [SET, CHANGED]),
    ],
)
def test_of_a_secret_only_its_change_is_kept(before: Any, after: Any, kept: list[Any]) -> None:
    assert changes({"token": before, "x": 1}, {"token": after, "x": 2})["token"] == kept
    assert "hunter2" not in str(AuditEntry.objects.values_list())


def test_the_same_secret_sealed_twice_has_not_changed() -> None:
    assert changes({"key": Sealed.of("a"), "x": 1}, {"key": Sealed.of("a"), "x": 2}) == {"x": [1, 2]}


@pytest.mark.parametrize(
    "name", ["password", "weights_token", "HF_TOKEN", "ngc_key", "tls key", "kubeconfig", "client.secret"]
)
def test_a_text_under_a_name_of_secrets_is_masked_though_nobody_sealed_it(name: str) -> None:
    assert changes(None, {name: "hunter2"}) == {name: [None, SET]}


@pytest.mark.parametrize("name", ["tokens_per_minute", "has_token", "key", "monkey", "tokenizer"])
def test_other_names_are_not(name: str) -> None:
    assert changes(None, {name: 5}) == {name: [None, 5]}


def test_long_and_odd_texts_are_kept_as_far_as_they_can_be() -> None:
    kept = changes(None, {"text": "x" * 5000, "nul": "a\x00b", "half": "\ud800"})
    assert len(kept["text"][1]) == 500
    assert kept["nul"] == [None, "a�b"]
    assert kept["half"] == [None, "?"]
    assert len(changes(None, {str(number): number for number in range(1000)})) == 100


def test_a_change_that_is_rolled_back_leaves_no_entry() -> None:
    record("cluster.edited", THING)  # so that there is a head
    before, head = AuditEntry.objects.count(), AuditHead.objects.get().mark

    def change() -> None:
        with transaction.atomic():
            record("cluster.edited", THING, after={"a": 1})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change()
    assert AuditEntry.objects.count() == before
    assert AuditHead.objects.get().mark == head


def test_a_program_is_named() -> None:
    with acting_as_program("manage.py apply"):
        record("cluster.edited", THING)
    assert (newest().actor_kind, newest().actor) == ("program", "manage.py apply")
    record("cluster.edited", THING)
    assert newest().actor_kind == "program"
    assert newest().actor


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE console_auditentry SET actor = 'nobody'",
        "DELETE FROM console_auditentry",
        "DELETE FROM console_audithead",
        "UPDATE console_audithead SET number = number - 1",
        "UPDATE console_audithead SET number = number + 1",
        "UPDATE console_audithead SET digest = repeat('f', 64)",
        "UPDATE console_audithead SET anchor_number = number, anchor_digest = digest",
        """INSERT INTO console_auditentry SELECT number + 5, at, action, refused, actor_kind, actor_id, actor, address,
        request_id, object_kind, object_id, object_name, organization_id, organization, changes, previous, digest
        FROM console_auditentry""",
    ],
)
def test_the_database_refuses_to_change_the_audit(statement: str) -> None:
    record("cluster.edited", THING)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert newest().action == "cluster.edited"


def test_the_database_refuses_to_truncate_the_audit() -> None:
    with connection.cursor() as cursor:
        for table in ("console_auditentry", "console_audithead"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER never_truncated")
            with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
                cursor.execute(f"TRUNCATE {table}")
