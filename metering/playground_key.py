"""The key with which the portal's playground calls models: of one person in one organisation, and never shown.

It is a key like any other, so that limits, prices, the ledger and whoever leaves an organisation need no exception. Its
secret lives for an hour and is then made anew in the same row: a person's limits by key and their usage go on.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from console.encryption import Sealed
from console.models import Organization, User
from metering import keys
from metering.issuing import Refused, check_person
from metering.models import ApiKey

NAME = "Playground"
LIFE = timedelta(hours=1)
#: A secret that is about to end is made anew, so that none ends between here and the gateway.
_LEFT_AT_LEAST = timedelta(minutes=5)


def secret_of(user: User, organization: Organization) -> Sealed:
    """A secret that gateways take, or will within a second. Raises Refused for people whom they do not let in."""
    now = timezone.now()
    with transaction.atomic():
        # One at a time for each person: two first questions at once make one key.
        User.objects.select_for_update().get(pk=user.pk)
        check_person(user, organization)
        mine = ApiKey.objects.filter(user=user, organization=organization, kind=ApiKey.Kind.PLAYGROUND)
        key = mine.first() or ApiKey(
            user=user, organization=organization, kind=ApiKey.Kind.PLAYGROUND, name=NAME, created_by=user
        )
        if key.revoked_at is not None:
            raise Refused("The playground was closed for you. Ask the people who run the platform.")
        if key.expires_at is None or key.expires_at <= now + _LEFT_AT_LEAST:
            text = keys.mint()
            key.prefix, key.digest, key.secret = keys.prefix_of(text), keys.digest(text), Sealed.of(text)
            key.expires_at = now + LIFE
            key.save()
        return key.secret
