"""A change is a revision of its own; what nobody changed is not saved, and nobody overwrites anybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from console.models import User
from deployments import desired
from deployments.desired import Conflict, revising
from deployments.document import InvalidDocument
from deployments.models import CatalogModel, Deployment, Draft, Price, Revision
from deployments.spec import DeploymentSpec, Limit, Pricing, RateLimits, SharingSpec, Variable
from deployments.vocabulary import LimitScope, Sharing
from tests.deployments.desired.test_create import at_once, problems
from tests.deployments.pages import world
from tests.deployments.pages.world import spec

TOKEN = spec(environment=(Variable("TOKEN", secret=True),))
PRICED = spec(pricing=Pricing("EUR", Decimal("0.15"), Decimal("0.60")))


def change(made: Deployment, wish: DeploymentSpec, **more: Any) -> Deployment:
    """Revises from the newest revision."""
    made.refresh_from_db()
    more = {"author": None, "expected": made.current.number} | more
    return desired.revise(made, wish, **more)


def at_rest(made: Deployment) -> Deployment:
    """As the worker leaves it when nothing is to be done."""
    Deployment.objects.filter(pk=made.pk).update(reconcile_due_at=None, attempts=4, refusal={"code": "quota"})
    made.refresh_from_db()
    return made


@pytest.mark.django_db
def test_a_change_is_a_new_revision_and_the_old_one_stays(author: User) -> None:
    made = at_rest(desired.create(spec(), author=None))
    changed = change(made, spec(description="New"), author=author, note="Why")
    assert (changed.current.number, changed.current.author, changed.current.note) == (2, author, "Why")
    assert [(r.number, r.spec.description) for r in made.revisions.all()] == [(2, "New"), (1, "")]
    made.refresh_from_db()
    assert made.reconcile_due_at == made.changed_at
    assert (made.changed_by, made.created_by, made.attempts, made.refusal) == (author, None, 0, None)


@pytest.mark.django_db(transaction=True)
def test_an_unchanged_spec_saves_nothing(author: User, draft: Draft, sent: list[int]) -> None:
    made = at_rest(desired.create(TOKEN, author=None, secrets={"TOKEN": "a"}))
    before = Deployment.objects.filter(pk=made.pk).values().get()
    sent.clear()
    for secrets in (None, {}, {"TOKEN": ""}, {"TOKEN": "a"}, {"OTHER": "x"}):
        assert change(made, TOKEN, author=author, secrets=secrets).current.number == 1
    assert change(made, TOKEN, draft=draft) == made
    assert Deployment.objects.filter(pk=made.pk).values().get() == before
    assert (Revision.objects.count(), sent) == (1, [])
    draft.refresh_from_db()
    assert (draft.result, draft.secrets.reveal()) == (made, "")


@pytest.mark.django_db
def test_stored_secrets_are_kept_replaced_and_forgotten() -> None:
    made = desired.create(TOKEN, author=None, secrets={"TOKEN": "first"})
    assert change(made, replace(TOKEN, description="x")).current.secret_values() == {"TOKEN": "first"}
    assert change(made, replace(TOKEN, description="x"), secrets={"TOKEN": "second"}).current.number == 3
    made.refresh_from_db()
    assert made.current.secret_values() == {"TOKEN": "second"}
    assert change(made, spec()).current.secret_values() == {}
    assert set(problems(lambda: change(made, TOKEN))) == {"spec.environment[0]"}
    assert made.revisions.get(number=1).secret_values() == {"TOKEN": "first"}


@pytest.mark.django_db
def test_an_added_secret_needs_a_value_and_the_others_keep_theirs() -> None:
    made = desired.create(TOKEN, author=None, secrets={"TOKEN": "a"})
    two = replace(TOKEN, environment=(Variable("MORE", secret=True), *TOKEN.environment))
    assert problems(lambda: change(made, two)) == {
        "spec.environment[0]": "The secret MORE has no value yet. Enter one."
    }
    assert change(made, two, secrets={"MORE": "b"}).current.secret_values() == {"TOKEN": "a", "MORE": "b"}


@pytest.mark.django_db
def test_somebody_elses_revision_is_a_conflict_that_saves_nothing() -> None:
    """E13."""
    made = desired.create(spec(), author=None)
    change(made, spec(description="theirs"))
    with pytest.raises(Conflict, match="Revision 2 was saved meanwhile; this change began from revision 1"):
        desired.revise(made, spec(description="mine"), author=None, expected=1)
    made.refresh_from_db()
    assert made.spec.description == "theirs"


@pytest.mark.django_db(transaction=True)
def test_of_two_changes_at_once_one_is_saved_and_one_is_a_conflict() -> None:
    """E13."""
    made = desired.create(spec(), author=None)

    def submit(words: str) -> Callable[[], Deployment]:
        return lambda: desired.revise(made, spec(description=words), author=None, expected=1)

    results = at_once(submit("a"), submit("b"))
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "Deployment"]
    assert made.revisions.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_edit_submitted_by_two_at_once_is_one_revision(draft: Draft) -> None:
    """E13."""
    made = desired.create(spec(), author=None)

    def submit() -> Deployment:
        return desired.revise(made, spec(description="x"), author=None, expected=1, draft=draft)

    assert at_once(submit, submit) == [made, made]
    assert made.revisions.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wish", "path", "sentence"),
    [
        (spec("other"), "metadata.name", "A deployment keeps its name, chat."),
        (spec(endpoint="second"), "spec.endpoint", "chat stays on its endpoint."),
        (spec(model="opt"), "spec.model", "chat serves llama-8b."),
        (spec(endpoint="nowhere"), "spec.endpoint", "There is no endpoint nowhere."),
    ],
)
def test_what_a_deployment_keeps_cannot_be_changed(wish: DeploymentSpec, path: str, sentence: str) -> None:
    world.endpoint("second")
    CatalogModel.objects.create(
        slug="opt", name="OPT", provider=world.model().provider, source_reference="a/b"
    )
    made = desired.create(spec(), author=None)
    assert problems(lambda: change(made, wish))[path].startswith(sentence)
    assert made.revisions.count() == 1


@pytest.mark.django_db
def test_a_deployment_that_is_being_deleted_takes_no_revision() -> None:
    made = desired.create(spec(), author=None)
    desired.delete(made, author=None)
    assert "chat is being deleted" in problems(lambda: change(made, spec(description="x")))["metadata.name"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["save_terms", "save_shares", "queue"])
def test_a_fault_in_the_middle_leaves_the_old_revision(
    step: str, monkeypatch: pytest.MonkeyPatch, sent: list[int]
) -> None:
    """E1."""
    made = desired.create(PRICED, author=None)
    sent.clear()

    def broken(*arguments: Any) -> None:
        raise ConnectionError(step)

    monkeypatch.setattr(revising, step, broken)
    wish = replace(PRICED, pricing=Pricing("USD", Decimal(1), Decimal(2)), rate_limits=RateLimits(Limit(1)))
    with pytest.raises(ConnectionError):
        change(made, wish)
    made.refresh_from_db()
    assert (made.current.number, made.revisions.count(), made.prices.count()) == (1, 1, 1)
    assert (made.rate_limits.count(), sent) == (0, [])


@pytest.mark.django_db
def test_a_price_row_is_added_only_for_another_price_and_none_is_changed() -> None:
    made = desired.create(PRICED, author=None)
    first = Price.objects.values().get()
    change(made, replace(PRICED, description="x"))
    change(made, replace(PRICED, pricing=Pricing("EUR", Decimal("0.150"), Decimal("0.6"))))
    assert Price.objects.values().get() == first
    for count, pricing in enumerate(
        [
            Pricing("USD", Decimal("0.15"), Decimal("0.60")),
            Pricing("USD", Decimal("0.150000000001"), Decimal("0.60")),
            Pricing("USD", Decimal("0.150000000001"), Decimal(0)),
            Pricing("EUR", Decimal("0.15"), Decimal("0.60")),
            Pricing("EUR", Decimal("0.15"), Decimal("0.60"), Decimal("0.15")),
            Pricing("EUR", Decimal("0.15"), Decimal("0.60"), Decimal(0)),
            Pricing("EUR", Decimal("0.15"), Decimal("0.60")),
        ],
        start=2,
    ):
        change(made, replace(PRICED, pricing=pricing))
        newest = made.prices.first()
        assert made.prices.count() == count
        amounts = (newest.input_per_million, newest.output_per_million, newest.cached_input_per_million)
        assert Pricing(newest.currency, *amounts) == pricing
    assert Price.objects.values().get(pk=first["id"]) == first


@pytest.mark.django_db
def test_the_end_of_a_price_is_a_row_of_its_own_and_told_once() -> None:
    made = desired.create(PRICED, author=None)
    change(made, replace(PRICED, pricing=None))
    change(made, replace(PRICED, pricing=None, description="x"))
    ended = made.prices.first()
    assert (made.prices.count(), ended.input_per_million, ended.output_per_million) == (2, None, None)
    change(made, PRICED)
    assert made.prices.count() == 3


@pytest.mark.django_db
def test_prices_outlive_their_deployment_and_are_never_changed() -> None:
    desired.create(PRICED, author=None)
    kept = Price.objects.values().get()
    for forbidden in (Price.objects.all().delete, lambda: Price.objects.update(input_per_million=1)):
        with pytest.raises(IntegrityError, match="never changed or deleted"), transaction.atomic():
            forbidden()
    Deployment.objects.update(current=None)
    Deployment.objects.get().delete()
    assert Price.objects.values().get() == kept


@pytest.mark.django_db
def test_limits_are_as_the_newest_revision_says() -> None:
    def limits() -> dict[str, tuple[int | None, int | None]]:
        return {row.scope: (row.tokens_per_minute, row.requests_per_minute) for row in made.rate_limits.all()}

    made = desired.create(spec(rate_limits=RateLimits(Limit(100, 10), Limit(50))), author=None)
    other = desired.create(spec("other", rate_limits=RateLimits(Limit(7))), author=None)
    change(made, spec(rate_limits=RateLimits(Limit(None, 20), None, Limit(5, 1))))
    assert limits() == {LimitScope.ORGANIZATION: (None, 20), LimitScope.API_KEY: (5, 1)}
    change(made, spec())
    assert limits() == {}
    assert other.rate_limits.get().tokens_per_minute == 7


@pytest.mark.django_db
def test_sharing_is_a_revision_that_replaces_the_shares(author: User) -> None:
    def shared() -> set[str]:
        return {share.organization.slug for share in made.shares.all()}

    made = desired.create(TOKEN, author=None, secrets={"TOKEN": "a"})
    made = desired.share(made, Sharing.SELECTED, ["globex", "acme", "acme"], author=author)
    assert (made.current.number, made.current.note, made.current.author) == (2, "Sharing", author)
    assert made.current.spec == replace(TOKEN, sharing=SharingSpec(Sharing.SELECTED, ("acme", "globex")))
    assert (made.sharing, shared()) == (Sharing.SELECTED, {"acme", "globex"})
    kept = made.shares.get(organization__slug="acme").pk
    made = desired.share(made, Sharing.SELECTED, ["acme"], author=None)
    assert [share.pk for share in made.shares.all()] == [kept]
    made = desired.share(made, Sharing.ALL, ["acme"], author=None)
    assert (made.sharing, shared(), made.spec.sharing) == (Sharing.ALL, set(), SharingSpec(Sharing.ALL))
    assert desired.share(made, Sharing.ALL, [], author=None).current.number == 4
    assert made.current.secret_values() == {"TOKEN": "a"}


@pytest.mark.django_db
def test_sharing_with_nobody_known_or_from_an_old_page_is_refused() -> None:
    made = desired.create(spec(), author=None)
    old = Deployment.objects.select_related("current").get()
    with pytest.raises(InvalidDocument, match="There is no organisation nobody"):
        desired.share(made, Sharing.SELECTED, ["nobody"], author=None)
    change(made, spec(description="x"))
    with pytest.raises(Conflict):
        desired.share(old, Sharing.ALL, [], author=None)
