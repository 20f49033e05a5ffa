"""Secrets at rest: encrypted in their column, opened only where they are used.

A column gives back a `Sealed` value. Printing, logging or rendering one shows nothing; `.reveal()` is the one
way to the text, so every use of a secret can be found by its name. Keys come from FIELD_ENCRYPTION_KEYS (newest
first): the first one encrypts, all of them decrypt, so a key rotates by putting a new one in front.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


class UnreadableSecret(RuntimeError):
    """No key opens this secret: it was written with a key that is no longer in FIELD_ENCRYPTION_KEYS."""


class Sealed:
    """An encrypted text. False when empty."""

    __slots__ = ("_ciphertext",)

    def __init__(self, ciphertext: str) -> None:
        self._ciphertext = ciphertext

    @classmethod
    def of(cls, text: str) -> Sealed:
        """Seals a text; an empty one stays empty."""
        return cls(_keys().encrypt(text.encode()).decode() if text else "")

    def reveal(self) -> str:
        """The text. Raises UnreadableSecret."""
        if not self._ciphertext:
            return ""
        try:
            return _keys().decrypt(self._ciphertext.encode()).decode()
        except InvalidToken:
            raise UnreadableSecret("A stored secret cannot be opened with FIELD_ENCRYPTION_KEYS.") from None

    def renewed(self) -> Sealed:
        """The same text under the newest key; itself when it already is, or when no key opens it."""
        newest = Fernet(settings.FIELD_ENCRYPTION_KEYS[0]) if settings.FIELD_ENCRYPTION_KEYS else None
        if not self._ciphertext or newest is None:
            return self
        try:
            newest.decrypt(self._ciphertext.encode())
        except InvalidToken:
            try:
                return Sealed(_keys().rotate(self._ciphertext.encode()).decode())
            except InvalidToken:
                return self
        return self

    @property
    def ciphertext(self) -> str:
        return self._ciphertext

    def __bool__(self) -> bool:
        return bool(self._ciphertext)

    def __str__(self) -> str:
        return "••••••••" if self else ""

    __repr__ = __str__


if TYPE_CHECKING:
    _TextField = models.TextField[Sealed | str, Sealed]
else:
    _TextField = models.TextField


class EncryptedTextField(_TextField):
    """A text column whose Python value is Sealed. Assign a str to set a new secret, "" to remove it."""

    def from_db_value(self, value: str | None, *_: Any) -> Sealed:
        return Sealed(value or "")

    def to_python(self, value: Any) -> Sealed:
        return value if isinstance(value, Sealed) else Sealed.of(value or "")

    def get_prep_value(self, value: Any) -> str:
        return self.to_python(value).ciphertext

    def pre_save(self, instance: models.Model, add: bool) -> Any:
        value = self.to_python(getattr(instance, self.attname)).renewed()
        setattr(instance, self.attname, value)
        return value

    def value_to_string(self, obj: models.Model) -> str:
        return ""


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS is empty: secrets cannot be stored.")
    return MultiFernet([Fernet(key) for key in keys])


def _keys() -> MultiFernet:
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS))
