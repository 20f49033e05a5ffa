"""What the last entries say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console.audit.entry import AuditEntry

Since = Callable[[], list[AuditEntry]]


@pytest.fixture
def since(db: None) -> Callable[[], Since]:
    """Call it before a change; what it gives, called afterwards, are the entries of the change, oldest first."""

    def begin() -> Since:
        last = AuditEntry.objects.order_by("-number").values_list("number", flat=True).first() or 0
        return lambda: list(AuditEntry.objects.filter(number__gt=last).order_by("number"))

    return begin
