"""The form of an endpoint: host name, place, route and certificate. A private key goes in and never comes out again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import copy
from typing import Any

from django import forms
from django.utils import timezone

from console.models import User
from console.presentation.widgets import ChoiceCards
from deployments.clusters.page import facts_of
from deployments.document import rules
from deployments.endpoints import certificates, hostnames
from deployments.models import Cluster, Endpoint
from deployments.short_names import ShortNameField
from deployments.vocabulary import Routing, TlsMode
from deployments.write_only import PublicText, WriteOnlyText

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_ROUTING_FACTS = {
    Routing.GATEWAY: "An HTTPRoute on a Gateway. Streams are not cut.",
    Routing.INGRESS: "An Ingress of a class of the cluster.",
    Routing.SERVICE: "Reachable inside the cluster alone, by gateways too.",
}
_TLS_FACTS = {
    TlsMode.NONE: ["Plain HTTP, or TLS set on the Gateway."],
    TlsMode.PEM: ["Uploaded here, served by an Ingress."],
    TlsMode.SECRET: ["In the endpoint's namespace."],
}
_SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")


def object_name(what: str, *, label: bool) -> Any:
    """A rule for names of Kubernetes objects: one DNS label, or several with dots."""

    def rule(value: str) -> None:
        parts = [value] if label else value.split(".")
        if not all(_LABEL.fullmatch(part) for part in parts):
            dots = "" if label else ", dots"
            raise forms.ValidationError(
                f"“{value[:60]}” is not the name of {what}. Use lower-case letters, digits{dots} and hyphens inside."
            )

    return rule


def _plain(**attrs: Any) -> forms.TextInput:
    return forms.TextInput(attrs={"autocapitalize": "off", "spellcheck": "false", **attrs})


def _name(what: str, heading: str, *, label: bool = False, **options: Any) -> forms.CharField:
    attrs = options.pop("attrs", {})
    return forms.CharField(
        label=heading,
        max_length=63 if label else 253,
        validators=[object_name(what, label=label)],
        widget=_plain(**attrs),
        **{"required": False, **options},
    )


class EndpointForm(forms.ModelForm):
    """An endpoint to add or to change. With deployments on it, what their objects are bound to stays."""

    use_required_attribute = False

    slug = ShortNameField(help_text="In addresses and documents: lower-case letters, digits and hyphens.")
    hostname = forms.CharField(
        label="Host name",
        max_length=1000,
        widget=_plain(placeholder="models.example.com", inputmode="url"),
        help_text="Clients call it; each deployment has its own path below.",
    )
    namespace = _name("a namespace", "Namespace", label=True, required=True)
    gateway_name = _name("a Gateway", "Gateway")
    gateway_namespace = _name(
        "a namespace", "Namespace of the Gateway", label=True, help_text="Empty: the endpoint's own."
    )
    gateway_section = _name("a listener", "Listener", help_text="sectionName; empty: any that fits.")
    ingress_class = _name("an ingress class", "Ingress class", help_text="Empty: the cluster's default.")
    tls_certificate = forms.CharField(
        label="Certificate",
        required=False,
        max_length=certificates.LARGEST_PEM,
        widget=PublicText(attrs={"rows": 6, "class": "mono"}),
        help_text="PEM: that of the host name first, then those of its issuers.",
    )
    tls_key_text = forms.CharField(
        label="Private key",
        required=False,
        max_length=certificates.LARGEST_PEM,
        widget=WriteOnlyText(attrs={"rows": 6, "class": "mono"}),
        help_text="PEM, without a passphrase. Stored encrypted and never shown again.",
    )
    tls_secret_name = _name("a secret", "Secret", help_text="Of the type kubernetes.io/tls.")
    storage_class = _name(
        "a storage class",
        "Storage class",
        attrs={"list": "storage-classes"},
        help_text="Of the replicas' volumes. Empty: the cluster's default.",
    )
    pull_secret = _name(
        "a secret",
        "Registry secret",
        help_text="In the namespace, for images of a private registry. NVIDIA's images use the NGC key instead.",
    )

    class Meta:
        model = Endpoint
        fields = [
            "name",
            "slug",
            "hostname",
            "cluster",
            "namespace",
            "routing",
            "gateway_name",
            "gateway_namespace",
            "gateway_section",
            "ingress_class",
            "tls",
            "tls_certificate",
            "tls_secret_name",
            "storage_class",
            "pull_secret",
        ]
        labels = {"routing": "How requests reach deployments", "tls": "Where the certificate is"}

    def __init__(self, *args: Any, user: User, deployments: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deployments = deployments
        self.before = copy(self.instance) if self.instance.pk else None
        self.clusters = list(Cluster.objects.visible_to(user).defer("kubeconfig").order_by("name"))
        self.fields["cluster"] = _ClusterField(self.clusters)
        self.fields["routing"].choices = Routing.choices()  # type: ignore[attr-defined]
        self.fields["routing"].widget = ChoiceCards(choices=Routing.choices(), facts=self._routing_facts())
        self.fields["tls"].choices = TlsMode.choices()  # type: ignore[attr-defined]
        self.fields["tls"].widget = ChoiceCards(
            choices=TlsMode.choices(), facts={mode.value: facts for mode, facts in _TLS_FACTS.items()}
        )
        if deployments:
            some = f"{deployments} deployments run" if deployments > 1 else "a deployment runs"
            for name in ("slug", "cluster", "namespace"):
                self.fields[name].help_text = f"Cannot change while {some} here."
        self.accepted_key = ""

    @property
    def storage_classes(self) -> list[str]:
        """Of all clusters, for the list beside the field; the check says whether this one has it."""
        found = (facts_of(cluster) for cluster in self.clusters)
        return sorted({known.name for facts in found if facts for known in facts.storage_classes})

    @property
    def key_is_stored(self) -> bool:
        return self.before is not None and self.before.tls == TlsMode.PEM and bool(self.before.tls_key)

    def clean_hostname(self) -> str:
        try:
            return hostnames.hostname(self.cleaned_data["hostname"])
        except rules.Refused as error:
            raise forms.ValidationError(str(error)) from None

    def clean_namespace(self) -> str:
        name: str = self.cleaned_data["namespace"]
        if name in _SYSTEM_NAMESPACES:
            raise forms.ValidationError(f"{name} belongs to Kubernetes itself. Use a namespace for models.")
        return name

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        key = cleaned.pop("tls_key_text", "") or ""
        self._refuse_moves(cleaned)
        self._refuse_double(cleaned)
        if cleaned.get("routing") == Routing.GATEWAY and not cleaned.get("gateway_name"):
            self._beside("gateway_name", "A route needs its Gateway. Give the name of one.")
        if cleaned.get("tls") == TlsMode.SECRET and not cleaned.get("tls_secret_name"):
            self._beside("tls_secret_name", "Give the name of the secret that holds the certificate.")
        if cleaned.get("tls") == TlsMode.PEM:
            self._judge_pair(cleaned, key)
        if key and self.errors and "tls_key_text" not in self.errors:
            self.add_error(
                "tls_key_text", "It was not kept while other settings need a change. Give it again."
            )
        return cleaned

    def save(self, commit: bool = True) -> Endpoint:
        """What does not belong to the chosen route and certificate is dropped, secrets above all."""
        endpoint: Endpoint = super().save(commit=False)
        if endpoint.routing != Routing.GATEWAY:
            endpoint.gateway_name = endpoint.gateway_namespace = endpoint.gateway_section = ""
        if endpoint.routing != Routing.INGRESS:
            endpoint.ingress_class = ""
        if endpoint.tls != TlsMode.SECRET:
            endpoint.tls_secret_name = ""
        if endpoint.tls == TlsMode.PEM:
            known = certificates.describe(endpoint.tls_certificate)
            endpoint.tls_expires_at = known.expires_at if known else None
            if self.accepted_key:
                endpoint.tls_key = self.accepted_key  # type: ignore[assignment]
        else:
            endpoint.tls_certificate, endpoint.tls_key, endpoint.tls_expires_at = "", "", None  # type: ignore[assignment]
        # The last check was of something else.
        endpoint.ready, endpoint.not_ready_reason, endpoint.checked_at = None, "", None
        if commit:
            endpoint.save()
        return endpoint

    def _refuse_moves(self, cleaned: dict[str, Any]) -> None:
        if not self.deployments or self.before is None:
            return
        for name, kept in (
            ("slug", self.before.slug),
            ("cluster", self.before.cluster_id),
            ("namespace", self.before.namespace),
            ("storage_class", self.before.storage_class),
        ):
            value = cleaned.get(name)
            if value is not None and (value.pk if isinstance(value, Cluster) else value) != kept:
                what = {"slug": "short name", "storage_class": "storage class"}.get(name, name)
                self.add_error(
                    name,
                    f"The {what} cannot change while deployments run here: their objects and volumes would stay "
                    "behind. Add another endpoint and move them.",
                )

    def _refuse_double(self, cleaned: dict[str, Any]) -> None:
        name, cluster = cleaned.get("hostname"), cleaned.get("cluster")
        if not name or not cluster:
            return
        others = Endpoint.objects.filter(hostname=name, cluster=cluster).exclude(pk=self.instance.pk)
        if other := others.only("name").first():
            self.add_error("hostname", f"{name} is the host name of {other.name} on {cluster.name} already.")

    def _judge_pair(self, cleaned: dict[str, Any], key: str) -> None:
        if {"tls_certificate", "tls_key_text", "hostname"} & set(self.errors):
            return
        chain = cleaned.get("tls_certificate") or ""
        if not chain:
            self.add_error("tls_certificate", "Paste the certificate of the host name.")
            return
        stored = self.before.tls_key.reveal() if self.key_is_stored and self.before else ""
        if not key and not stored:
            self.add_error("tls_key_text", "Paste the key that belongs to the certificate.")
            return
        judged = certificates.judge(chain, key or stored, cleaned["hostname"], timezone.now())
        for problem in judged.chain_problems:
            self.add_error("tls_certificate", problem)
        for problem in judged.key_problems:
            self.add_error("tls_key_text", problem)
        if judged.accepted:
            self.accepted_key = key

    def _beside(self, name: str, sentence: str) -> None:
        if name not in self.errors:
            self.add_error(name, sentence)

    def _routing_facts(self) -> dict[str, list[str]]:
        facts = {routing.value: [text] for routing, text in _ROUTING_FACTS.items()}
        known = [(cluster.name, facts_of(cluster)) for cluster in self.clusters]
        lacking = [name for name, found in known if found and not found.addons.gateway_api]
        if lacking:
            more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
            facts[Routing.GATEWAY.value].append(f"Not installed on {', '.join(lacking[:3])}{more}.")
        return facts


class _ClusterField(forms.ChoiceField):
    """One of the clusters that were read already, so that the page costs no second query."""

    def __init__(self, clusters: Iterable[Cluster]) -> None:
        self.known = {str(cluster.pk): cluster for cluster in clusters}
        blank = [("", "Choose a cluster")] if len(self.known) != 1 else []
        super().__init__(label="Cluster", choices=blank + [(pk, c.name) for pk, c in self.known.items()])

    def prepare_value(self, value: Any) -> str:
        return str(value.pk if isinstance(value, Cluster) else value or "")

    def clean(self, value: Any) -> Any:
        return self.known[super().clean(value)]
