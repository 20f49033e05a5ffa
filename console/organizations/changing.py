"""The one door that makes, renames, suspends and resumes organisations. Each change is recorded with it."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from console.audit import record
from console.models import Organization, User

LONGEST_REASON = 300


class Taken(Exception):
    """Another organisation has this short name."""


def create(slug: str, name: str) -> Organization:
    """Raises Taken."""
    try:
        with transaction.atomic():
            made = Organization.objects.create(slug=slug, name=name)
            record("organization.created", made, after={"slug": slug, "name": name})
    except IntegrityError:
        raise Taken(slug) from None
    return made


def rename(organization: Organization, name: str) -> None:
    """The short name stays for good: documents, addresses and invoices say it."""
    with transaction.atomic():
        locked = Organization.objects.select_for_update().get(pk=organization.pk)
        before, locked.name = locked.name, name
        locked.save(update_fields=["name"])
        record("organization.edited", locked, before={"name": before}, after={"name": name})


def suspend(organization: Organization, *, reason: str, by: User) -> bool:
    """No gateway takes its keys any more, within a second. False: it was suspended already."""
    with transaction.atomic():
        locked = Organization.objects.select_for_update().get(pk=organization.pk)
        if locked.suspended_at is not None:
            return False
        locked.suspended_at, locked.suspended_by = timezone.now(), by
        locked.suspension_reason = reason[:LONGEST_REASON]
        locked.save(update_fields=["suspended_at", "suspended_by", "suspension_reason"])
        record("organization.suspended", locked, after={"reason": reason})
    return True


def resume(organization: Organization) -> bool:
    """Its keys work again, within a second. False: it was not suspended."""
    with transaction.atomic():
        locked = Organization.objects.select_for_update().get(pk=organization.pk)
        if locked.suspended_at is None:
            return False
        locked.suspended_at = locked.suspended_by = None
        locked.suspension_reason = ""
        locked.save(update_fields=["suspended_at", "suspended_by", "suspension_reason"])
        record("organization.resumed", locked)
    return True
