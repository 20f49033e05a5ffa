"""People of the console, a cluster with facts, and a kubeconfig that is accepted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import Group
from django.test import Client

from console.access import Role
from console.models import User
from deployments.facts import Addons, ClusterFacts, GpuNode, StorageClass
from deployments.models import Cluster
from deployments.quantity import GIBI
from deployments.vocabulary import ClusterKind
from tests.deployments.pages import world

SECRET = "canary-token-that-no-page-may-show"
FACTS = ClusterFacts(
    version="v1.34.2",
    permissions_missing=("patch statefulsets.apps", "get pods/log"),
    gpu_nodes=(
        GpuNode("gpu-1", "NVIDIA-H100-80GB-HBM3", 80 * GIBI, total=8, free=5),
        GpuNode("gpu-2", "NVIDIA-H100-80GB-HBM3", 80 * GIBI, total=8, free=8, ready=False),
        GpuNode("gpu-3", "NVIDIA-L40S", 48 * GIBI, total=4, free=4),
    ),
    storage_classes=(StorageClass("fast", default=True, expandable=True), StorageClass("slow")),
    addons=Addons(metrics_server=True, gateway_api=True),
    checked_at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
)


def person(email: str, role: Role | None) -> User:
    user = User.objects.create_user(email, "a-long-password", name=email.split("@")[0].capitalize())
    if role:
        user.groups.add(Group.objects.get(name=role.value))
    return user


@pytest.fixture
def web(client: Client, db: None) -> Client:
    alice = person("alice@example.com", Role.ADMINISTRATOR)
    client.force_login(alice)
    world.confirm(client, alice)
    return client


@pytest.fixture
def cluster(db: None) -> Cluster:
    return Cluster.objects.create(
        slug="osl-1",
        name="Oslo 1",
        kind=ClusterKind.KUBECONFIG,
        kubeconfig=kubeconfig("https://192.0.2.1"),
        kubeconfig_set_at=datetime(2026, 11, 22, 14, 0, tzinfo=UTC),
        facts=FACTS.to_mapping(),
        checked_at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
    )


def kubeconfig(server: str, *, user: dict[str, Any] | None = None) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "a", "cluster": {"server": server}}],
            "users": [{"name": "a", "user": {"token": SECRET} if user is None else user}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "current-context": "a",
        }
    )


def fields(**changes: Any) -> dict[str, Any]:
    """What the form of a cluster sends."""
    return {"name": "Oslo 2", "slug": "osl-2", "kind": "kubeconfig", "kubeconfig_text": "", **changes}
