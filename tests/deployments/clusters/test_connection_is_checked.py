"""A check asks the cluster, keeps the facts, and says what went wrong when it does not answer."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from deployments.models import Cluster
from tests.deployments.clusters.conftest import SECRET, fields, kubeconfig
from tests.faults.server import FaultyServer, Request, faulty_server, says


def kubernetes(*, allowed: bool = True):
    """A Kubernetes API with one node of two H100, and a pod that uses one."""
    node = {
        "metadata": {"name": "gpu-1", "labels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}},
        "status": {
            "allocatable": {"nvidia.com/gpu": "2"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
    limits = {"limits": {"nvidia.com/gpu": "1"}}
    pod = {
        "metadata": {"name": "p", "namespace": "models"},
        "spec": {"nodeName": "gpu-1", "containers": [{"name": "c", "resources": limits}]},
        "status": {"phase": "Running"},
    }
    answers = {
        "/version": {"gitVersion": "v1.34.2"},
        "/api/v1/nodes": {"items": [node]},
        "/api/v1/pods": {"items": [pod]},
        "/apis": {"groups": []},
    }

    def answer(connection: socket.socket, request: Request) -> None:
        if "selfsubjectaccessreviews" in request.path:
            asked = json.loads(request.body)["spec"]["resourceAttributes"]
            may = allowed or asked["resource"] != "secrets"
            says(201, {"status": {"allowed": may}})(connection, request)
            return
        says(200, answers.get(request.path.partition("?")[0], {"items": []}))(connection, request)

    return answer


@pytest.fixture
def api() -> Iterator[FaultyServer]:
    with faulty_server(kubernetes()) as server:
        yield server


def test_a_new_cluster_is_checked_at_once(web: Client, api: FaultyServer) -> None:
    page = web.post(
        reverse("cluster_create"), fields(kubeconfig_text=kubeconfig(api.url)), follow=True
    ).content.decode()
    assert "Oslo 2 is added. Oslo 2 answers: Kubernetes v1.34.2, 1 free GPU." in page
    cluster = Cluster.objects.get()
    assert cluster.facts is not None
    assert cluster.facts["version"] == "v1.34.2"
    assert cluster.checked_at is not None
    assert cluster.check_error == ""
    assert api.requests[0].headers.get("authorization") == f"Bearer {SECRET}"


def test_missing_rights_are_told_with_their_consequence(web: Client) -> None:
    with faulty_server(kubernetes(allowed=False)) as api:
        page = web.post(
            reverse("cluster_create"), fields(kubeconfig_text=kubeconfig(api.url)), follow=True
        ).content.decode()
    assert "5 rights missing" in page
    assert "Tokens and secret variables cannot be handed to engines." in page


def test_a_cluster_that_does_not_answer_keeps_its_last_facts(web: Client, cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    cluster.kubeconfig = kubeconfig(f"http://127.0.0.1:{port}")
    cluster.save()
    page = web.post(reverse("cluster_check", args=["osl-1"]), follow=True).content.decode()
    assert "Unreachable since" in page
    assert "the connection is refused" in page
    assert "The facts below are the last known ones." in page
    cluster.refresh_from_db()
    assert cluster.facts is not None
    assert cluster.facts["version"] == "v1.34.2"


def test_a_check_that_succeeds_takes_the_error_back(web: Client, cluster: Cluster, api: FaultyServer) -> None:
    cluster.kubeconfig, cluster.check_error = kubeconfig(api.url), "No answer."
    cluster.save()
    page = web.post(reverse("cluster_check", args=["osl-1"]), follow=True).content.decode()
    cluster.refresh_from_db()
    assert cluster.check_error == ""
    assert "Unreachable" not in page
    assert "Reachable" in page


def test_a_check_is_not_made_by_looking(web: Client, cluster: Cluster) -> None:
    assert web.get(reverse("cluster_check", args=["osl-1"])).status_code == 405
