"""The example: organisations, people, providers, models, the sandbox cluster, an endpoint and one deployment.

Safe to run twice: what is there stays as people left it.
"""

import os
import secrets
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from console.access import Role
from console.audit import acting_as_program, record, rows
from console.models import Membership, Organization, User
from deployments import audited, desired
from deployments.models import CatalogModel, Cluster, Deployment, Endpoint, Provider
from deployments.spec import (
    DeploymentSpec,
    EngineSpec,
    Limit,
    Pricing,
    RateLimits,
    Resources,
    SharingSpec,
)
from deployments.vocabulary import ClusterKind, Engine, Routing, Sharing, SourceKind, UseCase
from metering import example

ADMINISTRATOR = "admin@example.com"
SANDBOX_PROMETHEUS = "http://prometheus.monitoring:9090"
"""Where KEDA finds the engines' figures inside the sandbox; nobody else can reach it."""
PEOPLE = [
    # e-mail, name, organisation, role there
    ("bob@acme.example", "Bob Acme", "acme", Membership.Role.OWNER),
    ("bea@acme.example", "Bea Acme", "acme", Membership.Role.MEMBER),
    ("charlie@globex.example", "Charlie Globex", "globex", Membership.Role.OWNER),
]
ORGANIZATIONS = {"acme": "Acme", "globex": "Globex"}
PROVIDERS = {"meta": ("Meta", "https://ai.meta.com"), "qwen": ("Qwen", "https://qwen.ai")}
MODELS: list[dict[str, Any]] = [
    {
        "slug": "opt-125m",
        "name": "OPT 125M",
        "provider": "meta",
        "use_case": UseCase.COMPLETION,
        "description": "A very small model: the quickest way to see a rollout from end to end.",
        "source_reference": "facebook/opt-125m",
        "source_revision": "27dcfa74d334bc871f3234de431e71c6eeba5dd6",
        "parameters": 125_000_000,
        "bits_per_parameter": 16,
        "layers": 12,
        "attention_heads": 12,
        "kv_heads": 12,
        "head_size": 64,
        "context_length": 2048,
    },
    {
        "slug": "llama-8b-instruct",
        "name": "Llama 3.1 8B Instruct",
        "provider": "meta",
        "use_case": UseCase.CHAT,
        "description": "A general chat model. Its weights are gated: the account must have accepted the licence.",
        "source_reference": "meta-llama/Llama-3.1-8B-Instruct",
        "source_revision": "0e9e39f249a16976918f6564b8830bc894c89659",
        "weights_token": "hf_example_token_for_the_sandbox",
        "parameters": 8_030_000_000,
        "bits_per_parameter": 16,
        "layers": 32,
        "attention_heads": 32,
        "kv_heads": 8,
        "head_size": 128,
        "context_length": 131_072,
    },
    {
        "slug": "qwen3-embedding-0-6b",
        "name": "Qwen3 Embedding 0.6B",
        "provider": "qwen",
        "use_case": UseCase.EMBEDDING,
        "description": "Text embeddings for search.",
        "source_reference": "Qwen/Qwen3-Embedding-0.6B",
        "parameters": 596_000_000,
        "bits_per_parameter": 16,
        "layers": 28,
        "attention_heads": 16,
        "kv_heads": 8,
        "head_size": 128,
        "context_length": 32_768,
    },
]


class Command(BaseCommand):
    help = "Adds the example data: organisations, people, models, a cluster, an endpoint, one deployment."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("SLIPWAY_EXAMPLE_PASSWORD", "")
        generated = "" if password else secrets.token_urlsafe(12)
        with acting_as_program("manage.py seed"):
            made = add_people(password or generated, is_chosen=bool(password))
            add_catalog()
            if settings.SANDBOX_KUBECONFIG:
                endpoint = add_sandbox(settings.SANDBOX_KUBECONFIG)
                add_deployment(endpoint)
        if made and generated:
            self.stdout.write(f"Sign in as {ADMINISTRATOR} with the password {generated}")


