"""A deployment is saved whole or not at all, once per draft and once per name, and is found by the worker."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from console.models import User
from deployments import desired, document
from deployments.desired import revising
from deployments.document import InvalidDocument
from deployments.models import (
    Deployment,
    Draft,
    Observation,
    Price,
    RateLimit,
    Revision,
    Share,
    Transition,
)
from deployments.spec import EngineSpec, Limit, Pricing, RateLimits, SharingSpec, Variable
from deployments.vocabulary import DesiredState, Engine, LimitScope, Phase, Sharing
from tests.deployments.pages.world import spec

SAVED = (Deployment, Revision, Observation, Transition, RateLimit, Price, Share)
FULL = spec(
    environment=(Variable("LEVEL", "INFO"), Variable("TOKEN", secret=True)),
    rate_limits=RateLimits(user=Limit(1000, None), api_key=Limit(None, 5)),
    pricing=Pricing("EUR", Decimal("0.15"), Decimal("0.60")),
    sharing=SharingSpec(Sharing.SELECTED, ("acme", "globex")),
)
SECRETS = {"TOKEN": "canary-secret", "UNASKED": "not kept"}


def problems(wish: Callable[[], Any]) -> dict[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        wish()
    return {problem.path: problem.message for problem in caught.value.problems}


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each gave or raised, when all begin together, each in a thread with a connection of its own."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        barrier.wait(timeout=10)
        try:
            return work()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))


@pytest.mark.django_db
def test_everything_is_saved(author: User) -> None:
    made = desired.create(FULL, author=author, secrets=SECRETS, note="First")
    made.refresh_from_db()
    assert (made.name, made.model.slug, made.endpoint.slug) == ("chat", "llama-8b", "main")
    assert (made.desired_state, made.sharing) == (DesiredState.RUNNING, Sharing.SELECTED)
    assert (made.created_by, made.changed_by, made.attempts, made.refusal) == (author, author, 0, None)
    assert made.reconcile_due_at == made.changed_at
    revision = made.current
    assert (revision.number, revision.author, revision.note, revision.spec) == (1, author, "First", FULL)
    assert revision.secret_values() == {"TOKEN": "canary-secret"}
    assert {
        limit.scope: (limit.tokens_per_minute, limit.requests_per_minute) for limit in made.rate_limits.all()
    } == {
        LimitScope.USER: (1000, None),
        LimitScope.API_KEY: (None, 5),
    }
    price = made.prices.get()
    assert (price.currency, price.input_per_million, price.output_per_million) == (
        "EUR",
        Decimal("0.15"),
        Decimal("0.60"),
    )
    assert {share.organization.slug for share in made.shares.all()} == {"acme", "globex"}
    assert (made.observation.phase, made.observation.revision, made.observation.wanted) == (
        Phase.QUEUED,
        1,
        1,
    )
    [transition] = made.transitions.all()
    assert (transition.before, transition.after, transition.revision) == ("", Phase.QUEUED, 1)


@pytest.mark.django_db
def test_a_secret_is_neither_in_the_document_nor_readable_in_its_row() -> None:
    made = desired.create(FULL, author=None, secrets=SECRETS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT document::text, secrets::text FROM deployments_revision")
        [row] = cursor.fetchall()
    assert "TOKEN" in row[0]
    assert row[1]
    assert "canary-secret" not in row[0] + row[1]
    assert "canary-secret" not in f"{made.current.secrets!r} {made.current.secrets}"


@pytest.mark.django_db
def test_only_what_the_spec_asks_for_is_saved() -> None:
    made = desired.create(spec(), author=None)
    assert made.current.secret_values() == {}
    assert not Price.objects.exists()
    assert not RateLimit.objects.exists()
    assert not Share.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["_save_revision", "save_terms", "save_shares", "queue"])
@pytest.mark.parametrize("after", [False, True])
def test_a_fault_at_any_step_leaves_nothing(
    step: str, after: bool, draft: Draft, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """E1."""
    whole = getattr(revising, step)

    def broken(*arguments: Any) -> None:
        if after:
            whole(*arguments)
        raise ConnectionError(step)

    monkeypatch.setattr(revising, step, broken)
    with pytest.raises(ConnectionError, match=step):
        desired.create(FULL, author=None, secrets=SECRETS, draft=draft)
    assert [table.__name__ for table in SAVED if table.objects.exists()] == []
    draft.refresh_from_db()
    assert (draft.result, draft.secrets.reveal()) == (None, '{"TOKEN": "typed"}')
    assert sent == []
    monkeypatch.setattr(revising, step, whole)
    assert desired.create(FULL, author=None, secrets=SECRETS, draft=draft).current.number == 1


@pytest.mark.django_db
def test_a_draft_submitted_twice_is_one_deployment_and_forgets_its_secrets(draft: Draft) -> None:
    first = desired.create(FULL, author=None, secrets=SECRETS, draft=draft)
    again = desired.create(spec("other"), author=None, draft=draft)
    assert again == first
    assert Deployment.objects.count() == Revision.objects.count() == 1
    draft.refresh_from_db()
    assert (draft.result, draft.secrets.reveal()) == (first, "")


@pytest.mark.django_db(transaction=True)
def test_a_draft_submitted_by_two_at_once_is_one_deployment(draft: Draft, sent: list[int]) -> None:
    def submit() -> Deployment:
        return desired.create(FULL, author=None, secrets=SECRETS, draft=draft)

    results = at_once(submit, submit)
    made = Deployment.objects.get()
    assert results == [made, made]
    assert sent == [made.pk]
    assert Revision.objects.count() == Price.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_name_wanted_by_two_at_once_is_given_once() -> None:
    def submit() -> Deployment:
        return desired.create(spec(), author=None)

    results = at_once(submit, submit)
    assert sorted(type(result).__name__ for result in results) == ["Deployment", "InvalidDocument"]
    assert Revision.objects.count() == Deployment.objects.count() == 1


@pytest.mark.django_db
def test_a_taken_name_is_refused_and_the_transaction_goes_on() -> None:
    made = desired.create(spec(), author=None)
    found = problems(lambda: desired.create(spec(description="Another"), author=None))
    assert found == {"metadata.name": "There is a deployment chat already. Choose another name."}
    assert Revision.objects.get() == made.current


@pytest.mark.django_db
def test_what_does_not_exist_is_named_all_at_once() -> None:
    wrong = spec(
        model="no-model",
        endpoint="no-endpoint",
        engine=EngineSpec(Engine.NIM, "nvcr.io/nim/meta/llama", "1.0"),
        sharing=SharingSpec(Sharing.SELECTED, ("acme", "nobody")),
    )
    found = problems(lambda: desired.create(wrong, author=None))
    assert set(found) == {
        "spec.model",
        "spec.endpoint",
        "spec.sharing.organizations",
    }
    assert found["spec.model"] == "There is no model no-model in the catalogue. Add it first."
    assert found["spec.sharing.organizations"] == "There is no organisation nobody."
    assert not Deployment.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("secrets", [None, {}, {"TOKEN": ""}, {"OTHER": "x"}])
def test_a_new_secret_needs_a_value(secrets: dict[str, str] | None) -> None:
    found = problems(lambda: desired.create(FULL, author=None, secrets=secrets))
    assert found == {"spec.environment[1]": "The secret TOKEN has no value yet. Enter one."}
    assert not Deployment.objects.exists()


@pytest.mark.django_db
def test_the_saved_document_is_the_one_that_export_prints() -> None:
    made = desired.create(FULL, author=None, secrets=SECRETS)
    made.current.refresh_from_db()
    assert made.current.document == document.to_mapping(FULL)
