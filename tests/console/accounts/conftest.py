"""What the tests of accounts share: a provider of single sign-on that the settings name."""

import json
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.console.accounts.provider import CLIENT, SECRET, Provider, running


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    with running() as provider:
        settings.OIDC_ISSUER = provider.issuer
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT, SECRET
        settings.OIDC_NAME = "Example ID"
        settings.OIDC_ROLE_MAP = json.dumps(
            {
                "admins": "administrator",
                "viewers": "viewer",
                "acme": "organization:acme:member",
                "acme-heads": ["organization:acme:owner"],
            }
        )
        yield provider
