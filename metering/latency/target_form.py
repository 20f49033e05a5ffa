"""The form of a deployment's targets."""

from __future__ import annotations

from typing import Any

from django import forms

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
        LatencyTarget.objects.update_or_create(deployment=deployment, defaults=self.cleaned_data)
