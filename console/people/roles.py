"""Platform roles of people: which they hold, giving them, and that somebody always holds the widest one."""

from collections.abc import Iterable

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import Q

from console.access import Role
from console.audit import record
from console.models import User
from console.sessions import end_all


class LastAdministrator(Exception):
    """Without this person nobody could administer the platform any more."""


def held(user: User) -> frozenset[Role]:
    names = set(user.groups.values_list("name", flat=True))
    return frozenset(role for role in Role if role in names)


def said(user: User) -> dict[str, object]:
    """The roles, as the audit keeps them."""
    return {"roles": ", ".join(sorted(held(user)))}


def give(user: User, roles: Iterable[Role]) -> bool:
    """Makes these the person's platform roles, and says whether that changed anything. Ends no session."""
    before, after = held(user), frozenset(roles)
    if before == after:
        return False
    user.groups.remove(*Group.objects.filter(name__in=before - after))
    user.groups.add(*Group.objects.filter(name__in=after - before))
    return True


@transaction.atomic
def change(user: User, role: Role | None) -> bool:
    """Gives one role, or none, and signs the person out everywhere. Raises LastAdministrator."""
    if role is not Role.ADMINISTRATOR:
        keep_an_administrator(user)
    before = said(user)
    if not give(user, [role] if role else []):
        return False
    end_all(user)
    record("person.role_changed", user, before=before, after=said(user))
    return True


@transaction.atomic
def deactivate(user: User) -> None:
    """Nobody signs in as this person, and their API keys stop. Raises LastAdministrator."""
    keep_an_administrator(user)
    user.is_active = False
    user.save(update_fields=["is_active"])
    end_all(user)
    record("person.switched_off", user)


@transaction.atomic
def reactivate(user: User) -> None:
    user.is_active = True
    user.save(update_fields=["is_active"])
    record("person.switched_on", user)


@transaction.atomic
def reset_second_factor(user: User) -> None:
    """For somebody who lost theirs: app, passkeys and recovery codes go, and every session ends."""
    before = sorted(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    Authenticator.objects.filter(user=user).delete()
    end_all(user)
    record("person.second_factor_reset", user, before={"factors": ", ".join(before)}, after={"factors": ""})


@transaction.atomic
def sign_out(user: User, keep: SessionBase | None = None) -> None:
    end_all(user, keep)
    record("person.signed_out_everywhere", user)


def keep_an_administrator(user: User) -> None:
    """Raises LastAdministrator when nobody but this person administers the platform.

    Held until the transaction ends, so that two administrators cannot lower each other in the same moment.
    """
    group, _ = Group.objects.select_for_update().get_or_create(name=Role.ADMINISTRATOR.value)
    administrators = User.objects.filter(Q(groups=group) | Q(is_superuser=True), is_active=True)
    if not administrators.filter(pk=user.pk).exists():
        return
    if not administrators.exclude(pk=user.pk).exists():
        raise LastAdministrator
