"""What a form of the console makes, changes and deletes, a program does with the same values and sentences."""

from __future__ import annotations

import pytest

from console.access_key import IdempotentCall
from console.audit.entry import AuditEntry
from deployments.models import CatalogModel, Cluster, Provider
from deployments.vocabulary import ClusterKind
from tests.console.api.conftest import Caller, problem
from tests.deployments.pages import world

pytestmark = pytest.mark.django_db
MODEL = {"slug": "llama-70b", "name": "Llama", "provider": "meta", "source_reference": "meta/llama-70b"}


def test_a_provider_and_a_model_are_made_changed_and_deleted(admin: Caller) -> None:
    assert admin("POST", "/providers", {"slug": "meta", "name": "Meta"}).status_code == 201
    made = admin("POST", "/models", {**MODEL, "weights_token": "hf_secret_token"}, idempotency_key="one")
    assert made.status_code == 201, made.content
    assert made.json()["has_weights_token"]
    # Written and never read: not in an answer, not in what is kept of the call, not in the audit.
    kept = [
        *IdempotentCall.objects.values_list("body", flat=True),
        *AuditEntry.objects.values_list("changes"),
    ]
    assert "hf_secret_token" not in f"{made.content!r} {admin('GET', '/models/llama-70b').content!r} {kept}"
    assert CatalogModel.objects.get().weights_token.reveal() == "hf_secret_token"
    assert made.json()["provider"] == "meta"
    changed = admin("PATCH", "/models/llama-70b", {"name": "Newer"})
    assert changed.status_code == 200, changed.content
    assert (changed.json()["name"], changed.json()["source_reference"]) == ("Newer", "meta/llama-70b")
    assert admin("GET", "/models/llama-70b").json() == changed.json()
    assert CatalogModel.objects.get().weights_token.reveal() == "hf_secret_token"
    assert admin("DELETE", "/models/llama-70b").status_code == 204
    assert not CatalogModel.objects.exists()
    assert Provider.objects.count() == 1


def test_what_is_wrong_with_each_value_is_said_by_its_name(admin: Caller) -> None:
    world.model()
    said = problem(admin("POST", "/models", {**MODEL, "slug": "Not A Slug", "provider": "none"}), 422)
    assert {each["path"] for each in said["errors"]} & {"slug", "provider"}


def test_a_model_that_is_deployed_stays(admin: Caller) -> None:
    world.deployment("chat")
    problem(admin("DELETE", "/models/llama-8b"), 409)
    problem(admin("DELETE", "/clusters/fra-1"), 409)


def test_a_cluster_and_an_endpoint_change_only_in_what_is_sent(admin: Caller) -> None:
    world.deployment("chat")
    Cluster.objects.update(kind=ClusterKind.IN_CLUSTER)
    before = admin("GET", "/clusters/fra-1").json()
    assert admin("PATCH", "/clusters/fra-1", {"name": "Frankfurt"}).json() == {**before, "name": "Frankfurt"}
    assert Cluster.objects.get().name == "Frankfurt"
    before = admin("GET", "/endpoints/main").json()
    changed = admin("PATCH", "/endpoints/main", {"name": "Main door"})
    assert changed.json()["name"] == "Main door", changed.content
    assert changed.json()["hostname"] == before["hostname"]
