"""Routes and gateways: accepted or not, and why."""

from typing import Any

import pytest

from deployments.sandbox.seeds import GATEWAY, INGRESS_CLASS
from tests.deployments.sandbox_controllers.cluster import NAMESPACE, Cluster


def _route(cluster: Cluster, *, host: str = "demo.example.com", **parent: str) -> dict[str, Any]:
    reference = {"namespace": GATEWAY[0], "name": GATEWAY[1], **parent}
    rules = [{"backendRefs": [{"name": "md-a", "port": 8000}]}]
    spec = {"parentRefs": [reference], "hostnames": [host], "rules": rules}
    cluster.store.create("httproutes", NAMESPACE, {"metadata": {"name": "md-a"}, "spec": spec})
    cluster.advance(1)
    return _seen(cluster)


def _seen(cluster: Cluster) -> dict[str, Any]:
    route = cluster.store.get("httproutes", NAMESPACE, "md-a")
    assert route is not None
    parents = route["status"]["parents"]
    if not parents:
        return {}
    return {each["type"]: (each["status"], each["reason"]) for each in parents[0]["conditions"]}


def _service(cluster: Cluster) -> None:
    spec = {"ports": [{"port": 8000}], "clusterIP": "10.96.0.9"}
    cluster.store.create("services", NAMESPACE, {"metadata": {"name": "md-a"}, "spec": spec})


def test_a_route_with_its_service_is_accepted_and_counted(cluster: Cluster) -> None:
    _service(cluster)
    conditions = _route(cluster, sectionName="http")
    assert conditions == {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("True", "ResolvedRefs")}
    gateway = cluster.store.get("gateways", *GATEWAY)
    assert gateway is not None
    counts = {each["name"]: each["attachedRoutes"] for each in gateway["status"]["listeners"]}
    assert counts == {"http": 1, "https": 0}


def test_a_missing_service_is_resolved_when_it_comes(cluster: Cluster) -> None:
    assert _route(cluster)["ResolvedRefs"] == ("False", "BackendNotFound")
    _service(cluster)
    cluster.advance(1)
    assert _seen(cluster)["ResolvedRefs"] == ("True", "ResolvedRefs")


@pytest.mark.parametrize(
    ("listener", "reason"),
    [
        ({"hostname": "*.other.example"}, "NoMatchingListenerHostname"),
        ({"allowedRoutes": {"namespaces": {"from": "Same"}}}, "NotAllowedByListeners"),
        ({"hostname": "*.example.com"}, "Accepted"),
    ],
)
def test_the_listener_decides(cluster: Cluster, listener: dict, reason: str) -> None:
    everyone = {"namespaces": {"from": "All"}}
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": everyone, **listener}]
    cluster.store.update("gateways", *GATEWAY, lambda live: live["spec"].update(listeners=listeners))
    assert _route(cluster)["Accepted"][1] == reason


def test_an_unknown_section_matches_no_parent(cluster: Cluster) -> None:
    assert _route(cluster, sectionName="grpc")["Accepted"] == ("False", "NoMatchingParent")


def test_nobody_answers_for_an_unknown_gateway(cluster: Cluster) -> None:
    assert _route(cluster, name="elsewhere") == {}


def test_an_ingress_gets_an_address(cluster: Cluster) -> None:
    backend = {"service": {"name": "md-a", "port": {"number": 8000}}}
    rule = {
        "host": "demo.example.com",
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
    }
    cluster.store.create("ingresses", NAMESPACE, {"metadata": {"name": "md-a"}, "spec": {"rules": [rule]}})
    cluster.advance(1)
    ingress = cluster.store.get("ingresses", NAMESPACE, "md-a")
    assert ingress is not None
    assert ingress["status"]["loadBalancer"]["ingress"] == [{"ip": "127.0.0.1"}]


@pytest.mark.parametrize(("name", "served"), [(INGRESS_CLASS, True), ("nginx", False)])
def test_nobody_takes_up_an_ingress_of_a_class_that_is_not_there(
    cluster: Cluster, name: str, served: bool
) -> None:
    spec = {"ingressClassName": name, "rules": [{"host": "demo.example.com"}]}
    cluster.store.create("ingresses", NAMESPACE, {"metadata": {"name": "md-a"}, "spec": spec})
    cluster.advance(1)
    ingress = cluster.store.get("ingresses", NAMESPACE, "md-a")
    assert ingress is not None
    assert bool(ingress["status"]["loadBalancer"].get("ingress")) is served
