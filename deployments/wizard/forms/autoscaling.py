"""Autoscaling: off by default; the numbers are kept while it is off."""

from __future__ import annotations

from django import forms

from deployments.vocabulary import ScalingMetric
from deployments.wizard import steps
from deployments.wizard.forms.base import SectionForm, Typed, text_input


class AutoscalingForm(SectionForm):
    step = steps.AUTOSCALING
    paths = {
        "enabled": "enabled",
        "min_replicas": "minReplicas",
        "max_replicas": "maxReplicas",
        "metric": "metric",
        "threshold": "threshold",
    }

    enabled = forms.BooleanField(
        label="Change the number of replicas with the load",
        required=False,
        help_text="A HorizontalPodAutoscaler then owns the number; the one on the Engine page is where it starts.",
    )
    min_replicas = Typed(label="At least", widget=text_input(inputmode="numeric"))
    max_replicas = Typed(
        label="At most",
        help_text="Each replica needs its own GPUs.",
        widget=text_input(inputmode="numeric"),
    )
    metric = Typed(label="Measured by", widget=forms.Select(choices=ScalingMetric.choices()))
    threshold = Typed(
        label="Threshold",
        help_text="Mean use of the request over all replicas.",
        widget=text_input(inputmode="numeric"),
    )

    @property
    def is_on(self) -> bool:
        return bool(self["enabled"].value())

    @property
    def lacks_metrics(self) -> bool:
        """True when the cluster was checked and has no metrics-server."""
        facts = self.work.facts
        return facts is not None and not facts.addons.metrics_server
