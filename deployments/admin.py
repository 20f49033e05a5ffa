"""Django admin: clusters, endpoints and models as records, for those who mend them by hand.

Adding and removing stays with the console's own pages, which check what they save. Secrets go in and never come out.
Deployments are here to be found when a rollout is stuck, and to be looked at again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from console.access import Permission
from console.audit import rows
from console.operating import Records
from deployments import audited, desired
from deployments.clusters import prometheus
from deployments.document import rules
from deployments.document.rules import Refused
from deployments.models import CatalogModel, Cluster, Deployment, Endpoint, Price, Provider, Transition
from deployments.spec import Pricing
from deployments.standing import is_stale, standing_of, with_standing
from deployments.vocabulary import DesiredState, Phase
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


class _Records(Records):
    """Records to look at and to mend, nothing to add and nothing to remove."""

    changes = Permission.CATALOG
    ordering = ["name"]
    search_fields = ["name", "slug"]
    recorded: tuple[str, ...] = ()
    """The columns whose change the audit keeps."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with rows.changing(obj, self.recorded):
            self.write(obj)

    def write(self, obj: Any) -> None:
        obj.save()


@admin.register(Cluster)
class ClusterAdmin(_Records):
    changes = Permission.CLUSTERS
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
    changes = Permission.CLUSTERS
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
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    list_display = ["name", "slug", "website"]
    fields = ["name", "slug", "website"]
    readonly_fields = ["slug"]


class _Stuck(admin.SimpleListFilter):
    """Why nothing moves on."""

    title, parameter_name = "stuck because", "stuck"
    _WHERE = {
        "refused": ("The cluster refuses it", lambda now: Q(refusal__isnull=False)),
        "overdue": (
            "No worker has looked for 5 minutes",
            lambda now: Q(reconcile_due_at__lt=now - timedelta(minutes=5)),
        ),
        "unseen": ("What was seen is too old", is_stale),
        "unapplied": (
            "Its revision is not applied",
            lambda now: Q(applied_revision__lt=F("current__number"), desired_state=DesiredState.RUNNING),
        ),
        "going": (
            "Its deletion takes more than 10 minutes",
            lambda now: Q(desired_state=DesiredState.DELETED, changed_at__lt=now - timedelta(minutes=10)),
        ),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, label) for word, (label, _) in self._WHERE.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Deployment]) -> QuerySet[Deployment]:
        where = self._WHERE.get(self.value() or "")
        return queryset.filter(where[1](timezone.now())) if where else queryset


@admin.register(Deployment)
class DeploymentAdmin(Records):
    changes = Permission.DEPLOY
    list_display = [
        "name",
        "state",
        "why",
        "desired_state",
        "applied_revision",
        "attempts",
        "reconcile_due_at",
        "changed_at",
    ]
    list_filter = [_Stuck, "desired_state", "endpoint__cluster"]
    search_fields = ["name", "model__slug"]
    ordering = ["name"]
    readonly_fields = [
        *(
            "name",
            "model",
            "endpoint",
            "desired_state",
            "sharing",
            "state",
            "why",
            "created_at",
            "created_by",
        ),
        *(
            "changed_at",
            "changed_by",
            "restarted_at",
            "drift_policy",
            "drift",
            "applied_revision",
            "applied_at",
        ),
        *("reconcile_due_at", "claimed_until", "attempts", "refusal"),
    ]
    actions = ["look_again"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        visible = Deployment.objects.visible_to(request.user)
        return with_standing(visible, timezone.now()).defer(
            "current__secrets", "endpoint__cluster__kubeconfig"
        )

    @admin.display(description="State")
    def state(self, deployment: Any) -> str:
        return Phase(deployment.shown).label

    @admin.display(description="Why")
    def why(self, deployment: Deployment) -> str:
        return standing_of(deployment, timezone.now()).sentence

    @admin.action(description="Look again now, and forget refusals and waiting times", permissions=["change"])
    def look_again(self, request: HttpRequest, chosen: QuerySet[Deployment]) -> None:
        found = list(chosen)
        for deployment in found:
            desired.look_again(deployment)
        self.message_user(request, f"{len(found)} deployments are looked at again now.", messages.SUCCESS)


@admin.register(Transition)
class TransitionAdmin(Records):
    list_display = ["at", "deployment", "revision", "before", "after", "sentence"]
    list_select_related = ["deployment"]
    list_filter = ["after"]
    search_fields = ["=deployment__name"]
    readonly_fields = [
        "at",
        "deployment",
        "revision",
        "before",
        "after",
        "sentence",
        "remedy",
        "evidence",
    ]


class _NewPrice(forms.ModelForm):
    """What a deployment costs from now on: checked as in its document, and saved as a revision of it."""

    currency = forms.CharField(max_length=10)
    input_per_million = forms.CharField(max_length=40, label="Input, per 1M tokens")
    output_per_million = forms.CharField(max_length=40, label="Output, per 1M tokens")
    cached_input_per_million = forms.CharField(
        max_length=40, required=False, label="Cached input, per 1M tokens"
    )

    class Meta:
        model = Price
        fields = [
            *("deployment", "currency", "input_per_million", "output_per_million"),
            "cached_input_per_million",
        ]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in self.Meta.fields[1:]:
            text = str(cleaned.get(name) or "")
            if not text and name == "cached_input_per_million":
                continue
            try:
                cleaned[name] = rules.currency(text) if name == "currency" else rules.price(text)
            except Refused as error:
                self.add_error(name, str(error))
        return cleaned

    def _post_clean(self) -> None:
        """Nothing is put into the row: it is not this form that saves one."""


@admin.register(Price)
class PriceAdmin(Records):
    """Prices are only ever added, by the same door as everywhere: as a revision that restarts no replica.

    Nobody changes or deletes one, which the database holds as well.
    """

    looks = Permission.USAGE
    adds = Permission.PRICES
    form = _NewPrice
    list_display = [
        "deployment",
        "currency",
        "input_per_million",
        "output_per_million",
        "cached_input_per_million",
        "effective_from",
    ]
    list_select_related = ["deployment"]
    search_fields = ["=deployment__name"]

    def get_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        names = _NewPrice.Meta.fields
        return [*names, "effective_from"] if obj else names

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        return self.get_fields(request, obj) if obj else ()

    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: bool) -> None:
        said = form.cleaned_data
        deployment: Deployment = said["deployment"]
        assert deployment.current is not None
        pricing = Pricing(
            said["currency"],
            said["input_per_million"],
            said["output_per_million"],
            said["cached_input_per_million"] or None,
        )
        spec = replace(deployment.current.spec, pricing=pricing)
        author: Any = request.user  # who is here has signed in
        desired.revise(deployment, spec, author=author, expected=deployment.current.number, note="Price")
        made = deployment.prices.first()
        assert made is not None
        obj.pk = made.pk
        obj.refresh_from_db()
