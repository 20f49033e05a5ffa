"""Pricing: a currency and two exact numbers, or no price at all."""

from __future__ import annotations

from typing import Any

from django import forms

from deployments.document.rules import CURRENCIES
from deployments.wizard import steps
from deployments.wizard.forms.base import SectionForm, Typed, text_input


class PricingForm(SectionForm):
    step = steps.PRICING
    paths = {
        "currency": "currency",
        "input": "inputPerMillion",
        "output": "outputPerMillion",
        "cached": "cachedInputPerMillion",
    }

    currency = Typed(label="Currency", widget=forms.Select(choices=[(code, code) for code in CURRENCIES]))
    input = Typed(
        label="Input tokens",
        required=False,
        help_text="Tokens of the prompt. Such as 0.15, with up to 12 decimals.",
        widget=text_input(inputmode="decimal"),
    )
    output = Typed(
        label="Output tokens",
        required=False,
        help_text="Tokens of the answer.",
        widget=text_input(inputmode="decimal"),
    )

    cached = Typed(
        label="Cached input tokens",
        required=False,
        help_text="Input that the engine had in its cache. Empty: like other input.",
        widget=text_input(inputmode="decimal"),
    )

    def to_section(self) -> dict[str, Any] | None:
        """All prices empty: no price, which is different from a price of zero."""
        section: dict[str, Any] = super().to_section()
        prices = ("inputPerMillion", "outputPerMillion", "cachedInputPerMillion")
        return section if any(section[price] for price in prices) else None
