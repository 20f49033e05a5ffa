"""Entries older than the retention go by whole days from the beginning; the rest still verifies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.checks import run_checks
from django.db import DatabaseError, transaction
from pytest_django import Settings

from console.audit import Thing, record, retention, verifying
from console.audit.chain import Mark
from console.audit.entry import AuditEntry, AuditHead
from console.tasks import prune_audit, verify_audit

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC).replace(hour=15, minute=30, second=0, microsecond=0)
MIDNIGHT = NOW.replace(hour=0, minute=0) - timedelta(days=40)
"""The first moment that stays. The database goes by its own clock, so that no other day will do."""


@pytest.fixture
def first(settings: Settings) -> int:
    """Number of the first of ten entries, one every twelve hours from 43 days ago on."""
    settings.AUDIT_RETENTION_DAYS = 40
    for step in range(10):
        with time_machine.travel(NOW - timedelta(days=43) + timedelta(hours=12 * step), tick=False):
            record("cluster.edited", Thing("cluster", f"c{step}"), after={"step": step})
    return AuditHead.objects.get().number - 9


def kept() -> list[str]:
    return list(AuditEntry.objects.order_by("number").values_list("object_name", flat=True))


def test_whole_days_go_and_the_rest_verifies(first: int) -> None:
    before = Mark(first + 5, AuditEntry.objects.get(number=first + 5).digest)
    with time_machine.travel(NOW, tick=False):
        assert retention.prune(NOW) == 5
    assert kept()[:5] == ["c5", "c6", "c7", "c8", "c9"]
    assert all(entry.at >= MIDNIGHT for entry in AuditEntry.objects.all())
    assert AuditHead.objects.get().anchor == Mark(
        AuditEntry.objects.order_by("number")[0].number - 1, AuditEntry.objects.order_by("number")[0].previous
    )
    outcome = verifying.verify(before)
    assert outcome.found is None
    assert outcome.count == AuditEntry.objects.count()


def test_pruning_records_itself(first: int) -> None:
    retention.prune(NOW)
    entry = AuditEntry.objects.order_by("-number")[0]
    assert entry.action == "audit.pruned"
    assert entry.changes["anchor"] == [None, str(AuditHead.objects.get().anchor)]
    assert entry.changes["older_than"] == [None, MIDNIGHT.isoformat()]
    assert retention.prune(NOW) == 0


def test_many_go_in_steps(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    retention.prune(NOW)
    steps = AuditEntry.objects.filter(action="audit.pruned").count()
    assert steps > 1
    assert verifying.verify().found is None


def test_with_no_limit_nothing_goes(first: int, settings: Settings) -> None:
    settings.AUDIT_RETENTION_DAYS = 0
    before = kept()
    assert retention.prune(NOW + timedelta(days=10_000)) == 0
    assert kept() == before


def test_what_is_young_stays_whatever_the_setting_says(first: int, settings: Settings) -> None:
    settings.AUDIT_RETENTION_DAYS = 1
    record("cluster.edited", Thing("cluster", "young"))
    with pytest.raises(DatabaseError, match="up to an old entry"), transaction.atomic():
        retention.prune(datetime.now(UTC) + timedelta(days=3))
    assert "young" in kept()


def test_what_was_pruned_and_is_there_again_is_found(first: int) -> None:
    anchor = AuditEntry.objects.get(number=first + 1)
    AuditHead.objects.update(anchor_number=anchor.number, anchor_digest=anchor.digest)
    found = verifying.verify().found
    assert found is not None
    assert "no place in the chain" in found.reason


@pytest.mark.parametrize(("days", "ids"), [(29, ["slipway.E020"]), (30, []), (0, []), (-1, ["slipway.E020"])])
def test_a_retention_that_is_too_short_is_reported(settings: Settings, days: int, ids: list[str]) -> None:
    settings.AUDIT_RETENTION_DAYS = days
    assert [each.id for each in run_checks() if each.id == "slipway.E020"] == ids


def test_the_worker_does_both(first: int) -> None:
    with time_machine.travel(NOW, tick=False):
        prune_audit()
        verify_audit()
        head = AuditHead.objects.get()
        assert head.anchor_number > 0
        assert (head.finding, head.verified_at) == ("", NOW)
    assert AuditEntry.objects.order_by("-number")[0].actor == "daily pruning"
