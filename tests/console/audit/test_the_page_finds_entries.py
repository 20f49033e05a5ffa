"""The audit's pages: newest first, found by filters, words and days, at a constant cost, by those who may."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.access import Role
from console.audit import Actor, ActorKind, Thing, acting_as, asking, finding, record, refuse, verifying
from console.audit.asking import BadQuestion, Question
from console.audit.difference import as_diff
from console.audit.entry import AuditEntry, AuditHead
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
ADA = Actor(ActorKind.PERSON, "ada@example.com", 7)
CHAT = Thing("deployment", "llama-8b-chat", "1")


@pytest.fixture
def web(db: None) -> Client:
    return world.signed_in(world.person("olga@example.com", Role.OPERATOR))


@pytest.fixture
def entries(web: Client) -> None:
    acme = world.organization("acme")
    with acting_as(ADA):
        record("deployment.revised", CHAT, before={"engine.tag": "v0.33.0"}, after={"engine.tag": "v0.34.0"})
        record("deployment.stopped", CHAT)
        record("limit_exception.set", CHAT, after={"user.tokens_per_minute": 5}, organization=acme)
    record(
        "cluster.edited", Thing("cluster", "Frankfurt 1", "2"), after={"note": "<script>alert(1)</script>"}
    )
    refuse("sign_in.failed", Thing("person", "mallory@example.com"))


def actions(question: Question) -> list[str]:
    return [entry.action for entry in finding.page(question).entries]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"action": "deployment.stopped"}, ["deployment.stopped"]),
        ({"actor": "Ada@Example.com"}, ["limit_exception.set", "deployment.stopped", "deployment.revised"]),
        ({"object": "cluster:Frankfurt 1"}, ["cluster.edited"]),
        ({"object": "Frankfurt 1"}, ["cluster.edited"]),
        ({"object": "deployment:Frankfurt 1"}, []),
        ({"organization": "acme"}, ["limit_exception.set"]),
        ({"address": "192.0.2.99"}, []),
        ({"refused": "1"}, ["sign_in.failed"]),
        ({"q": "chat v0"}, ["deployment.revised"]),
        ({"q": "FRANK"}, ["cluster.edited"]),
        ({"q": "mallory@example"}, ["sign_in.failed"]),
        ({"q": "llama-8b-chat stopped"}, ["deployment.stopped"]),
        ({"q": "nothing like it"}, []),
        ({"q": "!& | :* '"}, None),
        ({"q": "' OR 1=1 --"}, []),
        ({"actor": "ada@example.com", "q": "stopped"}, ["deployment.stopped"]),
    ],
)
def test_filters_and_words_find(entries: None, query: dict[str, str], found: list[str] | None) -> None:
    got = actions(asking.read(query))
    assert got == found if found is not None else len(got) >= 5


def test_days_are_days_of_utc_both_included(web: Client) -> None:
    for day in (1, 2, 3):
        with time_machine.travel(datetime(2026, 11, day, 23, 59, 59, tzinfo=UTC), tick=False):
            record("cluster.edited", Thing("cluster", f"day {day}"))
    found = finding.page(asking.read({"from": "2026-11-02", "to": "2026-11-02", "action": "cluster.edited"}))
    assert [entry.object_name for entry in found.entries] == ["day 2"]
    found = finding.page(asking.read({"from": "2026-11-02", "action": "cluster.edited"}))
    assert [entry.object_name for entry in found.entries] == ["day 3", "day 2"]
    assert finding.page(asking.read({"from": "2999-01-01"})).entries == []


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"from": "2026-11-02", "to": "2026-11-01"},
        {"actor": "a" * 300},
        {"action": "a\0"},
    ],
)
def test_bad_questions_are_refused_in_a_sentence(web: Client, query: dict[str, str]) -> None:
    with pytest.raises(BadQuestion):
        asking.read(query)
    if "\0" not in str(query.values()):
        answer = web.get("/audit/", query)
        assert answer.status_code in (422, 400)


def test_pages_go_on_from_a_place(web: Client) -> None:
    for step in range(120):
        record("cluster.edited", Thing("cluster", f"c{step}"))
    question = asking.read({"action": "cluster.edited"})
    first = finding.page(question)
    second = finding.page(question._replace(before=first.entries[-1].number))
    third = finding.page(question._replace(before=second.entries[-1].number))
    names = [entry.object_name for part in (first, second, third) for entry in part.entries]
    assert names == [f"c{step}" for step in range(119, -1, -1)]
    assert [(part.has_newer, part.has_older) for part in (first, second, third)] == [
        (False, True),
        (True, True),
        (True, False),
    ]
    back = finding.page(question._replace(after=third.entries[0].number))
    assert [entry.number for entry in back.entries] == [entry.number for entry in second.entries]
    page = web.get("/audit/?action=cluster.edited").text
    assert f"before={first.entries[-1].number}" in page


def test_the_page_shows_and_escapes(web: Client, entries: None) -> None:
    page = web.get("/audit/").text
    assert "Deployment revised" in page
    assert "Limit exception set" in page
    assert "Refused" in page
    assert "Entries are kept for 400 days" in page
    number = AuditEntry.objects.get(action="cluster.edited").number
    detail = web.get(f"/audit/{number}/").text
    assert "+ note: &lt;script&gt;" in detail
    assert "<script>alert" not in detail
    assert web.get("/audit/999999999/").status_code == 404
    assert web.get(f"/audit/{10**30}/").status_code == 404


def test_htmx_gets_the_table_alone(web: Client, entries: None) -> None:
    part = web.get("/audit/?q=stopped", headers={"HX-Request": "true"}).text
    assert part.strip().startswith('<div class="stack-s" id="entries">')
    assert 'id="files" hx-swap-oob="true"' in part
    assert "/audit/export.csv?q=stopped" in part


def test_the_difference_is_drawn_by_lines() -> None:
    assert as_diff({"a": [None, 1], "b": ["x", None], "c": [["p", "q"], []], "d": [True, "two\n-lines"]}) == (
        "+ a: 1\n- b: x\n- c: p, q\n+ c: (none)\n- d: true\n+ d: two\n+   -lines"
    )


def test_the_page_says_how_the_last_verification_went(web: Client, entries: None) -> None:
    assert "for the first time at 03:17" in web.get("/audit/").text
    verifying.verify()
    assert "whole up to entry" in web.get("/audit/").text
    AuditHead.objects.update(verified_at=timezone.now() - timedelta(days=3))
    assert "not verified last night" in web.get("/audit/").text
    AuditHead.objects.update(finding="Entry 3: it is missing.")
    page = web.get("/audit/").text
    assert "not as it was recorded" in page
    assert "Entry 3: it is missing." in page


def test_a_page_costs_the_same_at_any_size(web: Client, entries: None) -> None:
    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert web.get(address).status_code == 200
        return len(captured)

    addresses = [
        "/audit/",
        "/audit/?q=chat&from=2026-01-01&to=2999-01-01",
        f"/audit/{AuditEntry.objects.first().pk}/",
    ]
    few = [queries(address) for address in addresses]
    assert max(few) <= 10
    for step in range(200):
        record(f"cluster.edited_{step}", Thing("cluster", f"chat {step}"))
    assert [queries(address) for address in addresses] == few


def body(web: Client, address: str) -> str:
    answer = web.get(address)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]


def test_files_hold_what_the_digests_cover(web: Client, entries: None) -> None:
    lines = [json.loads(line) for line in body(web, "/audit/export.jsonl?actor=ada@example.com").splitlines()]
    assert [line["action"] for line in lines] == [
        *("deployment.revised", "deployment.stopped", "limit_exception.set"),
    ]
    for line in lines:
        entry = AuditEntry.objects.get(number=line["number"])
        assert {name: line[name] for name in entry.content} == entry.content
        assert line["digest"] == entry.digest
        # As docs/operations.md says, for whoever verifies without us.
        said = {name: value for name, value in line.items() if name not in ("previous", "digest")}
        plain = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(f"{line['previous']}\n{plain}".encode()).hexdigest() == line["digest"]
    rows = list(csv.DictReader(io.StringIO(body(web, "/audit/export.csv?actor=ada@example.com"))))
    assert [row["action"] for row in rows] == [line["action"] for line in lines]
    assert json.loads(rows[0]["changes"]) == {"engine.tag": ["v0.33.0", "v0.34.0"]}


def test_no_cell_is_a_formula(web: Client) -> None:
    record("cluster.edited", Thing("cluster", "=1+1"))
    rows = list(csv.DictReader(io.StringIO(body(web, "/audit/export.csv?action=cluster.edited"))))
    assert rows[0]["object_name"] == "'=1+1"


def test_taking_the_audit_away_is_recorded(web: Client, entries: None) -> None:
    body(web, "/audit/export.csv?actor=ada@example.com")
    entry = AuditEntry.objects.order_by("-number")[0]
    assert (entry.action, entry.actor) == ("audit.exported", "olga@example.com")
    assert entry.changes == {"actor": [None, "ada@example.com"]}


def test_a_file_is_bounded(web: Client, entries: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from console.audit import exporting

    monkeypatch.setattr(exporting, "MOST", 2)
    answer = web.get("/audit/export.csv")
    assert answer.status_code == 422
    assert "more than 2 entries" in answer.text


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.ADMINISTRATOR, 200), (Role.OPERATOR, 200), (Role.BILLING, 403), (Role.VIEWER, 403), (None, 404)],
)
def test_administrators_and_operators_read_it(entries: None, role: Role | None, status: int) -> None:
    client = world.signed_in(world.person("pat@example.com", role))
    number = AuditEntry.objects.order_by("number")[0].number
    for address in ("/audit/", f"/audit/{number}/", "/audit/export.csv"):
        assert client.get(address).status_code == status
        assert client.post(address).status_code == 405
