"""General: name, description and endpoint. An edit keeps name and endpoint, so only the description is asked."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.urls import reverse

from deployments.desired import name_taken
from deployments.document import Problem
from deployments.models import Deployment, Endpoint
from deployments.wizard import steps
from deployments.wizard.forms.base import SectionForm, Typed, text_input

_NAME_HELP = (
    "Unique in the whole console, and the model name that clients send. "
    "Lower-case letters, digits and hyphens, at most 48."
)


class GeneralForm(SectionForm):
    step = steps.GENERAL
    paths = {"name": "name", "description": "description", "endpoint": "endpoint"}

    name = Typed(label="Name", help_text=_NAME_HELP, widget=text_input(maxlength=200))
    description = Typed(
        label="Description",
        required=False,
        help_text="What it is for, shown to those who may use it.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    endpoint = Typed(
        label="Endpoint", help_text="The host name and cluster that serve it.", widget=forms.Select
    )
    draft = Typed(required=False, widget=forms.HiddenInput)
    """The id that the draft will get, so that sending the form twice begins one draft."""

    def prepare(self) -> None:
        self.fields["name"].widget.attrs |= {
            "hx-get": reverse("deployment_name_check"),
            "hx-trigger": "input changed delay:300ms",
            "hx-target": "#id_name_live",
        }
        if self.work.editing:
            del self.fields["name"], self.fields["endpoint"]
        if self.work.is_saved:
            del self.fields["draft"]

    def offer(self, endpoints: list[Endpoint]) -> None:
        """The endpoints to choose from, each with its host name, cluster and readiness."""
        if "endpoint" not in self.fields:
            return
        self.offered = {endpoint.slug for endpoint in endpoints}
        blank = [("", "Choose an endpoint")] if len(endpoints) != 1 else []
        self.fields["endpoint"].widget.choices = blank + [(e.slug, described(e)) for e in endpoints]

    def to_data(self, section: Any) -> dict[str, Any]:
        data = super().to_data(section)
        return data if self.work.is_saved else {**data, "draft": str(uuid.uuid4())}

    def to_section(self) -> dict[str, Any]:
        kept = self.work.sections.get("general") or {}
        typed = {name: self.cleaned_data.get(name) for name in self.paths if name in self.fields}
        return {**kept, **typed, "model": self.work.model.slug}

    def clean(self) -> None:
        super().clean()
        if self.work.editing:
            return
        name, endpoint = self.section.get("name"), self.section.get("endpoint")
        if "name" not in self.errors and Deployment.objects.filter(name=name).exists():
            self.note(name_taken(name))
        if "endpoint" not in self.errors and endpoint not in self.offered:
            self.note(Problem("spec.endpoint", f"There is no endpoint {endpoint}. Choose one from the list."))

    def inside(self, path: str) -> str:
        return path.removeprefix("metadata.").removeprefix("spec.")

    def field_of(self, path: str) -> str | None:
        field = super().field_of(path)
        return field if field in self.fields else None


def described(endpoint: Endpoint) -> str:
    """One line: "Public EU – llm.example.com on osl-1, ready"."""
    state = {True: "ready", False: "not ready", None: "not checked yet"}[endpoint.ready]
    return f"{endpoint.name} – {endpoint.hostname} on {endpoint.cluster.name}, {state}"
