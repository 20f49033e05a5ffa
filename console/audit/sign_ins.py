"""Sign-ins, sign-outs, failed ones and passwords. They are Django's and allauth's flow, so their signals say it."""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account
from django.contrib.auth import signals as auth
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from console.audit.context import NOBODY, acting_as, person
from console.audit.recording import Thing, record, refuse

NO_ADDRESS = "(not an e-mail address)"
"""What stands for anything else that was typed as one: it may be the password."""


def connect() -> None:
    """Called once, when the apps are ready."""
    auth.user_logged_in.connect(_signed_in, dispatch_uid="audit")
    auth.user_logged_out.connect(_signed_out, dispatch_uid="audit")
    auth.user_login_failed.connect(_failed, dispatch_uid="audit")
    account.password_changed.connect(_password_changed, dispatch_uid="audit")
    account.password_set.connect(_password_changed, dispatch_uid="audit")
    account.password_reset.connect(_password_reset, dispatch_uid="audit")


def _signed_in(user: Any, **_: Any) -> None:
    _note("person.signed_in", user)


def _signed_out(user: Any, **_: Any) -> None:
    if user is not None and user.is_authenticated:
        _note("person.signed_out", user)


def _failed(credentials: dict[str, Any], **_: Any) -> None:
    typed = str(credentials.get("email") or credentials.get("username") or "").strip().lower()
    try:
        validate_email(typed)
    except ValidationError:
        typed = NO_ADDRESS
    refuse("sign_in.failed", Thing("person", typed[:254]), actor=NOBODY)


def _password_changed(user: Any, **_: Any) -> None:
    _note("person.password_changed", user)


def _password_reset(user: Any, **_: Any) -> None:
    _note("person.password_reset", user)


def _note(action: str, user: Any) -> None:
    with acting_as(person(user)):
        record(action, user)
