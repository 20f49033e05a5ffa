"""Another key or token, or none, queues the deployments that use it: in few statements, and no others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.models import User
from deployments import desired
from deployments.clusters import check as cluster_check
from deployments.context import RenderContext
from deployments.manifests import render
from deployments.models import Cluster, Deployment, Provider
from deployments.spec import DeploymentSpec
from deployments.vocabulary import ClusterKind, DesiredState
from tests.deployments.manifests import cases, nim_cases
from tests.deployments.pages import world
from tests.deployments.wizard.conftest import FACTS


@pytest.fixture(autouse=True)
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_check, "probe", lambda access: FACTS)


@pytest.fixture(autouse=True)
def running() -> Deployment:
    """One on the cluster fra-1 with the model llama-8b, and one that shares neither; nothing is due."""
    made = world.deployment()
    Cluster.objects.update(kind=ClusterKind.KUBECONFIG, kubeconfig="kept")
    world.model("other")
    world.endpoint("far", cluster="far-1")
    world.deployment("elsewhere", model="other", endpoint="far")
    Deployment.objects.update(reconcile_due_at=None)
    return made


@pytest.fixture
def web() -> Client:
    return world.signed_in(world.person())


def due() -> list[str]:
    return sorted(Deployment.objects.exclude(reconcile_due_at=None).values_list("name", flat=True))


def nothing_due() -> None:
    Deployment.objects.update(reconcile_due_at=None)


def save_cluster(web: Client, **changes: Any) -> str:
    sent = {"name": "fra-1", "slug": "fra-1", "kind": "kubeconfig", "prometheus_url": "", **changes}
    answer = web.post("/clusters/fra-1/edit/", sent, follow=True)
    assert answer.redirect_chain, answer.text
    return answer.text


def save_model(web: Client, **changes: Any) -> str:
    sent = {
        "name": "Llama 8B",
        "slug": "llama-8b",
        "provider": str(Provider.objects.get().pk),
        "use_case": "chat",
        "source_kind": "hugging-face",
        "source_reference": "meta/llama-8b",
        **changes,
    }
    answer = web.post("/models/llama-8b/edit/", sent, follow=True)
    assert answer.redirect_chain, answer.text
    return answer.text


SAVE = [(save_cluster, "ngc_key", "forget_ngc_key"), (save_model, "ngc_key", "forget_ngc_key")]
SAVE_ALL = [*SAVE, (save_model, "weights_token", "forget_token")]


@pytest.mark.parametrize(("save", "field", "box"), SAVE_ALL)
def test_a_key_that_comes_changes_or_goes_queues_those_that_use_it(
    web: Client, save: Any, field: str, box: str
) -> None:
    for sent, said in (
        ({field: "first-key"}, "replicas that use the key or token restart"),
        ({field: "second-key"}, "running pods read it at their next start"),
        ({box: "on"}, "replicas that use the key or token restart"),
    ):
        nothing_due()
        assert said in save(web, **sent)
        assert due() == ["chat"]


@pytest.mark.parametrize(("save", "field", "box"), SAVE_ALL)
def test_saving_anything_else_queues_nothing(web: Client, save: Any, field: str, box: str) -> None:
    save(web, **{field: "first-key"})
    nothing_due()
    save(web, name="Another name", **{field: ""})
    assert due() == []


@pytest.mark.parametrize("kind", ["cluster", "catalogmodel"])
def test_the_admin_of_django_queues_them_too(client: Client, kind: str, running: Deployment) -> None:
    root = User.objects.create_superuser("root@example.com", "a-long-password", name="Root")
    client.force_login(root)
    world.confirm(client, root)
    record = running.endpoint.cluster if kind == "cluster" else running.model
    sent = {"name": record.name, "prometheus_url": "", "provider": str(running.model.provider_id)}
    address = f"/admin/deployments/{kind}/{record.pk}/change/"
    assert client.post(address, sent).status_code == 302
    assert due() == []
    assert client.post(address, {**sent, "ngc_key": "by-hand"}).status_code == 302
    assert due() == ["chat"]


def test_it_is_one_statement_however_many_there_are(running: Deployment) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as asked:
            desired.key_changed(running.endpoint.cluster)
            desired.key_changed(running.model)
        return len(asked)

    assert running.endpoint.cluster
    assert running.model
    assert statements() == 2
    for number in range(5):
        world.deployment(f"more-{number}")
    assert statements() == 2
    assert len(due()) == 6


def test_what_is_being_deleted_is_left_alone(running: Deployment) -> None:
    Deployment.objects.update(desired_state=DesiredState.DELETED)
    assert desired.key_changed(running.model) == 0
    assert due() == []


def pods(spec: DeploymentSpec, context: RenderContext) -> Any:
    return next(each["spec"]["template"] for each in render(spec, context) if each["kind"] == "StatefulSet")


def test_another_value_is_no_part_of_a_pod_and_the_first_one_is() -> None:
    """What the forms say."""
    token = replace(cases.CONTEXT, weights_token="one")
    assert pods(cases.SIMPLEST, token) == pods(cases.SIMPLEST, replace(token, weights_token="two"))
    assert pods(cases.SIMPLEST, token) != pods(cases.SIMPLEST, cases.CONTEXT)
    key = nim_cases.CONTEXT
    assert pods(nim_cases.NIM, key) == pods(nim_cases.NIM, replace(key, ngc_key="two"))
    assert pods(nim_cases.NIM, key) != pods(nim_cases.NIM, replace(key, ngc_key=None))
