"""Form controls for secrets: what was typed is never rendered back."""

from __future__ import annotations

from typing import Any

from django import forms


class WriteOnlyText(forms.Textarea):
    """A text area that is always rendered empty."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        plain = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        super().__init__({**plain, **(attrs or {})})

    def format_value(self, value: Any) -> str:
        return ""
