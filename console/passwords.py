"""What a password may not be. Length is what makes one strong; there are no rules about kinds of characters.

The other rules are Django's: at least 12 characters, not common, not like the person's name or address.
"""

from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError

from console.models import User

if TYPE_CHECKING:
    from pwned_passwords_django.api import PwnedPasswords

MOST = 256
"""Characters. Far more than anybody types, and few enough to be hashed in no time."""
_WORDS = ("slipway", "password", "kubernetes")
_ENOUGH_BESIDE = 8
"""Characters that a password needs beside such a word."""


class NoWordOfOurs:
    """Refuses passwords that are little more than the name of this product, or of the place it runs at."""

    def validate(self, password: str, user: User | None = None) -> None:
        rest = password.lower()
        for word in self._words():
            rest = rest.replace(word, "")
        if len(rest) < min(_ENOUGH_BESIDE, len(password)) and rest != password.lower():
            raise ValidationError(
                "The password is little more than a word that everybody here would try first.",
                code="password_of_context",
            )

    def get_help_text(self) -> str:
        return "Your password can't be built around the name of this product or of its host."

    def _words(self) -> list[str]:
        """The longest first, so that no part of one is left over."""
        hosts = {part for host in settings.ALLOWED_HOSTS for part in host.lower().split(".") if len(part) > 4}
        named = {settings.ENVIRONMENT_NAME.lower()} if len(settings.ENVIRONMENT_NAME) > 4 else set()
        return sorted({*_WORDS, *hosts, *named}, key=len, reverse=True)


class NotEndless:
    """Refuses what is too long to be hashed at each sign-in."""

    def validate(self, password: str, user: User | None = None) -> None:
        if len(password) > MOST:
            raise ValidationError(f"The password has more than {MOST} characters.", code="password_too_long")

    def get_help_text(self) -> str:
        return f"Your password can have up to {MOST} characters."


class NotBreached:
    """Refuses passwords that are known from a breach, where CHECK_BREACHED_PASSWORDS allows asking.

    Five of the 40 digits of a SHA-1 are sent (k-anonymity), so nobody over there learns the password. Without an
    answer one is taken that no other rule refuses: people must be able to change theirs.
    """

    def validate(self, password: str, user: User | None = None) -> None:
        from pwned_passwords_django.exceptions import PwnedPasswordsError

        try:
            is_known = service().check_password(password) > 0
        except PwnedPasswordsError:
            return  # the library has logged why
        if is_known:
            raise ValidationError(
                "The password is known from a breach of another service. Choose one that you use nowhere else.",
                code="password_breached",
            )

    def get_help_text(self) -> str:
        return "Your password can't be one that is known from a breach."


def service() -> "PwnedPasswords":
    """Whom to ask. Only imported where it is asked: the library opens its clients when it is imported."""
    from pwned_passwords_django.api import default_client

    return default_client
