"""A check looks up what an endpoint needs in its cluster, and says what is missing and what to do."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from deployments.endpoints import check as endpoint_check
from deployments.models import Cluster, Endpoint
from tests.deployments.clusters.conftest import kubeconfig
from tests.deployments.endpoints.certificates import HOST, NOW, issuer, make
from tests.deployments.endpoints.kubernetes import (
    GATEWAY,
    INGRESS_CLASS,
    NAMESPACE,
    PULL_SECRET,
    SECRET,
    STORAGE_CLASS,
    Objects,
    gateway,
    tls_secret,
)
from tests.faults.server import FaultyServer


def problem(endpoint: Endpoint, **changes: Any) -> str:
    """The stored reason after a check; empty for a ready endpoint."""
    for name, value in changes.items():
        setattr(endpoint, name, value)
    endpoint.save()
    endpoint_check.check(endpoint)
    endpoint.refresh_from_db()
    assert endpoint.ready is (endpoint.not_ready_reason == "")
    assert endpoint.checked_at is not None
    return endpoint.not_ready_reason


def selecting(**selector: Any) -> dict[str, Any]:
    return {"allowedRoutes": {"namespaces": {"from": "Selector", "selector": selector}}}


def test_an_endpoint_with_all_it_needs_is_ready(endpoint: Endpoint) -> None:
    assert problem(endpoint) == ""


def test_a_missing_namespace_is_told_with_the_command(endpoint: Endpoint, objects: Objects) -> None:
    del objects[NAMESPACE]
    reason = problem(endpoint)
    assert reason.startswith("There is no namespace models on Oslo 1.\n")
    assert "kubectl create namespace models" in reason
    objects.may_create = False
    assert "Slipway may not make it." in problem(endpoint)


def test_a_namespace_on_its_way_out_is_told(endpoint: Endpoint, objects: Objects) -> None:
    objects[NAMESPACE]["status"]["phase"] = "Terminating"
    assert "is being deleted" in problem(endpoint)


def test_a_missing_gateway_is_told(endpoint: Endpoint, objects: Objects) -> None:
    del objects[GATEWAY]
    assert "There is no Gateway gateways/inference on Oslo 1." in problem(endpoint)


def test_a_gateway_that_is_not_programmed_is_told_with_its_message(
    endpoint: Endpoint, objects: Objects
) -> None:
    objects[GATEWAY] = gateway(programmed="False")
    assert "not programmed: No address was assigned" in problem(endpoint)


@pytest.mark.parametrize(
    ("listener", "why"),
    [
        ({"hostname": HOST}, ""),
        ({"hostname": "*.example.com"}, ""),
        ({"hostname": "*.com"}, ""),
        ({"hostname": "other.example.com"}, "does not serve models.example.com"),
        ({"hostname": "*.models.example.com"}, "does not serve"),
        ({"allowedRoutes": {"namespaces": {"from": "Same"}}}, "takes no routes from namespace models"),
        ({"allowedRoutes": None}, "takes no routes"),
        ({"protocol": "TCP"}, "has no listener for HTTP"),
        (selecting(matchLabels={"team": "models"}), ""),
        (selecting(matchLabels={"team": "others"}), "takes no routes"),
        (selecting(matchExpressions=[{"key": "team", "operator": "Exists"}]), ""),
        (selecting(matchExpressions=[{"key": "team", "operator": "DoesNotExist"}]), "takes no routes"),
        (selecting(matchExpressions=[{"key": "team", "operator": "In", "values": ["models"]}]), ""),
        (
            selecting(matchExpressions=[{"key": "team", "operator": "NotIn", "values": ["models"]}]),
            "takes no routes",
        ),
    ],
)
def test_a_listener_must_take_the_namespace_and_the_name(
    endpoint: Endpoint, objects: Objects, listener: dict[str, Any], why: str
) -> None:
    objects[GATEWAY] = gateway(**listener)
    reason = problem(endpoint)
    assert why in reason if why else reason == ""


def test_a_named_listener_must_exist(endpoint: Endpoint) -> None:
    assert problem(endpoint, gateway_section="http") == ""
    assert "no HTTP listener called https" in problem(endpoint, gateway_section="https")


def test_the_listener_that_serves_the_name_is_remembered(endpoint: Endpoint, objects: Objects) -> None:
    """With the Gateway API it, and not the endpoint, decides whether there is TLS, and the port."""
    everywhere = {"allowedRoutes": {"namespaces": {"from": "All"}}}
    plain = {"name": "plain", "protocol": "HTTP", "port": 80, **everywhere}
    closed = {"name": "closed", "protocol": "HTTPS", "port": 9443}
    other = {
        "name": "other",
        "protocol": "HTTPS",
        "port": 7443,
        "hostname": "other.example.com",
        **everywhere,
    }
    secure = {"name": "secure", "protocol": "HTTPS", "port": 8443, "hostname": HOST, **everywhere}

    def met(*listeners: dict[str, Any], **changes: Any) -> tuple[bool | None, int | None]:
        objects[GATEWAY]["spec"]["listeners"] = list(listeners)
        problem(endpoint, **changes)
        return endpoint.listener_tls, endpoint.listener_port

    assert met(plain, closed, other) == (False, 80)
    assert met(plain, closed, other, secure) == (True, 8443)
    assert met(plain, secure, gateway_section="plain") == (False, 80)
    assert met(closed, gateway_section="") == (None, None)
    assert met(secure) == (True, 8443)
    assert met(secure, routing="ingress") == (None, None)


def test_a_cluster_that_does_not_answer_takes_no_knowledge_away(endpoint: Endpoint, objects: Objects) -> None:
    objects[GATEWAY]["spec"]["listeners"][0] |= {"protocol": "HTTPS", "port": 443}
    assert problem(endpoint) == ""
    Cluster.objects.update(kubeconfig=kubeconfig("http://127.0.0.1:1"))
    endpoint.cluster.refresh_from_db()
    assert problem(endpoint)
    assert (endpoint.listener_tls, endpoint.listener_port) == (True, 443)


def test_an_ingress_class_must_exist(endpoint: Endpoint, objects: Objects) -> None:
    assert problem(endpoint, routing="ingress") == ""
    assert "no ingress class nginx" in problem(endpoint, routing="ingress", ingress_class="nginx")
    objects[INGRESS_CLASS] = {"metadata": {"name": "nginx"}}
    assert problem(endpoint) == ""


def test_a_storage_class_must_exist(endpoint: Endpoint, objects: Objects) -> None:
    assert "no storage class fast" in problem(endpoint, storage_class="fast")
    objects[STORAGE_CLASS] = {"metadata": {"name": "fast"}}
    assert problem(endpoint) == ""


def test_the_certificate_in_a_secret_is_judged(
    endpoint: Endpoint, objects: Objects, at_noon: datetime
) -> None:
    with_secret = {"tls": "secret", "tls_secret_name": "tls"}
    assert "There is no Secret models/tls" in problem(endpoint, **with_secret)
    leaf = make(issuer=issuer())
    objects[SECRET] = tls_secret(leaf.pem, type="Opaque")
    assert "is no TLS secret" in problem(endpoint)
    objects[SECRET] = tls_secret(make(names=("other.example.com",)).pem)
    assert "is for other.example.com, not for models.example.com" in problem(endpoint)
    objects[SECRET] = tls_secret(make(end=NOW - timedelta(days=1)).pem)
    assert "expired on 22 Nov 2026" in problem(endpoint)
    objects[SECRET] = tls_secret(leaf.pem)
    assert problem(endpoint) == ""
    assert endpoint.tls_expires_at == leaf.certificate.not_valid_after_utc


def test_what_may_not_be_read_is_left_out_and_told(web: Client, endpoint: Endpoint, objects: Objects) -> None:
    objects.forbidden = {NAMESPACE, GATEWAY}
    page = web.post(reverse("endpoint_check", args=["main"]), follow=True).content.decode()
    assert "Main is ready." in page
    assert "Slipway may not look at Namespace models, Gateway inference" in page


def test_a_cluster_that_does_not_answer_is_the_reason(endpoint: Endpoint, cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    cluster.kubeconfig = kubeconfig(f"http://127.0.0.1:{port}")
    cluster.save()
    assert "the connection is refused" in problem(endpoint)


def test_a_check_costs_few_requests(endpoint: Endpoint, objects: Objects, api: FaultyServer) -> None:
    objects[SECRET] = tls_secret(make().pem)
    problem(endpoint, tls="secret", tls_secret_name="tls", storage_class="fast")
    assert len(api.requests) == 4


def test_reason_and_remedy_are_on_the_page(web: Client, endpoint: Endpoint, objects: Objects) -> None:
    del objects[GATEWAY]
    page = web.post(reverse("endpoint_check", args=["main"]), follow=True).content.decode()
    assert "Main is not ready." in page
    assert page.count("There is no Gateway gateways/inference on Oslo 1.") == 2
    assert "<p>Create it, name another one, or route in another way.</p>" in page
    assert "There is no Gateway" in web.get(reverse("endpoint_list")).content.decode()


def test_a_registry_secret_has_to_be_there_and_be_one(endpoint: Endpoint, objects: Objects) -> None:
    assert "There is no Secret models/registry for images." in problem(endpoint, pull_secret="registry")
    objects[PULL_SECRET] = {"metadata": {"name": "registry"}, "type": "Opaque"}
    assert "is no registry secret" in problem(endpoint)
    objects[PULL_SECRET]["type"] = "kubernetes.io/dockerconfigjson"
    assert problem(endpoint) == ""
