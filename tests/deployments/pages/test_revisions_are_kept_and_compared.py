"""The history of a deployment: who saved what when, what became of it, and how any two revisions differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.models import User
from deployments import desired
from deployments.models import Deployment, Revision, Transition
from deployments.spec import Limit, RateLimits, Variable
from deployments.vocabulary import Phase
from tests.deployments.pages import world

BASE = "/deployments/chat/revisions/"


def text(web: Client, address: str, status: int = 200) -> str:
    answer = web.get(address)
    assert answer.status_code == status
    return " ".join(answer.content.decode().split())


def revise(made: Deployment, author: User | None = None, **changes: Any) -> Deployment:
    """The next revision; `tag` and `replicas` are the engine's."""
    made.refresh_from_db()
    spec, note = made.spec, changes.pop("note", "")
    engine = {key: changes.pop(key) for key in ("tag", "replicas") if key in changes}
    secrets = changes.pop("secrets", None)
    wanted = replace(spec, engine=replace(spec.engine, **engine), **changes)
    number = made.current.number
    return desired.revise(made, wanted, author=author, expected=number, secrets=secrets, note=note)


@pytest.fixture
def chat(ada: User) -> Deployment:
    """Revision 1 served, 2 only changed limits, 3 is the present one and fails while 1 and 2 serve on."""
    made = world.deployment("chat", author=ada)
    Transition.objects.all().delete()
    world.move(made, Phase.SERVING, world.ago(minutes=50))
    revise(made, note="Fair use", rate_limits=RateLimits(user=Limit(requests_per_minute=60)))
    revise(made, ada, tag="v9.9.9", note="Newer")
    world.move(made, Phase.FAILED, world.ago(minutes=5), revision=3, sentence="No such tag.")
    made.refresh_from_db()
    details = {"serving_revision": 2}
    world.see(made, Phase.FAILED, ready=1, wanted=1, revision=3, sentence="No such tag.", details=details)
    return made


def test_the_history_says_who_when_what_and_the_outcome(web: Client, chat: Deployment) -> None:
    rows = text(web, BASE).split("<tr>")[2:]
    assert len(rows) == 3
    newest, middle, first = rows
    for said in ("Revision 3", "Present", "Rollout failed", "No such tag.", "Image tag", "Newer", "Ada Berg"):
        assert said in newest
    for said in ("Revision 2", "Serving", "Requests per minute, user", "Fair use", "Command line"):
        assert said in middle
    for said in ("Revision 1", "Superseded", "Created"):
        assert said in first
    assert "Roll back…" not in newest
    assert "/deployments/chat/revisions/2/roll-back/" in middle


def test_a_failed_revision_keeps_its_sentence_when_another_follows(web: Client, chat: Deployment) -> None:
    revise(chat, tag="v0.34.0")
    row = text(web, BASE).split("<tr>")[3]
    assert "Failed" in row
    assert "No such tag." in row


def test_a_revision_that_was_replaced_at_once_was_never_applied(web: Client, chat: Deployment) -> None:
    revise(chat, tag="v0.34.0")
    revise(chat, tag="v0.35.0")
    assert "Never applied" in text(web, BASE).split("<tr>")[3]


def test_a_new_secret_value_is_a_revision_with_something_to_say(web: Client) -> None:
    made = world.deployment(
        "chat", environment=(Variable("TOKEN", secret=True),), secrets={"TOKEN": "hush-one"}
    )
    revise(made, secrets={"TOKEN": "hush-two"})
    assert "Values of secret variables" in text(web, BASE)
    for address in (BASE, f"{BASE}2/", f"{BASE}compare/", f"{BASE}2/document/"):
        assert "hush" not in text(web, address)
    assert "New secret value" in text(web, f"{BASE}2/")


