"""Short names of models, clusters and endpoints, in forms: they fit into addresses and Kubernetes names."""

from __future__ import annotations

from typing import Any

from django import forms

from deployments.document import rules

#: Parts of addresses that stand where a short name does.
RESERVED = frozenset({"new"})


class ShortNameField(forms.CharField):
    """A DNS label of at most 48 characters."""

    def __init__(self, *, label: str = "Short name", **options: Any) -> None:
        options.setdefault("widget", forms.TextInput(attrs={"autocapitalize": "off", "spellcheck": "false"}))
        super().__init__(label=label, max_length=200, **options)

    def clean(self, value: Any) -> str:
        typed = super().clean(value)
        try:
            name = rules.deployment_name(typed)
        except rules.Refused as error:
            raise forms.ValidationError(str(error)) from None
        if name in RESERVED:
            raise forms.ValidationError(f"“{name}” is part of an address of this console. Use another one.")
        return name
