"""The form of a deployment's targets."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction

from console.audit import record
from deployments.models import Deployment
from metering.models import LatencyTarget

_MOST_MS = 3_600_000


class TargetForm(forms.Form):
    """Milliseconds that the p95 of each hour is to stay below; empty: no target."""

    ttft_ms = forms.IntegerField(
        label="Time to first token, ms", min_value=1, max_value=_MOST_MS, required=False
    )
    itl_ms = forms.IntegerField(
        label="Inter-token latency, ms", min_value=1, max_value=_MOST_MS, required=False
    )

    def __init__(self, target: LatencyTarget | None, data: Any = None) -> None:
        known = {"ttft_ms": target.ttft_ms, "itl_ms": target.itl_ms} if target else {}
        super().__init__(data, initial=known)

    def save(self, deployment: Deployment) -> None:
        """Only after `is_valid`."""
        with transaction.atomic():
            stored = LatencyTarget.objects.select_for_update().filter(deployment=deployment).first()
            before = {name: getattr(stored, name, None) for name in self.cleaned_data}
            LatencyTarget.objects.update_or_create(deployment=deployment, defaults=self.cleaned_data)
            record("latency_target.changed", deployment, before=before, after=self.cleaned_data)
