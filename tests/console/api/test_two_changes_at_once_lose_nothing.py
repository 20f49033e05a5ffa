"""Two callers change the same thing in the same moment: a precondition still holds, and no value is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, connections, transaction

from deployments import desired, document
from deployments.models import CatalogModel, Deployment, Endpoint
from deployments.vocabulary import Sharing
from tests.console.api.conftest import Caller, caller, problem
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def someone(valkey: Any) -> Caller:
    return caller()


def while_held(rows: Any, change: Callable[[], None], call: Callable[[], Any]) -> Any:
    """The answer to a call that is sent while another change of these rows is about to be committed."""
    answers: list[Any] = []

    def run() -> None:
        try:
            answers.append(call())
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        list(rows.select_for_update(of=("self",)))
        thread.start()
        _until_somebody_waits()
        change()
    thread.join(20)
    return answers[0]


def _until_somebody_waits() -> None:
    for _ in range(1000):
        with connection.cursor() as cursor:
            cursor.execute("select exists (select from pg_locks where not granted)")
            if cursor.fetchone() == (True,):
                return
        threading.Event().wait(0.01)
    raise AssertionError("Nobody waited for the rows.")


def test_if_match_holds_against_what_is_saved_while_the_call_waits(someone: Caller) -> None:
    found = world.deployment("chat")
    body = document.to_mapping(world.spec("chat"))
    body["spec"]["environment"] = [{"name": "A", "value": "mine"}]

    def theirs() -> None:
        current = Deployment.objects.get(pk=found.pk).current
        assert current is not None
        other = replace(current.spec, sharing=world.shared(Sharing.ALL))
        desired.revise(found, other, author=None, expected=1)

    answer = while_held(
        Deployment.objects.filter(pk=found.pk),
        theirs,
        lambda: someone("PUT", "/deployments/chat", body, if_match='"1"'),
    )
    assert answer.status_code == 412
    assert Deployment.objects.get(pk=found.pk).current.number == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "kind", "mine", "theirs"),
    [
        ("/endpoints/main", Endpoint, {"name": "Mine"}, {"storage_class": "theirs"}),
        ("/models/llama-8b", CatalogModel, {"name": "Mine"}, {"description": "Theirs"}),
    ],
)
def test_a_patch_keeps_what_another_one_changed(
    someone: Caller, path: str, kind: Any, mine: dict[str, str], theirs: dict[str, str]
) -> None:
    world.endpoint()
    world.model()
    slug = path.rsplit("/", 1)[1]
    rows = kind.objects.filter(slug=slug)
    assert rows.exists()
    answer = while_held(rows, lambda: rows.update(**theirs), lambda: someone("PATCH", path, mine))
    assert answer.status_code == 200, answer.content
    found = kind.objects.filter(slug=slug).values().get()
    for name, value in (mine | theirs).items():
        assert found[name] == value


def test_a_call_that_waited_too_long_may_be_sent_again(someone: Caller) -> None:
    world.model()
    with transaction.atomic():
        list(CatalogModel.objects.select_for_update(of=("self",)))
        answers: list[Any] = []

        def run() -> None:
            with connection.cursor() as cursor:
                cursor.execute("set lock_timeout = '50ms'")
            answers.append(someone("PATCH", "/models/llama-8b", {"name": "Mine"}))
            connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(20)
    said = problem(answers[0], 503)
    assert "Send it again" in said["detail"]
    assert answers[0]["Retry-After"] == "5"
    assert CatalogModel.objects.get().name == "Llama 8B"
