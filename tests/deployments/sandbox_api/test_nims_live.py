"""A NIM as a person meets it: kubectl and the official client against the whole cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import yaml

from deployments.context import ClusterOffers
from deployments.manifests import render
from tests.deployments.manifests.nim_cases import CASES, given, operated
from tests.deployments.sandbox_api.cluster import Cluster, eventually

_NAME = "md-llama-8b"


@pytest.fixture
def official(living: Cluster) -> Iterator[Any]:
    """The official client's door to kinds that it does not know."""
    from kubernetes import client, config

    configuration = client.Configuration()
    config.load_kube_config(str(living.kubeconfig), client_configuration=configuration)
    with client.ApiClient(configuration) as made:
        yield client.CustomObjectsApi(made)


def _text(namespace: str, spec: Any, context: Any) -> str:
    """What `manage.py render` would print."""
    context = replace(context, namespace=namespace, offers=ClusterOffers(nim_operator=True))
    return yaml.safe_dump_all(render(spec, context))


def _state(cluster: Cluster, namespace: str) -> str:
    told = cluster.kubectl("-n", namespace, "get", "nimservice", _NAME, "-o", "jsonpath={.status.state}")
    return told.strip()


def _pods(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    return list(json.loads(cluster.kubectl("-n", namespace, "get", "pods", "-o", "json"))["items"])


def test_a_stateful_set_of_a_nim_serves_under_its_name(living: Cluster, living_namespace: str) -> None:
    apply = ("-n", living_namespace, "apply", "--server-side", "-f", "-")
    living.kubectl(*apply, stdin=_text(living_namespace, *CASES["nim-2"]))
    living.kubectl("-n", living_namespace, "rollout", "status", f"sts/{_NAME}", "--timeout=25s")
    (pod,) = _pods(living, living_namespace)
    url = pod["metadata"]["annotations"]["sandbox.slipway/engine"]
    assert httpx.get(f"{url}/v1/health/ready").status_code == 200
    assert httpx.get(f"{url}/v1/models").json()["data"][0]["id"] == "llama-8b"


def test_a_nim_service_becomes_ready_and_goes_with_all_that_was_made(
    living: Cluster, living_namespace: str, official: Any
) -> None:
    apply = ("-n", living_namespace, "apply", "--server-side", "-f", "-")
    assert "serverside-applied" in living.kubectl(
        *apply, stdin=_text(living_namespace, *CASES["nim-operator"])
    )
    eventually(lambda: _state(living, living_namespace) == "Ready")
    assert "Ready" in living.kubectl("-n", living_namespace, "get", "nimservices")
    made = living.kubectl("-n", living_namespace, "get", "deploy,rs,svc,pvc", "-o", "name").split()
    assert f"deployment.apps/{_NAME}" in made
    living.kubectl("-n", living_namespace, "rollout", "status", f"deploy/{_NAME}", "--timeout=25s")
    place = ("apps.nvidia.com", "v1alpha1", living_namespace, "nimservices")
    found = official.get_namespaced_custom_object(*place, _NAME)
    assert found["status"]["model"]["name"] == "llama-8b"
    official.delete_namespaced_custom_object(*place, _NAME)
    kinds = "deploy,rs,pods,svc,pvc,hpa,sa"
    eventually(lambda: not living.kubectl("-n", living_namespace, "get", kinds, "-o", "name").split())


def test_a_key_that_ngc_refuses_is_told_in_the_registrys_words(
    living: Cluster, living_namespace: str
) -> None:
    apply = ("-n", living_namespace, "apply", "--server-side", "-f", "-")
    # A tag that no other test has left on a machine: what is there is not pulled again.
    spec = operated(engine=replace(operated().engine, tag="2.0.1"))
    living.kubectl(*apply, stdin=_text(living_namespace, spec, given(ngc_key="nvapi-invalid")))

    def told() -> bool:
        events = living.kubectl("-n", living_namespace, "get", "events", "-o", "jsonpath={..message}")
        return "failed to fetch oauth token" in events and "403 Forbidden" in events

    eventually(told)
    assert _state(living, living_namespace) == "NotReady"
    living.kubectl(*apply, stdin=_text(living_namespace, spec, given()))
    eventually(lambda: _state(living, living_namespace) == "Ready")
