"""E27: Somebody with all rights in the database changes or deletes entries: the command names the first one."""

from __future__ import annotations

import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from console.audit import Thing, record, verifying
from console.audit.entry import AuditEntry, AuditHead

pytestmark = pytest.mark.django_db
ENTRIES = 7


@pytest.fixture
def first() -> int:
    """The number of the first of seven entries."""
    for number in range(ENTRIES):
        record("cluster.edited", Thing("cluster", f"c{number}"), after={"step": number, "word": "ä"})
    return AuditEntry.objects.count() - ENTRIES + 1


def tamper(statement: str, *values: object) -> None:
    """As whoever owns the tables may: the triggers are taken away first."""
    with connection.cursor() as cursor:
        for table in ("console_auditentry", "console_audithead"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        for table in ("console_auditentry", "console_audithead"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER never_truncated")


def verified(*arguments: str) -> str:
    out = StringIO()
    call_command("audit_verify", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("audit_verify", *arguments, stdout=StringIO())
    assert caught.value.returncode == 1
    return str(caught.value)


def test_an_untouched_audit_is_whole(first: int) -> None:
    assert f"to {first + ENTRIES - 1} are as they were recorded" in verified()
    head = AuditHead.objects.get()
    assert (head.verified_number, head.finding) == (first + ENTRIES - 1, "")
    assert head.verified_at is not None


def test_an_empty_audit_is_whole() -> None:
    assert "as they were recorded" in verified()


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'somebody else'",
        "at = at + interval '1 microsecond'",
        "changes = '{\"step\": [null, 9]}'",
        "refused = true",
        "organization_id = 1",
        "object_name = object_name || ' '",
    ],
)
def test_a_changed_entry_is_named(first: int, change: str) -> None:
    tamper(f"UPDATE console_auditentry SET {change} WHERE number = %s", first + 2)
    assert refused() == f"Entry {first + 2}: it was changed: its content does not give its digest."
    assert AuditHead.objects.get().finding


@pytest.mark.parametrize("place", [0, 3, ENTRIES - 1])
def test_a_deleted_entry_is_named(first: int, place: int) -> None:
    tamper("DELETE FROM console_auditentry WHERE number = %s", first + place)
    assert refused().startswith(f"Entry {first + place}: it is missing")


def test_an_entry_that_was_added_past_the_head_is_named(first: int) -> None:
    columns = ", ".join(f.column for f in AuditEntry._meta.concrete_fields if f.name != "number")
    tamper(
        f"INSERT INTO console_auditentry (number, {columns}) SELECT number + 1, {columns} "
        "FROM console_auditentry ORDER BY number DESC LIMIT 1"
    )
    assert refused().startswith(f"Entry {first + ENTRIES}: it has no place in the chain")


def test_an_end_that_was_cut_off_with_its_head_is_found_by_a_head_that_was_kept(first: int) -> None:
    kept = verified("--head").strip()
    assert "as they were recorded" in verified("--expect", kept)
    last = AuditEntry.objects.get(number=first + 4)
    tamper("DELETE FROM console_auditentry WHERE number > %s", last.number)
    tamper("UPDATE console_audithead SET number = %s, digest = %s", last.number, last.digest)
    assert "as they were recorded" in verified()
    assert refused("--expect", kept).startswith(f"Entry {first + 5}: it is missing")


def test_what_is_no_head_is_refused() -> None:
    with pytest.raises(CommandError) as caught:
        call_command("audit_verify", "--expect", "nonsense")
    assert caught.value.returncode == 2


def test_a_long_audit_is_walked_in_bounded_memory(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "AT_ONCE", 2)
    assert verifying.verify().found is None
    tamper("DELETE FROM console_auditentry WHERE number = %s", first + 4)
    found = verifying.verify().found
    assert found is not None
    assert found.number == first + 4


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_make_one_chain() -> None:
    start = threading.Barrier(4)

    def write(name: str) -> None:
        start.wait()
        for step in range(10):
            with transaction.atomic():
                record("cluster.edited", Thing("cluster", name), after={"step": step})
        connection.close()

    threads = [threading.Thread(target=write, args=(f"c{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert AuditEntry.objects.count() == 40
    assert verifying.verify().found is None
    assert verifying.verify().count == 40
