"""The one door that makes, rotates and revokes API keys. A key's text leaves it once and is kept nowhere."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from console.audit import record
from console.models import Membership, Organization, User
from deployments.models import Deployment
from deployments.tenancy import open_to
from metering import keys
from metering.models import ApiKey

MOST_LIVE = 200
"""Of one person in one organisation."""
LONGEST_NAME, LONGEST_DESCRIPTION = 100, 500
LONGEST_LIFE = timedelta(days=2 * 365)


class Refused(Exception):
    """It cannot be done; the sentence is for people. `field`: of the form, where it belongs to one."""

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class MadeAlready(Exception):
    """The same form was sent before; its key exists and cannot be shown again."""

    def __init__(self, key: ApiKey) -> None:
        super().__init__(f"The key {key.name} was made already.")
        self.key = key


def issue(
    *,
    user: User,
    organization: Organization,
    name: str,
    by: User | None,
    description: str = "",
    expires_at: datetime | None = None,
    deployments: Sequence[Deployment] | None = None,
    nonce: uuid.UUID | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text. `deployments` None: for all that is shared. Raises Refused, MadeAlready."""
    now = timezone.now()
    with transaction.atomic():
        # One at a time for each person, so that the count holds and a form that is sent twice meets itself.
        User.objects.select_for_update().get(pk=user.pk)
        if nonce is not None and (made := ApiKey.objects.filter(nonce=nonce).first()):
            raise MadeAlready(made)
        check_person(user, organization)
        name, description = name.strip(), description.strip()
        if not 0 < len(name) <= LONGEST_NAME:
            raise Refused(f"A key has a name of at most {LONGEST_NAME} characters.", "name")
        if len(description) > LONGEST_DESCRIPTION:
            raise Refused(f"A description has at most {LONGEST_DESCRIPTION} characters.", "description")
        own = ApiKey.objects.live(now).filter(user=user, organization=organization, kind=ApiKey.Kind.PROGRAM)
        if own.count() >= MOST_LIVE:
            raise Refused(f"{user} has {MOST_LIVE} keys in {organization}. Revoke one that is not used.")
        if expires_at is not None and not now < expires_at <= now + LONGEST_LIFE:
            raise Refused("A key ends in the future, and within two years.", "expires")
        if deployments is not None and not deployments:
            raise Refused("No model is chosen. Choose one or more, or all that are shared.", "deployments")
        issued = _make(
            ApiKey(
                user=user,
                organization=organization,
                name=name,
                description=description,
                expires_at=expires_at,
                created_by=by,
                nonce=nonce or uuid.uuid4(),
            ),
            _shared(organization, deployments) if deployments is not None else None,
        )
        record("api_key.issued", issued[0], after=_facts(issued[0]))
    return issued


def rotate(key: ApiKey, *, overlap: timedelta, by: User) -> tuple[ApiKey, str]:
    """A new key in the place of one that goes on to work for the overlap, at most until its own end. Raises Refused.

    The new one lives as long as the old one was made for, counted from now: people rotate because an end is near.
    """
    now = timezone.now()
    with transaction.atomic():
        locked = ApiKey.objects.select_for_update(of=("self",)).get(pk=key.pk)
        if locked.revoked_at or (locked.expires_at and locked.expires_at <= now):
            raise Refused(f"{locked.name} does not work any more. Make a new key instead.")
        if ApiKey.objects.filter(replaces=locked).exists():
            raise Refused(f"{locked.name} has been replaced already. Rotate the key that took its place.")
        check_person(locked.user, locked.organization)
        fresh = ApiKey(
            user=locked.user,
            organization=locked.organization,
            name=locked.name,
            description=locked.description,
            expires_at=now + life if (life := life_of(locked)) else None,
            created_by=by,
            replaces=locked,
        )
        made = _make(fresh, None if locked.all_deployments else list(locked.deployments.all()))
        end, before = now + overlap, locked.expires_at
        locked.expires_at = min(end, locked.expires_at) if locked.expires_at else end
        locked.save(update_fields=["expires_at"])
        record(
            "api_key.rotated",
            locked,
            before={"expires_at": before},
            after={"expires_at": locked.expires_at, "replaced_by": str(made[0])},
        )
    return made


def life_of(key: ApiKey) -> timedelta | None:
    """For how long it was made, and what a key in its place gets. None: it never ends."""
    if key.expires_at is None:
        return None
    # In whole minutes: between the choice of an end and the making of the key a moment passed.
    return timedelta(minutes=round((key.expires_at - key.created_at) / timedelta(minutes=1)))


def revoke(key: ApiKey, *, by: User) -> None:
    """Ends a key at once, for good. Doing it twice changes nothing."""
    with transaction.atomic():
        found = ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True)
        if found.update(revoked_at=timezone.now(), revoked_by=by):
            record("api_key.revoked", key)


def _facts(key: ApiKey) -> dict[str, object]:
    """What the audit says of a key: never its text."""
    return {
        "user": key.user.email,
        "expires_at": key.expires_at,
        "deployments": None
        if key.all_deployments
        else sorted(key.deployments.values_list("name", flat=True)),
    }


def check_person(user: User, organization: Organization) -> None:
    """A key of somebody whom no gateway lets in would look like one that works."""
    if not user.is_active:
        raise Refused(f"{user} cannot sign in any more, and a key of theirs would not work.")
    if not Membership.objects.filter(user=user, organization=organization).exists():
        raise Refused(f"{user} does not belong to {organization}.")
    if Organization.objects.filter(pk=organization.pk, suspended_at__isnull=False).exists():
        raise Refused(f"{organization} is suspended, and a key of it would not work.")


def _make(key: ApiKey, deployments: Sequence[Deployment] | None) -> tuple[ApiKey, str]:
    text = keys.mint()
    key.prefix, key.digest = keys.prefix_of(text), keys.digest(text)
    key.all_deployments = deployments is None
    key.save()
    if deployments is not None:
        key.deployments.set(deployments)
    return key, text


def _shared(organization: Organization, deployments: Sequence[Deployment]) -> list[Deployment]:
    wanted = {deployment.pk for deployment in deployments}
    found = list(open_to(organization).filter(pk__in=wanted))
    if len(found) != len(wanted):
        raise Refused(f"A model that was chosen is not shared with {organization}.", "deployments")
    return found
