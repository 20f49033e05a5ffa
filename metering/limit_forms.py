"""The form of an exception: one organisation, and for each scope whether it has limits of its own."""

from __future__ import annotations

from typing import Any

from django import forms

from console.models import Organization
from deployments.vocabulary import LimitScope
from metering.limit_changes import Amounts

MOST_ORGANIZATIONS = 900


class ExceptionForm(forms.Form):
    """Fields `<scope>_own`, `<scope>_requests`, `<scope>_tokens`."""

    use_required_attribute = False
    organization = forms.ModelChoiceField(
        queryset=Organization.objects.order_by("name"),
        to_field_name="slug",
        empty_label="Choose an organisation",
        label="Organisation",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for scope in LimitScope:
            self.fields[f"{scope}_own"] = forms.BooleanField(
                required=False, label=f"Own limits by {_lower(scope)}"
            )
            self.fields[f"{scope}_requests"] = forms.IntegerField(
                required=False, min_value=1, max_value=10**9, label="Requests per minute"
            )
            self.fields[f"{scope}_tokens"] = forms.IntegerField(
                required=False, min_value=1, max_value=10**12, label="Tokens per minute"
            )

    def scopes(self) -> list[dict[str, Any]]:
        """For the template: the fields of each scope."""
        return [
            {
                "label": scope.label,
                "own": self[f"{scope}_own"],
                "requests": self[f"{scope}_requests"],
                "tokens": self[f"{scope}_tokens"],
            }
            for scope in LimitScope
        ]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and not self.amounts():
            raise forms.ValidationError("Nothing is different. Tick a scope that has limits of its own.")
        return cleaned

    def amounts(self) -> dict[LimitScope, Amounts]:
        """Of the ticked scopes; empty fields are no limit of that kind."""
        said = self.cleaned_data
        return {
            scope: Amounts(said.get(f"{scope}_requests"), said.get(f"{scope}_tokens"))
            for scope in LimitScope
            if said.get(f"{scope}_own")
        }


def _lower(scope: LimitScope) -> str:
    return scope.label if scope is LimitScope.API_KEY else scope.label.lower()
