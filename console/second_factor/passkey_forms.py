"""The forms of passkeys, with bounds on what a browser may send: those of allauth read JSON of any depth."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.mfa.webauthn import forms as allauth_forms
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django import forms
from django.core.exceptions import ValidationError

LONGEST, DEEPEST = 64 * 1024, 100
"""Of a credential: characters, and brackets that open. Real ones have about 2,000 and five."""
LONGEST_NAME = 100


class CredentialField(forms.JSONField):
    """What an authenticator answered, as the browser's script wrote it."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        if _is_beyond(value):
            raise _wrong()
        return super().to_python(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """For the form when it is shown again, which would read it once more."""
        return None if _is_beyond(data) else super().bound_data(data, initial)


def _is_beyond(value: Any) -> bool:
    return isinstance(value, str) and (
        len(value) > LONGEST or value.count("[") + value.count("{") > DEEPEST or "\0" in value
    )


#: What the libraries raise over bytes and shapes that no authenticator sends.
_STUMBLES = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    struct.error,
)


class _Checked:
    """A form that finds a wrong answer where the libraries below it stumble over one."""

    def clean_credential(self) -> Any:
        with _told_as_wrong():
            return super().clean_credential()  # type: ignore[misc]


@contextmanager
def _told_as_wrong() -> Iterator[None]:
    try:
        yield
    except (*_STUMBLES, InvalidSignature, UnsupportedAlgorithm):
        raise _wrong() from None


def _wrong() -> ValidationError:
    return ValidationError("This is no answer of a passkey.", code="invalid")


class AddPasskeyForm(allauth_forms.AddWebAuthnForm):  # type: ignore[misc]  # allauth has no types
    name = forms.CharField(required=False, max_length=LONGEST_NAME)
    credential = CredentialField()

    def clean(self) -> Any:
        if "name" in self.errors:  # the ceremony is not completed for what is asked again
            return self.cleaned_data
        with _told_as_wrong():
            return super().clean()


class AuthenticatePasskeyForm(_Checked, allauth_forms.AuthenticateWebAuthnForm):  # type: ignore[misc]
    credential = CredentialField()


class LoginPasskeyForm(_Checked, allauth_forms.LoginWebAuthnForm):  # type: ignore[misc]
    credential = CredentialField()


class ReauthenticatePasskeyForm(_Checked, allauth_forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    credential = CredentialField()
