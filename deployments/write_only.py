"""Form controls beside secrets: what was typed as a secret is never rendered back."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from django import forms
from django.db import models
from django.utils import timezone

LONGEST_KEY = 4096
NOT_KEPT = "It was not kept while other settings need a change. Give it again."

#: For the help text of keys that deployments use.
READ_AT_START = (
    "Running pods read another one at their next start. "
    "The first one, or removing it, restarts replicas that use it."
)

_KEY = re.compile(r"[\x21-\x7e]+", re.ASCII)


class KeyChange(StrEnum):
    """What saving did to a stored key, in order of its consequences; the value is what is said of its deployments."""

    NONE = ""
    REPLACED = " Its deployments get it now; running pods read it at their next start."
    CAME_OR_WENT = " Its deployments follow now: replicas that use the key or token restart."


class _PlainText(forms.Textarea):
    """A text area that leaves spelling, capitals and memory to the person."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        plain = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        super().__init__({**plain, **(attrs or {})})


class WriteOnlyText(_PlainText):
    """For a secret: always rendered empty."""

    def format_value(self, value: Any) -> str:
        return ""


class PublicText(_PlainText):
    """For a certificate: shown again, unless its private key was pasted with it."""

    def format_value(self, value: Any) -> str:
        text = super().format_value(value) or ""
        return "" if "PRIVATE KEY" in text else text


class KeyField(forms.CharField):
    """A key or token of one line, never rendered back. Empty keeps what is stored."""

    def __init__(self, *, label: str, help_text: str) -> None:
        super().__init__(
            label=label,
            help_text=help_text,
            required=False,
            max_length=LONGEST_KEY,
            strip=True,
            widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        )

    def clean(self, value: Any) -> str:
        typed: str = super().clean(value)
        if typed and not _KEY.fullmatch(typed):
            raise forms.ValidationError(
                "A key is one word of letters, digits and signs. Copy it again, without anything around it."
            )
        return typed


def removal(label: str) -> forms.BooleanField:
    """The box that removes a stored key. A new key wins over it."""
    return forms.BooleanField(label=label, required=False)


def say_lost(form: forms.BaseForm, *names: str) -> None:
    """Says beside typed keys that they were not kept, when something else in the form needs a change."""
    for name in names:
        if form.errors and name not in form.errors and form.cleaned_data.get(name):
            form.add_error(name, NOT_KEPT)


def store_key(record: models.Model, column: str, typed: str, *, remove: bool) -> KeyChange:
    """Sets or removes the secret of a column, and beside it the time. A false value when what is stored stays.

    The time is kept in the column of the same name with "_set_at" behind it.
    """
    had = bool(getattr(record, column))
    if typed:
        setattr(record, column, typed)
        setattr(record, f"{column}_set_at", timezone.now())
        # Pods name a secret only where there is one: the first key changes what they are made from.
        return KeyChange.REPLACED if had else KeyChange.CAME_OR_WENT
    if remove:
        setattr(record, column, "")
        setattr(record, f"{column}_set_at", None)
    return KeyChange.CAME_OR_WENT if remove and had else KeyChange.NONE
