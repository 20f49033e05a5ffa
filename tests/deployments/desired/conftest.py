"""A model, two endpoints, two organisations and an author, for deployments that no cluster ever sees."""

from __future__ import annotations

import pytest

from console.models import User
from deployments import tasks
from deployments.models import Draft
from tests.deployments.pages import world


@pytest.fixture
def author(db: None) -> User:
    return world.person()


@pytest.fixture(autouse=True)
def place(db: None) -> None:
    world.model()
    world.endpoint()
    world.organization("acme")
    world.organization("globex")


@pytest.fixture
def draft(author: User) -> Draft:
    return Draft.objects.create(author=author, model=world.model(), secrets='{"TOKEN": "typed"}')


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of deployments for which a message went to the broker."""
    ids: list[int] = []
    monkeypatch.setattr(
        tasks.reconcile_one, "apply_async", lambda arguments, **options: ids.append(arguments[0])
    )
    return ids
