"""Who belongs to an organisation, and as what. An organisation that has owners always keeps one."""

from __future__ import annotations

from django.db import transaction

from console.audit import record
from console.models import Membership, Organization, User
from console.sessions import end_all

Role = Membership.Role


class LastOwner(Exception):
    """Nobody else owns the organisation."""


def add(organization: Organization, user: User, role: str) -> Membership:
    """A person who belongs to it already stays what they are."""
    with transaction.atomic():
        membership, is_new = Membership.objects.get_or_create(
            organization=organization, user=user, defaults={"role": role}
        )
        if is_new:
            record("member.added", organization, after={"person": user.email, "role": role})
    return membership


def change_role(membership: Membership, role: str) -> bool:
    """Signs the person out everywhere, so that no open page outlives it. Raises LastOwner. False: nothing changed."""
    with transaction.atomic():
        found = _locked(membership)
        if found is None or found.role == role:
            return False
        if role != Role.OWNER:
            _keep_an_owner(found)
        before, found.role = found.role, role
        found.save(update_fields=["role"])
        end_all(found.user)
        record(
            "member.role_changed",
            found.organization,
            before={"person": None, "role": before},
            after={"person": found.user.email, "role": role},
        )
    return True


def remove(membership: Membership) -> bool:
    """Their keys for it stop within a second. Raises LastOwner. False: they had gone already."""
    with transaction.atomic():
        found = _locked(membership)
        if found is None:
            return False
        _keep_an_owner(found)
        user, organization, role = found.user, found.organization, found.role
        found.delete()
        end_all(user)
        record("member.removed", organization, before={"person": user.email, "role": role})
    return True


def _locked(membership: Membership) -> Membership | None:
    """As it is now, with its organisation held: two owners who lower each other come one after the other."""
    Organization.objects.select_for_update().get(pk=membership.organization_id)
    return Membership.objects.select_related("user", "organization").filter(pk=membership.pk).first()


def _keep_an_owner(membership: Membership) -> None:
    if membership.role != Role.OWNER:
        return
    others = Membership.objects.filter(
        organization=membership.organization_id, role=Role.OWNER, user__is_active=True
    ).exclude(pk=membership.pk)
    if not others.exists():
        raise LastOwner
