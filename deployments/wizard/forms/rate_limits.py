"""Rate limits: one group of fields per scope, each switched on by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms

from deployments.vocabulary import LimitScope
from deployments.wizard import steps
from deployments.wizard.forms.base import SectionForm, Typed, at, shown, text_input

#: Key in the document, scope, and whose requests are counted together.
SCOPES = (
    (
        "organization",
        LimitScope.ORGANIZATION,
        "Limit each organisation",
        "All users and API keys of one organisation together.",
    ),
    ("user", LimitScope.USER, "Limit each user", "All API keys of one user together."),
    ("apiKey", LimitScope.API_KEY, "Limit each API key", "Every API key by itself."),
)
_EMPTY = "Enter tokens or requests per minute, or switch this limit off."


@dataclass(frozen=True)
class Group:
    """The fields of one scope, for the page."""

    label: str
    switch: forms.BoundField
    tokens: forms.BoundField
    requests: forms.BoundField


class RateLimitsForm(SectionForm):
    step = steps.RATE_LIMITS
    paths = {f"{scope}_tokens": f"{key}.tokensPerMinute" for key, scope, _, _ in SCOPES} | {
        f"{scope}_requests": f"{key}.requestsPerMinute" for key, scope, _, _ in SCOPES
    }

    def prepare(self) -> None:
        for _, scope, label, help_text in SCOPES:
            self.fields[f"{scope}_on"] = forms.BooleanField(label=label, required=False, help_text=help_text)
            self.fields[f"{scope}_tokens"] = Typed(
                label="Tokens", required=False, help_text="Input and output together.", widget=_number()
            )
            self.fields[f"{scope}_requests"] = Typed(label="Requests", required=False, widget=_number())

    def to_data(self, section: Any) -> dict[str, Any]:
        data = {name: shown(at(section, path)) for name, path in self.paths.items()}
        return data | {f"{scope}_on": at(section, key) is not None for key, scope, _, _ in SCOPES}

    def to_section(self) -> dict[str, Any]:
        return {
            key: {
                "tokensPerMinute": self.cleaned_data.get(f"{scope}_tokens"),
                "requestsPerMinute": self.cleaned_data.get(f"{scope}_requests"),
            }
            for key, scope, _, _ in SCOPES
            if self.cleaned_data.get(f"{scope}_on")
        }

    def clean(self) -> None:
        super().clean()
        for key, scope, _, _ in SCOPES:
            if key in self.section and not any(self.section[key].values()):
                self.add_error(f"{scope}_tokens", _EMPTY)

    def groups(self) -> list[Group]:
        return [
            Group(label, self[f"{scope}_on"], self[f"{scope}_tokens"], self[f"{scope}_requests"])
            for _, scope, label, _ in SCOPES
        ]


def _number() -> forms.TextInput:
    return text_input(inputmode="numeric")
