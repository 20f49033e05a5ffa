"""Whatever is sent, the answer is a sentence and never a fault of ours (E26)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.console.api.conftest import Caller, problem

pytestmark = pytest.mark.django_db
ODD: dict[str, Any] = {
    "half a character": '{"slug": "a", "name": "\\ud800"}',
    "half a character as a name": '{"\\ud800": 1}',
    "a NUL": '{"slug": "a", "name": "a\\u0000b"}',
    "deep": "[" * 100_000,
    "deep and whole": "[" * 900 + "]" * 900,
    "deep in an object": '{"name": ' + "[" * 100 + "]" * 100 + "}",
    "not UTF-8": b'{"name": "\xff"}',
    "not JSON": "name=x",
    "no object": "[1, 2]",
    "a number beyond all": '{"slug": "a", "name": 1e999}',
    "no number": '{"slug": "a", "name": NaN}',
    "a long number": '{"slug": "a", "name": ' + "9" * 5000 + "}",
    "long": '{"slug": "a", "name": "' + "x" * 100_000 + '"}',
}


@pytest.mark.parametrize("path", ["/organizations", "/models", "/access-keys", "/clusters"])
@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_an_odd_body_is_refused(admin: Caller, path: str, body: Any) -> None:
    answer = admin("POST", path, body)
    assert answer.status_code in (400, 422), answer.content
    problem(answer, answer.status_code)


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_an_odd_document_is_refused(admin: Caller, body: Any) -> None:
    answer = admin("PUT", "/deployments/chat", body)
    assert answer.status_code in (400, 422), answer.content
    problem(answer, answer.status_code)


def test_too_much_is_refused_before_it_is_read(admin: Caller) -> None:
    problem(admin("POST", "/organizations", "x" * (2 * 1024 * 1024)), 413)