def test_one_revision_shows_its_document_and_both_differences(web: Client, chat: Deployment) -> None:
    page = text(web, f"{BASE}2/")
    assert "What it changed" in page
    assert "Requests per minute, user" in page
    assert "Compared with the present" in page
    assert "<ins>v9.9.9</ins>" in page
    assert "kind: ModelDeployment" in page
    assert "Roll back to it…" in page
    assert "Clone…" in page
    first, newest = text(web, f"{BASE}1/"), text(web, f"{BASE}3/")
    assert "What it changed" not in first
    assert "Compared with the present" not in newest
    assert "Roll back to it…" not in newest


def test_any_two_are_compared_setting_by_setting_and_line_by_line(web: Client, chat: Deployment) -> None:
    page = text(web, f"{BASE}compare/?old=1&new=3")
    assert "2 settings differ" in page
    assert "<ins>v9.9.9</ins>" in page
    assert "<del>- tag: v0.33.0</del>" in page
    assert "1 setting differs" in text(web, f"{BASE}compare/")
    assert "Both say the same." in text(web, f"{BASE}compare/?old=2&new=2")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("old=1&new=9", "has no revision 9"),
        ("old=8&new=9", "has no revision 8 and no revision 9"),
        ("old=abc&new=2", "Two numbers of revisions are needed"),
        ("old=-1&new=2", "Two numbers of revisions are needed"),
        (f"old={10**30}&new=2", "Two numbers of revisions are needed"),
    ],
)
def test_what_is_not_there_cannot_be_compared(web: Client, chat: Deployment, query: str, said: str) -> None:
    assert said in text(web, f"{BASE}compare/?{query}", status=404)


@pytest.mark.parametrize("number", ["0", "9", str(10**30)])
@pytest.mark.parametrize("part", ["", "document/", "roll-back/", "clone/"])
def test_a_revision_that_does_not_exist_is_not_found(
    web: Client, chat: Deployment, number: str, part: str
) -> None:
    assert web.get(f"{BASE}{number}/{part}").status_code == 404


def test_the_document_of_a_revision_is_a_file_that_can_be_applied(web: Client, chat: Deployment) -> None:
    answer = web.get(f"{BASE}1/document/")
    assert answer["Content-Disposition"] == 'attachment; filename="chat-revision-1.yaml"'
    assert b"tag: v0.33.0" in answer.content
    response = web.post("/import/", {"document": answer.content.decode(), "do": "apply"})
    assert response.status_code == 302
    assert Deployment.objects.get().spec == Revision.objects.get(number=1).spec


def test_a_failed_rollout_offers_the_revision_that_serves(web: Client, chat: Deployment) -> None:
    page = text(web, "/deployments/chat/")
    assert "Roll back to revision 2…" in page
    world.see(chat, Phase.FAILED, ready=0, wanted=1, revision=3, details={})
    assert "Roll back to revision 1…" in text(web, "/deployments/chat/")
    world.see(chat, Phase.SERVING, ready=1, wanted=1, revision=3, details={"serving_revision": 3})
    assert "Roll back" not in text(web, "/deployments/chat/")


def test_it_costs_the_same_for_five_and_for_five_hundred(web: Client, chat: Deployment) -> None:
    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert web.get(address).status_code == 200
        return len(seen)

    like = Revision.objects.get(number=3)

    def fill(until: int) -> None:
        Revision.objects.bulk_create(
            Revision(deployment=chat, number=number, document=like.document, source=like.source)
            for number in range(Revision.objects.count() + 1, until + 1)
        )
        Deployment.objects.update(current=Revision.objects.get(number=until))

    addresses = [BASE, f"{BASE}2/", f"{BASE}compare/?old=1&new=3", f"{BASE}?page=99"]
    fill(5)
    few = [cost(address) for address in addresses]
    fill(500)
    assert [cost(address) for address in addresses] == few
    assert max(few) <= 8
    assert text(web, BASE).count('<th scope="row"') == 25
    assert "Revision 1<" in text(web, f"{BASE}?page=20")
