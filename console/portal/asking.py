"""What the playground asks a model: the form, its bounds, and the request that is made of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django import forms

from console.portal.shared import SharedModel

LONGEST_MESSAGE, LONGEST_CONVERSATION = 32_000, 100_000
"""Characters, of one message and of all of them."""
MOST_MESSAGES = 60
MOST_TOKENS = 8192
DEFAULT_TOKENS = 512

Message = dict[str, str]


class AskForm(forms.Form):
    """One question to one model, or to two that are compared; `history` is what was said before, as JSON."""

    use_required_attribute = False
    model = forms.ChoiceField()
    other = forms.ChoiceField(required=False, label="Compare with")
    system = forms.CharField(
        required=False,
        max_length=LONGEST_MESSAGE,
        label="System prompt",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What the model is told before the conversation.",
    )
    temperature = forms.FloatField(
        min_value=0, max_value=2, initial=0.7, help_text="0 is the most predictable, 2 the most varied."
    )
    max_tokens = forms.IntegerField(
        min_value=1,
        max_value=MOST_TOKENS,
        initial=DEFAULT_TOKENS,
        label="Longest answer",
    )
    message = forms.CharField(max_length=LONGEST_MESSAGE, widget=forms.Textarea(attrs={"rows": 3}))
    history = forms.CharField(
        required=False, max_length=2 * LONGEST_CONVERSATION, widget=forms.HiddenInput, strip=False
    )

    def __init__(self, models: Sequence[SharedModel], data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        names = [(model.name, f"{model.title} ({model.name})") for model in models]
        self.fields["model"].choices = names  # type: ignore[attr-defined]
        self.fields["other"].choices = [("", "No other model"), *names]  # type: ignore[attr-defined]

    def clean_history(self) -> list[Message]:
        text = self.cleaned_data["history"]
        if not text:
            return []
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            raise forms.ValidationError("The conversation cannot be read. Begin a new one.") from None
        if not isinstance(said, list) or not all(map(_is_message, said)):
            raise forms.ValidationError("The conversation cannot be read. Begin a new one.")
        return said

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        said = cleaned.get("history") or []
        length = sum(len(message["content"]) for message in said) + len(cleaned.get("message") or "")
        if len(said) >= MOST_MESSAGES or length > LONGEST_CONVERSATION:
            self.add_error(
                None,
                f"The conversation is longer than {MOST_MESSAGES} messages or {LONGEST_CONVERSATION:,} characters. "
                "Begin a new one.",
            )
        return cleaned

    def request_to(self, model: str) -> dict[str, Any]:
        """What the gateway is sent, of a valid form."""
        said = self.cleaned_data
        system = [{"role": "system", "content": said["system"]}] if said["system"] else []
        return {
            "model": model,
            "messages": [*system, *said["history"], {"role": "user", "content": said["message"]}],
            "temperature": said["temperature"],
            "max_tokens": said["max_tokens"],
            "stream": True,
            "stream_options": {"include_usage": True},
        }


def _is_message(found: object) -> bool:
    return (
        isinstance(found, dict)
        and found.keys() == {"role", "content"}
        and found["role"] in ("user", "assistant")
        and isinstance(found["content"], str)
    )
