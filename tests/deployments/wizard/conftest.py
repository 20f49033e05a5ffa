"""An administrator at the wizard: a model, an endpoint on a cluster with GPUs, and a browser without scripts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from console.access import Role
from console.models import User
from deployments.facts import Addons, ClusterFacts, GpuNode, StorageClass
from deployments.models import CatalogModel, Cluster, Draft, Endpoint, Provider
from deployments.quantity import GIBI
from deployments.vocabulary import ClusterKind, Routing

H100, L40S = "NVIDIA-H100-80GB-HBM3", "NVIDIA-L40S"
FACTS = ClusterFacts(
    version="v1.34.2",
    gpu_nodes=(
        GpuNode("gpu-1", H100, 80 * GIBI, total=8, free=5),
        GpuNode("gpu-2", L40S, 48 * GIBI, total=4, free=4),
    ),
    storage_classes=(StorageClass("fast", default=True),),
    addons=Addons(metrics_server=False, gateway_api=True),
    checked_at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
)


def person(email: str, role: Role | None) -> User:
    user = User.objects.create_user(email, "a-long-password", name=email.split("@")[0].capitalize())
    if role:
        user.groups.add(Group.objects.get(name=role.value))
    return user


@pytest.fixture
def user(db: None) -> User:
    return person("alice@example.com", Role.ADMINISTRATOR)


@pytest.fixture
def web(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


@pytest.fixture
def model(db: None) -> CatalogModel:
    provider = Provider.objects.create(slug="meta", name="Meta")
    return CatalogModel.objects.create(
        slug="opt-125m",
        name="OPT 125M",
        provider=provider,
        source_reference="facebook/opt-125m",
        parameters=125_000_000,
        bits_per_parameter=16,
        layers=12,
        attention_heads=12,
        kv_heads=12,
        head_size=64,
        context_length=2048,
    )


@pytest.fixture
def endpoint(db: None) -> Endpoint:
    cluster = Cluster.objects.create(
        slug="osl-1", name="osl-1", kind=ClusterKind.SANDBOX, facts=FACTS.to_mapping()
    )
    return Endpoint.objects.create(
        slug="main",
        name="Main",
        hostname="llm.example.com",
        cluster=cluster,
        routing=Routing.SERVICE,
        ready=True,
    )


@pytest.fixture
def draft(web: Client, model: CatalogModel, endpoint: Endpoint) -> Draft:
    """General is done; everything else says what was proposed."""
    url = reverse("model_deploy", args=[model.slug])
    response = web.post(url, {"name": "chat", "description": "For everyone", "endpoint": "main"})
    assert response.status_code == 302, response.content.decode()
    return Draft.objects.get()


@pytest.fixture
def at(draft: Draft) -> Callable[[str], str]:
    """The address of a step of the draft."""
    return lambda slug: reverse("draft_step", args=[draft.pk, slug])


ENGINE: dict[str, Any] = {
    "kind": "vllm",
    "image": "vllm/vllm-openai",
    "tag": "v0.33.0",
    "replicas": "1",
    "volume": "100Gi",
    "arguments": "",
}
RESOURCES: dict[str, Any] = {
    "gpu_product": "",
    "gpu_count": "1",
    "gpu_resource": "nvidia.com/gpu",
    "cpu_request": "4",
    "cpu_limit": "8",
    "memory_request": "16Gi",
    "memory_limit": "32Gi",
}
AUTOSCALING: dict[str, Any] = {
    "enabled": "on",
    "min_replicas": "1",
    "max_replicas": "4",
    "metric": "cpu",
    "threshold_cpu": "80",
}
PRICING: dict[str, Any] = {"currency": "USD", "input": "0.15", "output": "0.60"}
VALID = {
    "engine": ENGINE,
    "resources": RESOURCES,
    "autoscaling": AUTOSCALING,
    "pricing": PRICING,
    "rate-limits": {"organization_on": "on", "organization_tokens": "1000"},
}


def variables(*rows: dict[str, str]) -> dict[str, str]:
    """The environment step's fields for these rows."""
    data = {"variables-TOTAL_FORMS": str(len(rows)), "variables-INITIAL_FORMS": "0"}
    for index, row in enumerate(rows):
        data |= {f"variables-{index}-{key}": value for key, value in row.items()}
    return data
