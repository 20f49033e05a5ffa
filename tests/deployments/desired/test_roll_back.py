"""A roll back runs what an earlier revision ran: its document, its weights and its values of secret variables."""

from __future__ import annotations

import pytest

from deployments import desired
from deployments.desired import Conflict
from deployments.models import CatalogModel, Deployment, Revision
from deployments.spec import Variable
from tests.deployments.pages.world import spec

TOKEN = spec(environment=(Variable("TOKEN", secret=True),))


@pytest.fixture
def twice_saved() -> Deployment:
    """Revision 1 with a secret and its weights; revision 2 without, after the catalogue had changed."""
    made = desired.create(TOKEN, author=None, secrets={"TOKEN": "first"})
    CatalogModel.objects.update(source_revision="newer")
    return desired.revise(made, spec(), author=None, expected=1)


def back(deployment: Deployment, number: int = 1, **more: object) -> Revision:
    earlier = Revision.objects.get(deployment=deployment, number=number)
    arguments = {"author": None, "expected": 2, "note": "Roll back to revision 1"} | more
    rolled = desired.roll_back(deployment, earlier, earlier.spec, **arguments)  # type: ignore[arg-type]
    assert rolled.current is not None
    return rolled.current


def test_document_weights_and_secrets_come_back(twice_saved: Deployment) -> None:
    assert Revision.objects.get(number=2).model_source.revision == "newer"
    saved = back(twice_saved)
    assert (saved.number, saved.note) == (3, "Roll back to revision 1")
    assert saved.spec == TOKEN
    assert saved.secret_values() == {"TOKEN": "first"}
    assert saved.model_source.revision == ""


def test_a_value_that_is_typed_now_comes_before_the_earlier_one(twice_saved: Deployment) -> None:
    assert back(twice_saved, secrets={"TOKEN": "typed"}).secret_values() == {"TOKEN": "typed"}


def test_the_earlier_value_comes_before_that_of_today() -> None:
    made = desired.create(TOKEN, author=None, secrets={"TOKEN": "first"})
    made = desired.revise(made, TOKEN, author=None, expected=1, secrets={"TOKEN": "second"})
    assert back(made).secret_values() == {"TOKEN": "first"}


def test_a_revision_saved_meanwhile_is_a_conflict(twice_saved: Deployment) -> None:
    with pytest.raises(Conflict):
        back(twice_saved, expected=1)
    assert Revision.objects.count() == 2


def test_going_back_to_what_runs_saves_nothing(twice_saved: Deployment) -> None:
    assert back(twice_saved, number=2).number == 2
