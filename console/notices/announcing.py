"""The one door through which things are told: one statement writes notices and who is to get them.

It belongs into the transaction of what happened, so that one never is without the other.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from console.notices.kinds import Kind
from console.notices.rows import Notice
from console.notices.wording import one_line

_LOCK = 0x536C6970_4E6F7465
"""Any number that nothing else takes as an advisory lock."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something to tell."""

    kind: Kind
    subject: str
    key: str
    """The same event has the same key, whoever announces it and however often."""
    sentence: str
    path: str
    """Of its page in the console."""
    remedy: str = ""
    place: str = ""
    deployment_id: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=timezone.now)
    quiet: timedelta = timedelta(0)
    """At most one of this kind and deployment is sent in this time; more are counted, and told together after it."""


def announce(*announcements: Announcement) -> int:
    """Writes what is new; returns how many of them were. A constant number of statements."""
    with transaction.atomic():
        loud = [each for each in announcements if not each.quiet]
        quiet = [each for each in announcements if each.quiet]
        return _write((each, each.at) for each in loud) + (_after_quiet(quiet) if quiet else 0)


def _after_quiet(announcements: list[Announcement]) -> int:
    """At once, later, or as one time more of what is told later anyway."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    keys = [each.key for each in announcements]
    known = set(Notice.objects.filter(key__in=keys).values_list("key", flat=True))
    latest = _latest(announcements)
    fresh: dict[tuple[int | None, str], tuple[Announcement, datetime]] = {}
    held: list[Notice] = []
    for each in announcements:
        if each.key in known:
            continue
        last = latest.get((each.deployment_id, each.kind))
        if last is not None and last.send_at > each.at:
            _add(last, each)
            held.append(last)
        else:
            send_at = max(each.at, last.send_at + each.quiet) if last is not None else each.at
            fresh[each.deployment_id, each.kind] = each, send_at
    if held:
        changed = ["key", "sentence", "remedy", "facts", "times", "at"]
        Notice.objects.bulk_update(held, changed)
    return _write(fresh.values()) + len(held)


def _latest(announcements: list[Announcement]) -> dict[tuple[int | None, str], Notice]:
    """The last notice of each deployment and kind that may still keep another one quiet, or waits itself."""
    since = min(each.at - each.quiet for each in announcements)
    found = (
        Notice.objects.filter(
            deployment_id__in={each.deployment_id for each in announcements},
            kind__in={each.kind for each in announcements},
            send_at__gt=since,
        )
        .order_by("deployment_id", "kind", "-send_at")
        .distinct("deployment_id", "kind")
    )
    return {(each.deployment_id, each.kind): each for each in found}


def _add(held: Notice, another: Announcement) -> None:
    held.key, held.times, held.at = another.key[:200], held.times + 1, another.at
    held.sentence, held.remedy = one_line(another.sentence, 500), one_line(another.remedy, 500)
    held.facts = dict(another.facts)


def _write(announcements: Iterable[tuple[Announcement, datetime]]) -> int:
    rows = [_row(each, send_at) for each, send_at in announcements]
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_TELL, [msgspec.json.encode(rows).decode(), timezone.now()])
        return len(cursor.fetchall())


def _row(one: Announcement, send_at: datetime) -> dict[str, Any]:
    return {
        "id": uuid.uuid4(),
        "kind": one.kind.value,
        "key": one.key[:200],
        "subject": one_line(one.subject, 150),
        "place": one_line(one.place, 150),
        "deployment_id": one.deployment_id,
        "sentence": one_line(one.sentence, 500),
        "remedy": one_line(one.remedy, 500),
        "path": one.path[:300],
        "facts": dict(one.facts),
        "at": one.at,
        "send_at": send_at,
    }


_TELL = """
WITH made AS (
    INSERT INTO console_notice (id, kind, key, subject, place, deployment_id, sentence, remedy, path, facts, times,
                                first_at, at, send_at)
    SELECT new.id, new.kind, new.key, new.subject, new.place, new.deployment_id, new.sentence, new.remedy, new.path,
           new.facts, 1, new.at, new.at, new.send_at
    FROM jsonb_to_recordset(%s::jsonb) AS new (
        id uuid, kind text, key text, subject text, place text, deployment_id bigint, sentence text, remedy text,
        path text, facts jsonb, at timestamptz, send_at timestamptz
    )
    ORDER BY new.key
    ON CONFLICT (key) DO NOTHING
    RETURNING id, kind, deployment_id, send_at
), wanted AS (
    INSERT INTO console_delivery (notice_id, subscription_id, state, attempts, due_at, since, error)
    SELECT made.id, subscription.id, 'waiting', 0, made.send_at, greatest(made.send_at, %s), ''
    FROM made
    JOIN console_subscription AS subscription ON subscription.is_on
        AND subscription.kinds @> to_jsonb(made.kind)
        AND (made.deployment_id IS NULL OR subscription.deployments = '[]'::jsonb
             OR subscription.deployments @> to_jsonb(made.deployment_id))
)
SELECT id FROM made
"""
