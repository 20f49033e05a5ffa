"""Django admin: clusters, endpoints and models as records, for those who mend them by hand.

Adding and removing stays with the console's own pages, which check what they save. Secrets go in and never come out.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from console.audit import rows
from deployments import audited, desired
from deployments.clusters import prometheus
from deployments.document.rules import Refused
from deployments.models import CatalogModel, Cluster, Endpoint, Provider
from deployments.write_only import READ_AT_START, KeyField, removal, store_key


class _KeyForm(forms.ModelForm):
    """A record with an NGC key."""

    ngc_key = KeyField(
        label="NGC key", help_text=f"Empty keeps the stored one. It is never shown. {READ_AT_START}"
    )
    forget_ngc_key = removal("Remove the stored NGC key")

    def save(self, commit: bool = True) -> Any:
        record = super().save(commit=False)
        removed = self.cleaned_data["forget_ngc_key"]
        self.key_change = store_key(record, "ngc_key", self.cleaned_data["ngc_key"], remove=removed)
        if commit:
            record.save()
        return record


class _ClusterForm(_KeyForm):
    class Meta:
        model = Cluster
        fields = ["name", "prometheus_url"]

    def clean_prometheus_url(self) -> str:
        try:
            return prometheus.address(self.cleaned_data["prometheus_url"])
        except Refused as error:
            raise forms.ValidationError(str(error)) from None


class _ModelForm(_KeyForm):
    class Meta:
        model = CatalogModel
        fields = ["name", "provider", "description"]


class _Records(admin.ModelAdmin):
    """Records to look at and to mend, nothing to add and nothing to remove."""

    ordering = ["name"]
    search_fields = ["name", "slug"]
    recorded: tuple[str, ...] = ()
    """The columns whose change the audit keeps."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with rows.changing(obj, self.recorded):
            self.write(obj)

    def write(self, obj: Any) -> None:
        obj.save()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


@admin.register(Cluster)
class ClusterAdmin(_Records):
    recorded = audited.CLUSTER
    form = _ClusterForm
    list_display = ["name", "slug", "kind", "ngc_key_set_at", "prometheus_url", "checked_at"]
    readonly_fields = [
        "slug",
        "kind",
        "reach",
        "kubeconfig_set_at",
        "ngc_key_set_at",
        "checked_at",
        "check_error",
    ]
    fields = [
        *("name", "slug", "kind", "reach", "kubeconfig_set_at"),
        *("ngc_key", "forget_ngc_key", "ngc_key_set_at", "prometheus_url", "checked_at", "check_error"),
    ]

    def save_model(self, request: HttpRequest, obj: Cluster, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.key_change:
            desired.key_changed(obj)

    def write(self, obj: Cluster) -> None:
        """Only what people write: the worker may be writing the rest at this moment."""
        obj.save(update_fields=["name", "ngc_key", "ngc_key_set_at", "prometheus_url"])


@admin.register(CatalogModel)
class CatalogModelAdmin(_Records):
    recorded = audited.MODEL
    form = _ModelForm
    list_display = ["name", "slug", "provider", "source_kind", "source_reference", "ngc_key_set_at"]
    list_select_related = ["provider"]
    readonly_fields = [
        *("slug", "source_kind", "source_reference", "source_revision"),
        *("weights_token_set_at", "ngc_key_set_at"),
    ]
    fields = [
        *("name", "slug", "provider", "description", "source_kind", "source_reference", "source_revision"),
        *("weights_token_set_at", "ngc_key", "forget_ngc_key", "ngc_key_set_at"),
    ]

    def save_model(self, request: HttpRequest, obj: CatalogModel, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.key_change:
            desired.key_changed(obj)


@admin.register(Endpoint)
class EndpointAdmin(_Records):
    recorded = audited.ENDPOINT
    list_display = ["name", "slug", "hostname", "cluster", "namespace", "pull_secret", "ready"]
    list_select_related = ["cluster"]
    readonly_fields = [
        *("slug", "hostname", "cluster", "namespace", "routing", "storage_class", "tls", "tls_expires_at"),
        *("pull_secret", "ready", "not_ready_reason", "checked_at"),
    ]
    fields = ["name", *readonly_fields]


@admin.register(Provider)
class ProviderAdmin(_Records):
    recorded = audited.PROVIDER
    list_display = ["name", "slug", "website"]
    fields = ["name", "slug", "website"]
    readonly_fields = ["slug"]
