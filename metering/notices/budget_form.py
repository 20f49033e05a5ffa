"""The form of an organisation's budget in one currency."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.db import transaction
from django.utils import timezone

from console.audit import record
from console.models import Organization, User
from deployments.document.rules import CURRENCIES
from metering.models import Budget
from metering.pricing import in_full

_MOST = Decimal(10) ** 12


class BudgetForm(forms.Form):
    """An amount a month; empty: no budget in this currency."""

    use_required_attribute = False
    currency = forms.ChoiceField(label="Currency", choices=[(code, code) for code in CURRENCIES])
    amount = forms.DecimalField(
        label="Budget per month",
        required=False,
        min_value=Decimal("0.000001"),
        max_value=_MOST,
        max_digits=20,
        decimal_places=6,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text="Leave it empty to remove the budget of this currency.",
    )

    def __init__(self, present: list[Budget], data: Any = None) -> None:
        first = present[0] if present else None
        initial = (
            {"currency": first.currency, "amount": in_full(first.amount)} if first else {"currency": "USD"}
        )
        super().__init__(data, initial=initial)

    def save(self, organization: Organization, by: User) -> Budget | None:
        """Only after `is_valid`. None: the budget was removed, or there was none."""
        currency, amount = self.cleaned_data["currency"], self.cleaned_data["amount"]
        with transaction.atomic():
            known = Budget.objects.select_for_update().filter(organization=organization, currency=currency)
            before = known.first()
            said = {"currency": currency, "amount": in_full(before.amount) if before else None}
            if amount is None:
                known.delete()
                saved = None
            else:
                facts = {"amount": amount, "changed_by": by, "changed_at": timezone.now()}
                saved, _ = Budget.objects.update_or_create(
                    organization=organization, currency=currency, defaults=facts
                )
            after = {"currency": currency, "amount": in_full(amount) if amount is not None else None}
            record("organization.budget_changed", organization, before=said, after=after)
        return saved
