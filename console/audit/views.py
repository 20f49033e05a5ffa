"""The audit's pages: the list, one entry with its difference, and the files."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.access import Permission, requires
from console.audit import asking, exporting, finding, words
from console.audit.asking import BadQuestion, Question
from console.audit.difference import as_diff
from console.audit.entry import AuditEntry, AuditHead
from console.audit.recording import Thing, record
from console.http import Request, page

_LATE = timedelta(hours=50)
"""Since the last verification, which is of every night."""
_FILTERS = {
    "action": "Action",
    "actor": "Who",
    "object": "Object",
    "organization": "Organisation",
    "address": "Address",
}
_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


@require_safe
@requires(Permission.AUDIT)
def listing(request: Request) -> HttpResponse:
    """Newest first; filters, a period and words in the address, and a place to go on from."""
    question, problem = _asked(request)
    return _list_page(request, question, problem)


@require_safe
@requires(Permission.AUDIT)
def detail(request: Request, number: int) -> HttpResponse:
    """One entry: who, from where, what, and what it changed."""
    entry = get_object_or_404(AuditEntry, number=number)
    history = f"{entry.object_kind}:{entry.object_name}"
    context = {
        "entry": _shown(entry),
        "diff": as_diff(entry.changes),
        "kind": words.kind(entry.object_kind),
        "history": Question({"object": history}).address() if entry.object_kind else "",
        "by_actor": Question({"actor": entry.actor}).address() if entry.actor else "",
        "nav": "audit",
    }
    return page(request, "console/audit/detail.html", context)


@require_safe
@requires(Permission.AUDIT)
def export(request: Request, kind: str) -> HttpResponse:
    """What the page shows as a file, oldest first. Whoever takes the audit away is recorded in it."""
    question, problem = _asked(request)
    if (
        not problem
        and finding.matching(question).order_by("number")[exporting.MOST : exporting.MOST + 1].exists()
    ):
        problem = f"These are more than {exporting.MOST:,} entries. Choose a shorter period."
    if problem:
        return _list_page(request, question, problem)
    asked = {word: str(value) for word, value in question.words().items()}
    note = record("audit.exported", Thing("audit", f"as {kind}"), after=asked)
    assert note is not None
    entries = finding.oldest_first(question, before=note.number)
    lines = exporting.as_csv(entries) if kind == "csv" else exporting.as_json_lines(entries)
    response = StreamingHttpResponse(lines, content_type=_TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y%m%d-%H%M}.{kind}"'
    return response  # type: ignore[return-value]  # a response like any other, for all that is done with it


def _asked(request: Request) -> tuple[Question, str]:
    try:
        return asking.read(request.GET), ""
    except BadQuestion as error:
        return Question({}), str(error)


def _list_page(request: Request, question: Question, problem: str) -> HttpResponse:
    now = timezone.now()
    found = finding.page(question)
    entries = [_shown(entry) for entry in found.entries]
    days = {"from": ("From", question.first), "to": ("Until", question.last)}
    narrowed = [*_FILTERS.items()] + [(word, label) for word, (label, day) in days.items() if day]
    asked = question.words()
    context = {
        "problem": problem,
        "question": question,
        "entries": entries,
        "actions": [(code, words.action(code)) for code in finding.actions()],
        "narrowed": [
            {"label": f"{label}: {_said(word, asked[word])}", "url": question.address(without=word)}
            for word, label in narrowed
            if word in asked
        ],
        "older": question.address(before=entries[-1]["number"]) if entries and found.has_older else "",
        "newer": question.address(after=entries[0]["number"]) if entries and found.has_newer else "",
        "files": question.address(),
        "retention": settings.AUDIT_RETENTION_DAYS,
        "chain": _chain(now),
        "now": now,
    }
    status = 422 if problem else 200
    return page(request, "console/audit/list.html", context, fragment="table", status=status)


def _said(word: str, value: object) -> str:
    return words.action(str(value)) if word == "action" else str(value)


def _shown(entry: AuditEntry) -> dict[str, Any]:
    count = len(entry.changes)
    return {
        "number": entry.number,
        "at": entry.at,
        "action": words.action(entry.action),
        "refused": entry.refused,
        "actor": entry.actor or words.ACTORS[entry.actor_kind],
        "actor_kind": words.ACTORS[entry.actor_kind],
        "is_person": entry.actor_kind == "person",
        "by_actor": Question({"actor": entry.actor}).address() if entry.actor else "",
        "object": entry.object_name,
        "object_kind": words.kind(entry.object_kind),
        "history": Question({"object": f"{entry.object_kind}:{entry.object_name}"}).address(),
        "address": entry.address,
        "by_address": Question({"address": entry.address}).address() if entry.address else "",
        "organization": entry.organization,
        "request_id": entry.request_id,
        "previous": entry.previous,
        "digest": entry.digest,
        "count": count,
    }


def _chain(now: datetime) -> dict[str, Any]:
    """What the last verification found, and how old it is."""
    head = AuditHead.objects.first()
    at = head.verified_at if head else None
    return {
        "at": at,
        "number": head.verified_number if head else 0,
        "finding": head.finding if head else "",
        "is_late": at is not None and now - at > _LATE,
    }
