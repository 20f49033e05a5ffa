"""The ledger's partitions: one for each month (UTC) in which a request began, made before the first event of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import connection, transaction

_LOCK = 0x51_19_3A_F0
"""Of the advisory lock under which a partition is made, so that two ledgers do not make it at once."""
_known: set[str] = set()


def ensure(moments: Iterable[datetime]) -> None:
    """Makes what is missing for events of these times. One statement in the usual case: none."""
    for year, month in sorted({(at.year, at.month) for at in moments}):
        name = f"metering_usageevent_{year}{month:02}"
        if name in _known:
            continue
        begin = datetime(year, month, 1, tzinfo=UTC)
        end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF metering_usageevent "
                f"FOR VALUES FROM ('{begin.isoformat()}') TO ('{end.isoformat()}')"
            )
        _known.add(name)


def forget() -> None:
    """What is known of partitions belongs to one database."""
    _known.clear()
