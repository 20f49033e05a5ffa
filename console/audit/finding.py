"""Entries that answer a question, at a cost that does not grow with the audit: by indexes, and from a place on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.fields import BooleanField

from console.audit.asking import Question
from console.audit.entry import AuditEntry

PER_PAGE = 50
_SKEW = 1000
"""Entries by which the order of times may differ from that of numbers, because clocks differ."""
# The same expression as that of the index.
_WORDS = """
slipway_audit_words(action, actor, object_name, organization, address, request_id, changes::text) @@ %s::tsquery
"""
# Every word, or the beginning of one, has to be there. Asked for by itself: only of a query that it knows can the
# planner tell whether it is rare, and then it takes the index of words instead of that of numbers.
_QUERY = """
SELECT to_tsquery('simple', string_agg(quote_literal(word) || ':*', ' & '))::text
FROM regexp_split_to_table(%s, '[^[:alnum:]]+') AS word WHERE word <> ''
"""
# Skips from one action to the next in the index, instead of reading all entries.
_ACTIONS = """
WITH RECURSIVE found AS (
    (SELECT action FROM console_auditentry ORDER BY action LIMIT 1)
    UNION ALL
    SELECT (SELECT action FROM console_auditentry WHERE action > found.action ORDER BY action LIMIT 1)
    FROM found WHERE found.action IS NOT NULL
)
SELECT action FROM found WHERE action IS NOT NULL LIMIT 500
"""


class Found(NamedTuple):
    """One page, newest first, and whether there is more on either side."""

    entries: list[AuditEntry]
    has_older: bool
    has_newer: bool


def page(question: Question) -> Found:
    rows = matching(question)
    if question.after is not None:
        entries = list(rows.filter(number__gt=question.after).order_by("number")[: PER_PAGE + 1])
        shown = entries[:PER_PAGE][::-1]
        return Found(shown, has_older=True, has_newer=len(entries) > PER_PAGE)
    if question.before is not None:
        rows = rows.filter(number__lt=question.before)
    entries = list(rows.order_by("-number")[: PER_PAGE + 1])
    return Found(entries[:PER_PAGE], len(entries) > PER_PAGE, question.before is not None)


def matching(question: Question) -> QuerySet[AuditEntry]:
    """All of them, wherever the page is."""
    rows = AuditEntry.objects.all()
    filters = question.filters
    kind, colon, name = filters.get("object", "").partition(":")
    if colon:
        rows = rows.filter(object_kind=kind, object_name=name)
    elif kind:
        rows = rows.filter(object_name=kind)
    for word in ("action", "actor", "organization", "address"):
        if word in filters:
            rows = rows.filter(**{word: filters[word]})
    if question.refused:
        rows = rows.filter(refused=True)
    if question.search and (query := _query(question.search)):
        rows = rows.filter(RawSQL(_WORDS, [query], BooleanField()))  # noqa: S611  (no input in it)
    if question.begin:
        rows = rows.filter(at__gte=question.begin, number__gte=(_near(question.begin) or 2**62) - _SKEW)
    if question.end:
        near = _near(question.end)
        rows = rows.filter(at__lt=question.end, **({"number__lte": near + _SKEW} if near else {}))
    return rows


def oldest_first(question: Question, before: int, at_once: int = 1000) -> Iterator[AuditEntry]:
    """Those with a smaller number than `before`, for a file, without holding all of them."""
    rows, at = matching(question).filter(number__lt=before).order_by("number"), -1
    while batch := list(rows.filter(number__gt=at)[:at_once]):
        yield from batch
        at = batch[-1].number


def actions() -> list[str]:
    """All that were ever recorded and are still kept."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIONS)
        return [str(row[0]) for row in cursor.fetchall()]


def _query(search: str) -> str:
    """Empty where there is no word in it."""
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, [search.lower()])
        (found,) = cursor.fetchone()
    return found or ""


def _near(at: datetime) -> int | None:
    """The number of the first entry at or after a moment; None: there is none."""
    return AuditEntry.objects.filter(at__gte=at).order_by("at").values_list("number", flat=True).first()
