"""Everything that the OpenAPI document allows, and much that it does not: no 500, and answers as they are described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from console.api.application import described
from tests.console.api.conftest import Caller
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db

schema = schemathesis.openapi.from_dict(described())
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def some(admin: Caller, settings: Any) -> Iterator[Caller]:
    settings.ALLOWED_HOSTS = ["*"]
    world.deployment("chat")
    world.organization("acme")
    # As Django's own test client does: the transaction of the test lives on its connection.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield admin
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_each_operation_keeps_its_word(case: Any, some: Caller) -> None:
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {some.text}"}
    answer = case.call(app=WSGIHandler(), base_url="http://testserver")
    case.validate_response(answer, checks=CHECKS)
