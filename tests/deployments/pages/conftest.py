"""An administrator with a browser that runs no scripts."""

import pytest
from django.test import Client

from console.models import User
from tests.deployments.pages import world


@pytest.fixture
def ada(db: None) -> User:
    return world.person()


@pytest.fixture
def web(ada: User) -> Client:
    return world.signed_in(ada)
