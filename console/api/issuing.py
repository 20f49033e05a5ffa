"""The one door that makes and revokes access keys. A key's text leaves it once and is kept nowhere.

A service is an account that nobody signs in to: it has a role, and keys, and its name stands in the audit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils import timezone

from console.access import Permission, Role, can
from console.access_key import AccessKey
from console.api.authentication import WORD
from console.audit import record
from console.models import User
from console.people import roles
from metering import keys

LONGEST_NAME, LONGEST_LIFE, USUAL_LIFE = 100, timedelta(days=365), timedelta(days=90)
MOST_LIVE = 50
"""Of one owner."""
SERVICES = "services.slipway.invalid"
"""Where the addresses of services are: no mail gets there (RFC 6761), so none can be signed in to by it."""
_SERVICE = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


class Refused(Exception):
    """It cannot be done; the sentence is for people. `field`: of the form, where it belongs to one."""

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


def issue(
    *, owner: User, name: str, scopes: Iterable[Permission], life: timedelta, by: User
) -> tuple[AccessKey, str]:
    """A new key and its text. Nobody gives a scope that the owner, or they themselves, lack. Raises Refused."""
    wanted, now = sorted(set(scopes)), timezone.now()
    name = name.strip()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=owner.pk)
        if not 0 < len(name) <= LONGEST_NAME:
            raise Refused(f"A key has a name of at most {LONGEST_NAME} characters.", "name")
        if not timedelta(0) < life <= LONGEST_LIFE:
            raise Refused(f"A key ends within {LONGEST_LIFE.days} days.", "days")
        if AccessKey.objects.live(now).filter(user=owner).count() >= MOST_LIVE:
            raise Refused(f"{owner} has {MOST_LIVE} access keys. Revoke one that is not used.")
        for permission in wanted:
            if not (can(owner, permission) and can(by, permission)):
                raise Refused(f"The right “{permission.value}” is not {owner}’s to use.", "scopes")
        text = keys.mint(WORD)
        key = AccessKey.objects.create(
            user=owner,
            name=name,
            prefix=keys.prefix_of(text, WORD),
            digest=keys.digest(text),
            scopes=[permission.value for permission in wanted],
            created_by=by,
            expires_at=now + life,
        )
        record(
            "access_key.issued",
            key,
            after={"owner": owner.email, "scopes": key.scopes, "expires_at": key.expires_at},
        )
    return key, text


def revoke(key: AccessKey) -> None:
    """Ends a key at once, for good. Doing it twice changes nothing."""
    with transaction.atomic():
        found = AccessKey.objects.filter(pk=key.pk, revoked_at__isnull=True)
        if found.update(revoked_at=timezone.now()):
            record("access_key.revoked", key)


def service(name: str, role: Role) -> User:
    """The account of a service, made when it is not there; with this role from now on. Raises Refused."""
    if not _SERVICE.fullmatch(name):
        raise Refused("A service has small letters, digits and hyphens, at most 40.", "service")
    email = f"{name}@{SERVICES}"
    try:
        with transaction.atomic():
            made, is_new = User.objects.get_or_create(
                email=email, defaults={"name": f"Service {name}", "password": make_password(None)}
            )
            if is_new:
                roles.give(made, [role])
                record("service.created", made, after={"role": role.value})
            else:
                roles.change(made, role)
    except IntegrityError:
        raise Refused("Somebody made this service in the same moment. Try again.", "service") from None
    return User.objects.get(pk=made.pk)


def is_service(user: User) -> bool:
    return user.email.endswith(f"@{SERVICES}")
