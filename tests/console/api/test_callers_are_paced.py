"""A key makes so many calls a minute; the answer beyond says when to come back. Without Valkey nobody is held."""

from __future__ import annotations

from typing import Any

import pytest

from console.api import pacing
from tests.console.api.conftest import Caller, caller, problem

pytestmark = pytest.mark.django_db


def test_too_many_calls_are_told_when_to_come_back(admin: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "MOST_A_MINUTE", 3)
    monkeypatch.setattr(pacing.time, "time", lambda: 1_800_000_000.0)
    assert [admin("GET", "/models").status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = admin("GET", "/models")
    said = problem(answer, 429)
    assert answer["Retry-After"] == "60"
    assert "60 s" in said["detail"]
    # Another key has its own pace, and the next minute is a new one.
    assert caller(email="bob@example.com")("GET", "/models").status_code == 200
    monkeypatch.setattr(pacing.time, "time", lambda: 1_800_000_060.0)
    assert admin("GET", "/models").status_code == 200


def test_without_valkey_the_api_goes_on(
    admin: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "MOST_A_MINUTE", 0)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert admin("GET", "/models").status_code == 200
