"""Which tables the present transaction has written to, as PostgreSQL counts it; what was taken back counts, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

#: Looking is noted here, and what was refused; the cache holds the counters of throttles.
NOTES = frozenset(
    {
        "django_session",
        "usersessions_usersession",
        "console_auditentry",
        "console_audithead",
        "console_cache",
    }
)


@contextmanager
def watched() -> Iterator[set[str]]:
    """A set that holds, afterwards, the tables that were written to meanwhile, but for NOTES."""
    found: set[str] = set()
    before = _counts()
    yield found
    after = _counts()
    found |= {table for table, count in after.items() if count != before.get(table, 0)} - NOTES


def _counts() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables")
        return {table: count for table, count in cursor.fetchall() if count}
