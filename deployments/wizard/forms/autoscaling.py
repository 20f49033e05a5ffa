"""Autoscaling: off by default; the numbers are kept while it is off.

Each metric has a threshold of its own, with its words and its unit, and the page shows that of the chosen one without
a script. What the cluster cannot measure is greyed, with the reason.
"""

from __future__ import annotations

from typing import Any, Final

from django import forms

from console.presentation.widgets import ChoiceCards
from deployments import document
from deployments.scaling import obstacle
from deployments.vocabulary import Engine, NimRunner, ScalingMetric
from deployments.wizard import steps
from deployments.wizard.forms.base import SectionForm, Typed, at, text_input

_FACTS: Final = {
    ScalingMetric.CPU.value: ["Of the request. Every cluster can measure it."],
    ScalingMetric.MEMORY.value: ["Of the request. Every cluster can measure it."],
    ScalingMetric.REQUESTS_WAITING.value: ["How long the queue is: what callers notice first."],
    ScalingMetric.KV_CACHE.value: ["How full the memory for running requests is."],
    ScalingMetric.CONCURRENCY.value: ["What a replica answers, and what waits for it."],
}
#: Label and help of each threshold; a mean over all replicas.
_WORDS: Final = {
    ScalingMetric.CPU: ("CPU in use", "Percent of the CPU request."),
    ScalingMetric.MEMORY: ("Memory in use", "Percent of the memory request."),
    ScalingMetric.REQUESTS_WAITING: ("Requests waiting for each replica", "Few: 5 is a common start."),
    ScalingMetric.KV_CACHE: ("KV cache in use", "A full cache makes requests wait."),
    ScalingMetric.CONCURRENCY: (
        "Requests at once for each replica",
        "Running and waiting. Fewer than the engine runs at once (--max-num-seqs).",
    ),
}


def field_of(metric: ScalingMetric) -> str:
    """The name of a metric's threshold."""
    return f"threshold_{metric.value.replace('-', '_')}"


class AutoscalingForm(SectionForm):
    step = steps.AUTOSCALING
    paths = {
        "enabled": "enabled",
        "min_replicas": "minReplicas",
        "max_replicas": "maxReplicas",
        "metric": "metric",
    }

    enabled = forms.BooleanField(
        label="Change the number of replicas with the load",
        required=False,
        help_text="The autoscaler then owns the number; the one on the Engine page counts while this is off.",
    )
    min_replicas = Typed(
        label="At least", help_text="They stay when nothing is asked.", widget=text_input(inputmode="numeric")
    )
    max_replicas = Typed(
        label="At most",
        help_text="Each replica needs its own GPUs.",
        widget=text_input(inputmode="numeric"),
    )
    metric = Typed(label="Measured by", widget=ChoiceCards(choices=ScalingMetric.choices(), facts=_FACTS))

    def prepare(self) -> None:
        for metric, (label, help_text) in _WORDS.items():
            self.fields[field_of(metric)] = Typed(
                label=label, help_text=help_text, widget=text_input(inputmode="numeric")
            )
        widget = self.fields["metric"].widget
        assert isinstance(widget, ChoiceCards)
        refused = {metric.value: self.obstacle(metric) for metric in ScalingMetric}
        widget.refused = {value: reason for value, reason in refused.items() if reason}
        if not widget.refused:
            widget.tags = {ScalingMetric.REQUESTS_WAITING.value: "Suggested"}

    def to_data(self, section: Any) -> dict[str, Any]:
        data = super().to_data(section)
        data |= {field_of(metric): str(usual) for metric, usual in document.THRESHOLDS.items()}
        data["metric"] = data["metric"] or ScalingMetric.CPU.value
        typed = at(section, "threshold")
        if data["metric"] in list(ScalingMetric) and typed not in (None, ""):
            data[field_of(ScalingMetric(data["metric"]))] = str(typed)
        return data

    def to_section(self) -> dict[str, Any]:
        """A greyed metric is not sent: the one that the draft has stays."""
        section: dict[str, Any] = super().to_section()
        before = self.work.sections.get(self.step.slug)
        section["metric"] = section["metric"] or at(before, "metric")
        known = section["metric"] in list(ScalingMetric)
        section["threshold"] = (
            self.cleaned_data.get(field_of(ScalingMetric(section["metric"]))) if known else None
        )
        return section

    def clean(self) -> None:
        super().clean()
        metric = at(self.section, "metric")
        wanted = at(self.section, "enabled") and metric in list(ScalingMetric)
        if wanted and (reason := self.obstacle(ScalingMetric(metric))):
            self.add_error("metric", reason)

    def field_of(self, path: str) -> str | None:
        if path == "threshold":
            metric = at(self.section, "metric")
            return field_of(ScalingMetric(metric)) if metric in list(ScalingMetric) else "metric"
        return super().field_of(path)

    def obstacle(self, metric: ScalingMetric) -> str:
        """Why this cluster cannot scale by it; empty when it can, or while no endpoint is chosen."""
        endpoint = self.work.endpoint
        if endpoint is None:
            return ""
        if self.work.facts is None and metric.is_of_engine:
            return "It is not known yet whether this cluster has KEDA. Check the cluster, or scale by CPU."
        return obstacle(metric, endpoint.cluster.offers, operated=self._is_operated())

    def _is_operated(self) -> bool:
        engine = self.work.sections.get(steps.ENGINE.slug)
        return at(engine, "kind") == Engine.NIM.value and at(engine, "runner") == NimRunner.OPERATOR.value

    @property
    def thresholds(self) -> list[dict[str, Any]]:
        """Each metric with the field of its threshold, in the order of the choice."""
        return [
            {
                "metric": metric.value,
                "field": self[field_of(metric)],
                "unit": "%" if metric.is_percentage else "requests",
                "is_of_engine": metric.is_of_engine,
            }
            for metric in ScalingMetric
        ]

    @property
    def scaled(self) -> str:
        """What there are more of: replicas, or workers of Dynamo."""
        engine = self.work.sections.get(steps.ENGINE.slug)
        if at(engine, "kind") != Engine.DYNAMO.value:
            return "replicas"
        return "decode workers" if at(engine, "mode") == "disaggregated" else "workers"

    @property
    def lacks_metrics(self) -> bool:
        """True when the cluster was checked and has no metrics-server."""
        facts = self.work.facts
        return facts is not None and not facts.addons.metrics_server
