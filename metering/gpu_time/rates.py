"""The rates of a cluster: which products have one, and the form with which a new one is entered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.db import transaction

from console.audit import record
from console.models import User
from deployments import gpus
from deployments.document.rules import CURRENCIES
from deployments.facts import ClusterFacts
from deployments.models import Cluster
from metering.models import GpuHour, GpuRate
from metering.pricing import in_full

MOST_SHOWN = 200
"""Rates of the past."""
_MOST = Decimal(1_000_000)
_EARLIEST_YEAR = 2000


@dataclass(frozen=True, slots=True)
class Product:
    """GPUs of one product on a cluster, and what one of them costs now."""

    label: str
    """As nodes are labelled; may be empty."""
    name: str
    number: int
    """At the last check."""
    rate: GpuRate | None

    @property
    def per_day(self) -> Decimal | None:
        """What all of them cost in a day, used or not."""
        return self.rate.per_hour * 24 * self.number if self.rate and self.number else None


def products(cluster: Cluster, now: datetime) -> list[Product]:
    """Those that the cluster has, and those that deployments held there or that have a rate."""
    numbers: dict[str, int] = {}
    if cluster.facts:
        for node in ClusterFacts.from_mapping(cluster.facts).gpu_nodes:
            numbers[node.product] = numbers.get(node.product, 0) + node.total
    rates = list(GpuRate.objects.filter(cluster=cluster)[:MOST_SHOWN])
    held = (
        GpuHour.objects.filter(cluster_id=cluster.pk).values_list("product", flat=True).order_by().distinct()
    )
    labels = sorted({*numbers, *held, *(rate.product for rate in rates)})
    return [
        Product(
            label,
            gpus.short_name(label) or "GPU without a label",
            numbers.get(label, 0),
            next((rate for rate in rates if rate.product == label and rate.effective_from <= now), None),
        )
        for label in labels
    ]


class RateForm(forms.Form):
    """A rate of one of the known products, from a whole hour (UTC) on, which may be past."""

    use_required_attribute = False
    product = forms.ChoiceField(label="GPU product", required=False)
    per_hour = forms.DecimalField(
        label="Cost of one GPU per hour",
        min_value=0,
        max_value=_MOST,
        max_digits=16,
        decimal_places=6,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text="Such as 2.49, with up to 6 decimals.",
    )
    currency = forms.ChoiceField(label="Currency", choices=[(code, code) for code in CURRENCIES])
    effective_from = forms.DateTimeField(
        label="From (UTC)",
        help_text="A whole hour. It may be past: nobody is billed by it.",
        input_formats=["%Y-%m-%dT%H:%M"],
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local", "step": "3600"}),
    )

    def __init__(self, known: list[Product], now: datetime, data: Any = None) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
        first = next((each for each in known if each.rate is None), known[0] if known else None)
        super().__init__(
            data,
            initial={
                "effective_from": hour,
                "product": first.label if first else "",
                "currency": next((each.rate.currency for each in known if each.rate), "USD"),
            },
        )
        choices = [(each.label, f"{each.name} ({each.label})" if each.label else each.name) for each in known]
        self.fields["product"].choices = choices  # type: ignore[attr-defined]

    def clean_effective_from(self) -> datetime:
        at: datetime = self.cleaned_data["effective_from"]
        if at.minute:
            raise forms.ValidationError(
                f"{at:%H:%M} is within an hour. Choose a whole one, such as {at:%H}:00."
            )
        if at.year < _EARLIEST_YEAR:
            raise forms.ValidationError(f"{at:%Y} is too long ago. Choose {_EARLIEST_YEAR} or later.")
        return at

    def save(self, cluster: Cluster, by: User) -> GpuRate:
        """Only after `is_valid`. A new row: what held before stays on record."""
        with transaction.atomic():
            rate = GpuRate.objects.create(cluster=cluster, created_by=by, **self.cleaned_data)
            after = {
                "product": rate.product,
                "per_hour": in_full(rate.per_hour),
                "currency": rate.currency,
                "effective_from": rate.effective_from,
            }
            record("cluster.gpu_cost_entered", cluster, after=after)
        return rate
