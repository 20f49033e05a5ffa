"""Missing rights are recorded with whom and from where, survive what is rolled back, and cannot fill the table."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from console.access import Role
from console.audit import Thing, record, recording, refuse, verifying
from console.audit.entry import AuditEntry
from console.audit.middleware import of_requests
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db


def refusals(action: str = "request.refused") -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action, refused=True).order_by("number"))


def viewer() -> Client:
    return world.signed_in(world.person("vic@example.com", Role.VIEWER))


def test_a_missing_right_is_recorded(settings: Settings) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    headers = {"X-Forwarded-For": "10.9.9.9, 203.0.113.9", "X-Request-ID": "from-the-proxy"}
    assert viewer().get("/clusters/new/", headers=headers).status_code == 403
    (entry,) = refusals()
    assert (entry.actor_kind, entry.actor) == ("person", "vic@example.com")
    assert (entry.object_kind, entry.object_name) == ("address", "GET /clusters/new/")
    assert (entry.address, entry.request_id) == ("203.0.113.9", "from-the-proxy")


def test_a_form_without_its_token_is_recorded() -> None:
    answer = Client(enforce_csrf_checks=True).post("/sign-in/", {"login": "a", "password": "b"})
    assert answer.status_code == 403
    (entry,) = refusals()
    assert (entry.actor_kind, entry.actor, entry.object_name) == ("nobody", "", "POST /sign-in/")


@pytest.mark.parametrize(
    ("status", "action"), [(403, "request.refused"), (429, "request.throttled"), (404, None), (500, None)]
)
def test_refusals_are_known_by_the_status_of_the_answer(status: int, action: str | None) -> None:
    of_requests(lambda request: HttpResponse(status=status))(RequestFactory().get("/there/"))
    found = list(AuditEntry.objects.filter(refused=True).values_list("action", "object_name"))
    assert found == ([(action, "GET /there/")] if action else [])


def test_an_address_that_lets_somebody_in_is_not_kept() -> None:
    Client(enforce_csrf_checks=True).post("/accounts/password/reset/key/1-canary-of-a-reset/?next=canary")
    (entry,) = refusals()
    assert entry.object_name == "POST /accounts/password/reset/key/1-…/"


def test_what_is_allowed_or_not_there_is_no_refusal() -> None:
    client = viewer()
    assert client.get("/clusters/").status_code == 200
    assert client.get("/nowhere/").status_code == 404
    assert refusals() == []


def test_a_refusal_survives_what_is_rolled_back_around_it() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            record("cluster.edited", Thing("cluster", "undone"))
            refuse("cluster.refused", Thing("cluster", "fra-1"), why="Not today.")
            transaction.set_rollback(True)
        return HttpResponse()

    of_requests(view)(RequestFactory().get("/"))
    assert [entry.changes for entry in refusals("cluster.refused")] == [{"why": [None, "Not today."]}]
    assert not AuditEntry.objects.filter(object_name="undone").exists()
    assert verifying.verify().found is None


def test_the_same_refusal_counts_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    client = viewer()
    for _ in range(5):
        client.get("/clusters/new/")
    client.get("/endpoints/new/")
    assert [entry.object_name for entry in refusals()] == ["GET /clusters/new/", "GET /endpoints/new/"]
    assert caplog.text.count("Not recorded again") == 4


def test_it_counts_again_after_the_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    client = viewer()
    client.get("/clusters/new/")
    monkeypatch.setattr(recording, "REFUSALS_REMEMBERED", recording.REFUSALS_REMEMBERED * 0)
    client.get("/clusters/new/")
    assert len(refusals()) == 2


@pytest.mark.parametrize(
    ("addresses", "kept"),
    [
        (["198.51.100.7"] * 100, recording.MOST_OF_AN_ADDRESS),
        ([f"2001:db8::{number:x}" for number in range(100)], recording.MOST_OF_AN_ADDRESS),
        ([f"198.51.100.{number}" for number in range(100)], recording.MOST_REFUSALS),
    ],
)
def test_nobody_can_fill_the_table(addresses: list[str], kept: int) -> None:
    for number, address in enumerate(addresses):
        refuse_from(address, f"thing {number}")
    assert len(refusals("thing.refused")) == kept


def refuse_from(address: str, name: str) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        refuse("thing.refused", Thing("thing", name))
        return HttpResponse()

    of_requests(view)(RequestFactory().get("/", REMOTE_ADDR=address))


def test_a_message_of_the_log_stays_on_one_line(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        refuse_from("198.51.100.7", "first\nsecond")
    assert len(caplog.messages) == 1
    assert "\n" not in caplog.messages[0]
