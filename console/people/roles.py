"""Platform roles of people: which they hold, giving them, and that somebody always holds the widest one."""

from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q

from console.access import Role
from console.models import User
from console.sessions import end_all


class LastAdministrator(Exception):  # noqa: N818  (an answer, not an error)
    """Without this person nobody could administer the platform any more."""


def held(user: User) -> frozenset[Role]:
    names = set(user.groups.values_list("name", flat=True))
    return frozenset(role for role in Role if role in names)


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
    if not give(user, [role] if role else []):
        return False
    end_all(user)
    return True


@transaction.atomic
def deactivate(user: User) -> None:
    """Nobody signs in as this person, and their API keys stop. Raises LastAdministrator."""
    keep_an_administrator(user)
    user.is_active = False
    user.save(update_fields=["is_active"])
    end_all(user)


@transaction.atomic
def reactivate(user: User) -> None:
    user.is_active = True
    user.save(update_fields=["is_active"])


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
