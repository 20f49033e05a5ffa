"""No worker runs beside these tests, so nobody is sent a hint."""

import pytest

from deployments import desired


@pytest.fixture(autouse=True)
def no_hints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desired, "_hint", lambda deployment_id: None)
