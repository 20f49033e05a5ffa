"""Inviting people to an organisation by e-mail, and their coming in.

Whether somebody has an account already is not told to who invites: the same message goes out, and the link decides.
It counts once and for a week; a new message makes earlier links void.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.utils import timezone

from console.audit import record
from console.models import Membership, Organization, User
from console.organizations import members
from console.organizations.invitation import Invitation

LIFE = timedelta(days=7)
MOST_OPEN = 100
"""Of one organisation."""
MOST_A_DAY = 50
"""Messages of one organisation, so that nobody floods the world's inboxes through it."""


class Refused(Exception):
    """It cannot be done; the sentence is for people."""


def invite(organization: Organization, email: str, role: str, by: User) -> tuple[Invitation, str]:
    """An open invitation and what stands in its link. Raises Refused."""
    email = email.strip().lower()
    now = timezone.now()
    with transaction.atomic():
        locked = Organization.objects.select_for_update().get(pk=organization.pk)
        if Membership.objects.filter(organization=locked, user__email=email).exists():
            raise Refused(f"{email} belongs to {locked} already.")
        _end_old(locked, email)
        open_ = Invitation.objects.filter(
            organization=locked, accepted_at__isnull=True, revoked_at__isnull=True, expires_at__gt=now
        )
        if open_.count() >= MOST_OPEN:
            raise Refused(f"{locked} has {MOST_OPEN} open invitations. Take one back that nobody follows.")
        _hold_rate(locked)
        token = secrets.token_urlsafe(32)
        try:
            with transaction.atomic():
                made = Invitation.objects.create(
                    organization=locked,
                    email=email,
                    role=role,
                    digest=_digest(token),
                    created_by=by,
                    expires_at=now + LIFE,
                )
        except IntegrityError:
            raise Refused(f"{email} has an open invitation already. Send it again instead.") from None
        record("invitation.made", locked, after={"email": email, "role": role})
    return made, token


def renew(invitation: Invitation) -> str:
    """A new link and a new week; the earlier links are void. Raises Refused."""
    with transaction.atomic():
        locked = Invitation.objects.select_for_update(of=("self",)).get(pk=invitation.pk)
        if not is_open(locked, whatever_its_age=True):
            raise Refused(f"The invitation of {locked.email} is over.")
        _hold_rate(locked.organization)
        token = secrets.token_urlsafe(32)
        locked.digest, locked.expires_at = _digest(token), timezone.now() + LIFE
        locked.save(update_fields=["digest", "expires_at"])
        record("invitation.renewed", locked.organization, after={"email": locked.email})
    return token


def revoke(invitation: Invitation) -> None:
    with transaction.atomic():
        found = Invitation.objects.filter(pk=invitation.pk, accepted_at__isnull=True, revoked_at__isnull=True)
        if found.update(revoked_at=timezone.now()):
            record("invitation.revoked", invitation.organization, before={"email": invitation.email})


def find(token: str) -> Invitation | None:
    """The open invitation that a link belongs to, of an organisation that is not suspended."""
    found = Invitation.objects.select_related("organization").filter(digest=_digest(token)).first()
    return found if found and is_open(found) and found.organization.suspended_at is None else None


def is_open(invitation: Invitation, *, whatever_its_age: bool = False) -> bool:
    is_young = whatever_its_age or invitation.expires_at > timezone.now()
    return is_young and invitation.accepted_at is None and invitation.revoked_at is None


def accept(invitation: Invitation, user: User) -> bool:
    """Makes the person a member. False: somebody used the link in the same moment, or it is over."""
    with transaction.atomic():
        locked = Invitation.objects.select_for_update(of=("self",)).get(pk=invitation.pk)
        if not is_open(locked) or locked.email != user.email:
            return False
        locked.accepted_at = timezone.now()
        locked.save(update_fields=["accepted_at"])
        members.add(locked.organization, user, locked.role)
    return True


def send(invitation: Invitation, link: str, by: User) -> bool:
    """The message with the link; False when the mail server does not take it."""
    context = {"organization": invitation.organization, "link": link, "by": by, "days": LIFE.days}
    try:
        send_mail(
            " ".join(f"You are invited to {invitation.organization} on Slipway".split()),
            render_to_string("organizations/invitation.txt", context),
            settings.DEFAULT_FROM_EMAIL,
            [invitation.email],
        )
    except OSError:
        return False
    Invitation.objects.filter(pk=invitation.pk).update(sent_at=timezone.now())
    return True


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _end_old(organization: Organization, email: str) -> None:
    """One that ran out makes room for a new one."""
    Invitation.objects.filter(
        organization=organization,
        email=email,
        accepted_at__isnull=True,
        revoked_at__isnull=True,
        expires_at__lte=timezone.now(),
    ).update(revoked_at=timezone.now())


def _hold_rate(organization: Organization) -> None:
    since = timezone.now() - timedelta(days=1)
    sent = Invitation.objects.filter(organization=organization, sent_at__gt=since).count()
    made = Invitation.objects.filter(organization=organization, created_at__gt=since).count()
    if max(sent, made) >= MOST_A_DAY:
        raise Refused(f"{organization} has sent {MOST_A_DAY} invitations within a day. Try again tomorrow.")
