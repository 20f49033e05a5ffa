"""The form of an exception: one organisation, and for each scope whether it has limits of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from console.models import Organization
from console.presentation.figures import grouped
from deployments.vocabulary import LimitScope
from metering.limit_changes import Amounts


@dataclass(frozen=True, slots=True)
class Group:
    """The fields of one scope, and what holds without them."""

    label: str
    own: forms.BoundField
    requests: forms.BoundField
    tokens: forms.BoundField


class ExceptionForm(forms.Form):
    """Fields `<scope>_own`, `<scope>_requests`, `<scope>_tokens`."""

    use_required_attribute = False

    def __init__(
        self,
        general: Mapping[LimitScope, Amounts],
        present: Mapping[LimitScope, Amounts],
        data: Any = None,
    ) -> None:
        """`general`: what holds for everybody. `present`: the exception as it stands."""
        super().__init__(data)
        for scope in LimitScope:
            amounts = present.get(scope, Amounts())
            self.fields[f"{scope}_own"] = forms.BooleanField(
                required=False,
                label=f"Own limits by {_lower(scope)}",
                help_text=f"Otherwise: {in_words(general.get(scope, Amounts()))}.",
                initial=scope in present,
            )
            self.fields[f"{scope}_requests"] = _number("Requests per minute", 10**9, amounts.requests)
            self.fields[f"{scope}_tokens"] = _number("Tokens per minute", 10**12, amounts.tokens)

    def groups(self) -> list[Group]:
        return [
            Group(scope.label, *(self[f"{scope}_{field}"] for field in ("own", "requests", "tokens")))
            for scope in LimitScope
        ]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for scope in LimitScope:
            given = [name for name in (f"{scope}_requests", f"{scope}_tokens") if cleaned.get(name)]
            if given and not cleaned.get(f"{scope}_own"):
                self.add_error(given[0], f"Tick “Own limits by {_lower(scope)}”, or leave this empty.")
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


class OrganizationForm(forms.Form):
    """An organisation, by name or slug; the page suggests some of them."""

    use_required_attribute = False
    organization = forms.CharField(
        max_length=150,
        label="Organisation",
        widget=forms.TextInput(attrs={"list": "organizations", "autocomplete": "off"}),
    )

    def clean_organization(self) -> Organization:
        text: str = self.cleaned_data["organization"]
        found = Organization.objects.filter(slug=text).first()
        if found is None:
            named = Organization.objects.filter(name__iexact=text)[:2]
            if len(named) > 1:
                raise forms.ValidationError(
                    f"Several organisations are called {text}. Enter the slug of one."
                )
            found = named[0] if named else None
        if found is None:
            raise forms.ValidationError(f"No organisation is called {text}.")
        return found


def in_words(amounts: Amounts) -> str:
    """What a pair of limits means: "600 requests, any number of tokens per minute"."""
    if amounts == Amounts():
        return "no limit"
    requests, tokens = (grouped(number) if number else "any number of" for number in amounts)
    return f"{requests} requests, {tokens} tokens per minute"


def _number(label: str, most: int, initial: int | None) -> forms.IntegerField:
    return forms.IntegerField(required=False, min_value=1, max_value=most, label=label, initial=initial)


def _lower(scope: LimitScope) -> str:
    return scope.label if scope is LimitScope.API_KEY else scope.label.lower()
