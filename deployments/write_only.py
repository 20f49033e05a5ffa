"""Form controls beside secrets: what was typed as a secret is never rendered back."""

from __future__ import annotations

from typing import Any

from django import forms


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
