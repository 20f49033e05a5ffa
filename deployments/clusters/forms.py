"""The form of a cluster: its names, the way to reach it, and what its engines need.

A kubeconfig and a key go in and never come out again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

from console.presentation.widgets import ChoiceCards
from deployments.clusters import prometheus
from deployments.document.rules import Refused
from deployments.kube import kubeconfig
from deployments.kube.client import in_cluster_access
from deployments.kube.errors import KubeError
from deployments.kube.kubeconfig import LARGEST_KUBECONFIG, KubeconfigRefused
from deployments.models import Cluster
from deployments.short_names import ShortNameField
from deployments.vocabulary import ClusterKind, Reach
from deployments.write_only import (
    READ_AT_START,
    KeyChange,
    KeyField,
    WriteOnlyText,
    removal,
    say_lost,
    store_key,
)

_FACTS = {
    ClusterKind.KUBECONFIG: ["Any cluster that this console can reach."],
    ClusterKind.IN_CLUSTER: ["The cluster that this console runs in."],
    ClusterKind.SANDBOX: ["The simulated cluster on this machine."],
}
_WAYS = {
    Reach.ENDPOINT: ["From anywhere. The cluster chooses the replica."],
    Reach.INSIDE: ["Gateways that run in this cluster. They choose the replica, and need no route."],
}
#: The columns that people write; the others belong to the worker.
_WRITTEN = [
    *("name", "slug", "kind", "kubeconfig", "kubeconfig_set_at", "reach"),
    *("ngc_key", "ngc_key_set_at", "prometheus_url"),
]
_NO_POD = "This console does not run in a pod with a service account."
_EXAMPLE = "apiVersion: v1\nkind: Config\nclusters: …"


class ClusterForm(forms.ModelForm):
    """A cluster to add or to change."""

    use_required_attribute = False

    slug = ShortNameField(help_text="In addresses and documents: lower-case letters, digits and hyphens.")
    kubeconfig_text = forms.CharField(
        label="Kubeconfig",
        required=False,
        widget=WriteOnlyText(attrs={"rows": 8, "placeholder": _EXAMPLE, "class": "mono"}),
        help_text=(
            "With a server, its certificate authority, and a token or client certificate, all inside. "
            "One that runs a program or points to a file is refused."
        ),
    )
    kubeconfig_file = forms.FileField(
        label="Or a file",
        required=False,
        max_length=255,
        help_text=f"At most {LARGEST_KUBECONFIG // 1024} KiB. Only its current context is used.",
    )
    ngc_key = KeyField(
        label="NGC key",
        help_text=f"Pulls NVIDIA's images and lets NIM fetch weights. A model may bring its own. {READ_AT_START}",
    )
    forget_ngc_key = removal("Remove the stored NGC key")
    prometheus_url = forms.CharField(
        label="Prometheus",
        required=False,
        max_length=1000,
        widget=forms.TextInput(
            attrs={
                "autocapitalize": "off",
                "spellcheck": "false",
                "inputmode": "url",
                "placeholder": prometheus.EXAMPLE,
            }
        ),
        help_text="As KEDA reaches it from inside the cluster, to scale by what engines measure.",
    )

    class Meta:
        model = Cluster
        fields = ["name", "slug", "kind", "reach", "prometheus_url"]
        labels = {"kind": "How to reach it", "reach": "How gateways call its engines"}
        help_texts = {"reach": "Gateways take a change within a second; no replica restarts."}
        widgets = {"kind": ChoiceCards(), "reach": ChoiceCards()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = ClusterKind(self.instance.kind) if self.instance.pk else None
        self.refused = _refused(self.before)
        offered = [kind for kind in ClusterKind if kind is not ClusterKind.SANDBOX or self._has_sandbox()]
        choices = [(kind.value, kind.label) for kind in offered]
        self.fields["kind"].choices = choices  # type: ignore[attr-defined]
        cards = ChoiceCards(
            choices=choices,
            facts={kind.value: _FACTS[kind] for kind in offered},
            refused={kind.value: reason for kind, reason in self.refused.items()},
        )
        self.fields["kind"].widget = cards
        self.fields["reach"].choices = Reach.choices()  # type: ignore[attr-defined]
        self.fields["reach"].widget = ChoiceCards(
            choices=Reach.choices(), facts={way.value: facts for way, facts in _WAYS.items()}
        )
        # A sandbox has its own way; what is not sent stays as it is.
        self.fields["reach"].required = False
        self.key_change = KeyChange.NONE
        """Set by save(): deployments have to get another key, or none."""
        self.found = ""
        """The text of an accepted kubeconfig; empty: the stored one stays."""
        if not self.instance.ngc_key:
            del self.fields["forget_ngc_key"]

    def clean_kind(self) -> ClusterKind:
        kind = ClusterKind(self.cleaned_data["kind"])
        if kind in self.refused:
            raise forms.ValidationError(self.refused[kind])
        return kind

    def clean_prometheus_url(self) -> str:
        try:
            return prometheus.address(self.cleaned_data["prometheus_url"])
        except Refused as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        kind = cleaned.get("kind")
        if kind is ClusterKind.KUBECONFIG:
            self._take_typed(cleaned)
        elif kind is ClusterKind.SANDBOX:
            self._take_sandbox()
        # Neither goes further than this method, so that no page and no report of an error can show it.
        typed = bool(cleaned.pop("kubeconfig_text", "")) | bool(cleaned.pop("kubeconfig_file", None))
        if typed and self.errors and not {"kubeconfig_text", "kubeconfig_file"} & set(self.errors):
            self.add_error(
                "kubeconfig_text", "It was not kept while other settings need a change. Give it again."
            )
        say_lost(self, "ngc_key")
        return cleaned

    def save(self, commit: bool = True) -> Cluster:
        cluster: Cluster = super().save(commit=False)
        kubeconfig_before = cluster.kubeconfig
        if self.found:
            cluster.kubeconfig, cluster.kubeconfig_set_at = self.found, timezone.now()  # type: ignore[assignment]
        elif cluster.kind == ClusterKind.IN_CLUSTER:
            cluster.kubeconfig, cluster.kubeconfig_set_at = "", None  # type: ignore[assignment]
        else:
            cluster.kubeconfig = kubeconfig_before
        removed = bool(self.cleaned_data.get("forget_ngc_key"))
        self.key_change = store_key(cluster, "ngc_key", self.cleaned_data["ngc_key"], remove=removed)
        if commit and cluster.pk:
            # What is observed belongs to the worker, which may be writing at this moment.
            cluster.save(update_fields=_WRITTEN)
        elif commit:
            cluster.save()
        return cluster

    def _take_typed(self, cleaned: dict[str, Any]) -> None:
        text, file = cleaned.get("kubeconfig_text") or "", cleaned.get("kubeconfig_file")
        if text and file:
            self.add_error("kubeconfig_file", "Give the kubeconfig as text or as a file, not both.")
            return
        if not text and not file:
            stored = self.before is ClusterKind.KUBECONFIG and bool(self.instance.kubeconfig)
            if not stored and not {"kubeconfig_text", "kubeconfig_file"} & set(self.errors):
                self.add_error("kubeconfig_text", "Paste a kubeconfig or choose a file.")
            return
        field = "kubeconfig_file" if file else "kubeconfig_text"
        try:
            self._accept(_content(file) if file else text)
        except KubeconfigRefused as error:
            self.add_error(field, str(error))

    def _take_sandbox(self) -> None:
        """Its process writes a kubeconfig with each start; without one the stored one stays."""
        if not settings.SANDBOX_KUBECONFIG:
            return
        try:
            self._accept(Path(settings.SANDBOX_KUBECONFIG).read_bytes()[: LARGEST_KUBECONFIG + 1])
        except OSError:
            self.add_error("kind", "The sandbox has not written its kubeconfig. Start it, then save again.")
        except KubeconfigRefused as error:
            self.add_error("kind", f"The sandbox's kubeconfig cannot be used. {error}")

    def _accept(self, content: str | bytes) -> None:
        kubeconfig.read(content)
        self.found = content if isinstance(content, str) else content.decode("utf-8")

    def _has_sandbox(self) -> bool:
        return bool(settings.SANDBOX_KUBECONFIG) or self.before is ClusterKind.SANDBOX


def _refused(before: ClusterKind | None) -> dict[ClusterKind, str]:
    if before is ClusterKind.IN_CLUSTER:
        return {}
    try:
        in_cluster_access(os.environ)
    except (KubeError, OSError):
        return {ClusterKind.IN_CLUSTER: _NO_POD}
    return {}


def _content(file: UploadedFile) -> bytes:
    """One byte more than is accepted is enough to refuse it."""
    content: bytes = file.read(LARGEST_KUBECONFIG + 1)
    return content
