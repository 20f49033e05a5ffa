"""Inviting somebody to the platform: an account without a password, and a message with a link that sets one.

The link carries a keyed hash of what the account is now, so nothing of it is stored. It counts once, as setting a
password changes the account, and for three days (PASSWORD_RESET_TIMEOUT); a newer one makes it void.
"""

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.utils.encoding import force_bytes, force_str
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from console.access import Role
from console.audit import record
from console.models import User
from console.people import roles
from console.sessions import end_all


class AlreadyKnown(Exception):
    """Somebody with this e-mail address has an account."""


class _Tokens(PasswordResetTokenGenerator):
    key_salt = "console.people.invitations"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{user.pk}{user.password}{user.session_epoch}{user.is_active}{user.last_login}{timestamp}"


_tokens = _Tokens()


def invite(email: str, name: str, role: Role | None) -> User:
    """A person of the platform who has not come in yet. Raises AlreadyKnown. The message is sent by `send`."""
    try:
        with transaction.atomic():
            user = User.objects.create(email=email.lower(), name=name, password=make_password(None))
            roles.give(user, [role] if role else [])
            record("person.invited", user, after={"name": name, **roles.said(user)})
    except IntegrityError:
        raise AlreadyKnown from None
    return user


def is_open(user: User) -> bool:
    """Whether the person was invited and has not come in yet."""
    return user.is_active and user.last_login is None and not user.has_usable_password()


@transaction.atomic
def renew(user: User) -> None:
    """Makes every earlier link void."""
    user.set_unusable_password()
    user.save(update_fields=["password"])
    end_all(user)
    record("person.invited_again", user)


def token_of(user: User) -> tuple[str, str]:
    """What stands in the link: who it is, and the proof."""
    return urlsafe_base64_encode(force_bytes(user.pk)), _tokens.make_token(user)


def find(who: str, proof: str) -> User | None:
    """The person a link belongs to, as long as it counts."""
    try:
        number = int(force_str(urlsafe_base64_decode(who)))
    except (ValueError, UnicodeDecodeError):
        return None
    user = User.objects.filter(pk=number).first() if 0 < number < 2**63 else None
    return user if user and is_open(user) and _tokens.check_token(user, proof) else None


def send(user: User, link: str, by: User) -> None:
    """The message with the link. Raises OSError when the mail server does not take it."""
    context = {"user": user, "link": link, "by": by, "days": settings.PASSWORD_RESET_TIMEOUT // 86400}
    send_mail(
        "You are invited to Slipway",
        render_to_string("people/invitation.txt", context),
        settings.DEFAULT_FROM_EMAIL,
        [user.email],
    )
