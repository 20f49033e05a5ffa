"""The audit as a file: CSV that no spreadsheet takes for formulas, or JSON lines with all that the digests cover."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from console.audit.entry import CONTENT, AuditEntry
from console.presentation.cells import neutral

MOST = 50_000
"""Entries in one file."""
_CHAIN = ("previous", "digest")


def as_csv(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """RFC 4180, one line for each entry; the difference as JSON in one cell."""
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(["number", *CONTENT, *_CHAIN])
    for entry in entries:
        row = _row(entry)
        row["changes"] = json.dumps(row["changes"], ensure_ascii=False, sort_keys=True)
        writer.writerow([_cell(value) for value in row.values()])
        if target.tell() > 65_536:
            yield _taken(target)
    yield _taken(target)


def as_json_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    for entry in entries:
        yield json.dumps(_row(entry), ensure_ascii=False) + "\n"


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {"number": entry.number, **entry.content, "previous": entry.previous, "digest": entry.digest}


def _cell(value: object) -> object:
    if value is None:
        return ""
    return neutral(value) if isinstance(value, str) else value


def _taken(target: io.StringIO) -> str:
    text = target.getvalue()
    target.seek(0)
    target.truncate()
    return text