def add_people(password: str, *, is_chosen: bool) -> bool:
    """True when the administrator was made now.

    Known people keep their password, unless one was chosen for the example: then that one holds.
    """
    for slug, name in ORGANIZATIONS.items():
        organization, is_new = Organization.objects.get_or_create(slug=slug, defaults={"name": name})
        if is_new:
            record("organization.created", organization, after={"name": name})
    admin = User.objects.filter(email=ADMINISTRATOR).first()
    if admin is not None:
        if is_chosen and not admin.check_password(password):
            for user in User.objects.filter(email__in=[ADMINISTRATOR, *(email for email, *_ in PEOPLE)]):
                user.set_password(password)
                user.save(update_fields=["password"])
                record("person.password_changed", user)
        return False
    admin = User.objects.create_user(ADMINISTRATOR, password, name="Alice Berg", is_staff=True)
    admin.groups.add(Group.objects.get(name=Role.ADMINISTRATOR))
    record("person.created", admin, after={"name": admin.name, "role": Role.ADMINISTRATOR})
    for email, name, slug, role in PEOPLE:
        user = User.objects.create_user(email, password, name=name)
        tenant = Organization.objects.get(slug=slug)
        Membership.objects.create(user=user, organization=tenant, role=role)
        record("person.created", user, after={"name": name, "role": role}, organization=tenant)
    return True


def add_catalog() -> None:
    for slug, (name, website) in PROVIDERS.items():
        provider, is_new = Provider.objects.get_or_create(
            slug=slug, defaults={"name": name, "website": website}
        )
        if is_new:
            record("provider.created", provider, after=rows.columns(provider, audited.PROVIDER))
    for facts in MODELS:
        values = {"source_kind": SourceKind.HUGGING_FACE, **facts}
        values["provider"] = Provider.objects.get(slug=facts["provider"])
        if facts.get("weights_token"):
            values["weights_token_set_at"] = timezone.now()
        model, is_new = CatalogModel.objects.get_or_create(slug=values.pop("slug"), defaults=values)
        if is_new:
            record("model.created", model, after=rows.columns(model, audited.MODEL))


def add_sandbox(kubeconfig_path: str) -> Endpoint:
    """The sandbox gets a new address with each start, so its kubeconfig is always taken over."""
    with open(kubeconfig_path, encoding="utf-8") as file:
        kubeconfig = file.read()
    stored = Cluster.objects.filter(slug="sandbox").first()
    before = rows.columns(stored, audited.CLUSTER) if stored else None
    cluster, is_new = Cluster.objects.update_or_create(
        slug="sandbox",
        defaults={"kubeconfig": kubeconfig},
        create_defaults={
            "name": "Sandbox",
            "kind": ClusterKind.SANDBOX,
            "kubeconfig": kubeconfig,
            "prometheus_url": SANDBOX_PROMETHEUS,
        },
    )
    verb = "created" if is_new else "edited"
    record(f"cluster.{verb}", cluster, before=before, after=rows.columns(cluster, audited.CLUSTER))
    endpoint, is_new = Endpoint.objects.get_or_create(
        slug="main",
        defaults={
            "name": "main",
            "hostname": "models.sandbox.example",
            "cluster": cluster,
            "namespace": "models",
            "routing": Routing.SERVICE,
        },
    )
    if is_new:
        record("endpoint.created", endpoint, after=rows.columns(endpoint, audited.ENDPOINT))
    return endpoint


def add_deployment(endpoint: Endpoint) -> None:
    if Deployment.objects.filter(name="llama-8b-chat").exists() or Deployment.objects.exists():
        return
    spec = DeploymentSpec(
        name="llama-8b-chat",
        description="Chat for everyone",
        model="llama-8b-instruct",
        endpoint=endpoint.slug,
        engine=EngineSpec(
            Engine.VLLM, "vllm/vllm-openai", "v0.33.0", 1, "100Gi", ("--max-model-len", "8192")
        ),
        resources=Resources(),
        rate_limits=RateLimits(
            organization=Limit(200_000, 600), user=Limit(50_000, 120), api_key=Limit(20_000, 60)
        ),
        pricing=Pricing("USD", Decimal("0.15"), Decimal("0.60")),
        sharing=SharingSpec(Sharing.SELECTED, ("acme",)),
    )
    made = desired.create(spec, author=User.objects.get(email=ADMINISTRATOR), note="Example")
    if member := Membership.objects.filter(user__email=PEOPLE[1][0], organization__slug="acme").first():
        example.add_day(made, member.user, member.organization, timezone.now())
