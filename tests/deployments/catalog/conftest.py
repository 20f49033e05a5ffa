"""An administrator, a provider, and what the form of a model sends."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from deployments.models import Provider
from deployments.vocabulary import SourceKind
from tests.deployments.pages import world

TOKEN = "hf_canary-token-that-no-page-may-show"


@pytest.fixture
def web(db: None) -> Client:
    return world.signed_in(world.person())


@pytest.fixture
def provider(db: None) -> Provider:
    return Provider.objects.create(slug="meta", name="Meta")


def fields(provider: Provider, /, **changes: Any) -> dict[str, Any]:
    return {
        "name": "OPT 125M",
        "slug": "opt-125m",
        "provider": str(provider.pk),
        "use_case": "completion",
        "source_kind": SourceKind.HUGGING_FACE.value,
        "source_reference": "facebook/opt-125m",
        **changes,
    }
