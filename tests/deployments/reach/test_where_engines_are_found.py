"""Base URLs of engines: by loopback, by service, by host name; and that what was rendered is what they lead to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments import naming, reach
from deployments.document import to_mapping
from deployments.manifests import render
from deployments.manifests.common import PORT
from deployments.vocabulary import Engine, Reach, Routing, TlsMode
from tests.deployments.manifests.all_cases import CASES

VLLM = {"kind": "vllm"}
HERE = "http://127.0.0.1:41001"


def urls(**changes: Any) -> tuple[str, ...]:
    given: dict[str, Any] = {
        "is_sandbox": False,
        "reach": Reach.ENDPOINT,
        "observed": (),
        "name": "chat",
        "engine": VLLM,
        "namespace": "models",
        "hostname": "llm.example.com",
        "routing": Routing.INGRESS,
        "tls": TlsMode.NONE,
    }
    return reach.base_urls(**{**given, **changes})


@pytest.mark.parametrize(
    ("facts", "url"),
    [
        ({}, "http://llm.example.com/chat"),
        ({"tls": TlsMode.PEM}, "https://llm.example.com/chat"),
        ({"tls": TlsMode.SECRET}, "https://llm.example.com/chat"),
        ({"routing": Routing.GATEWAY}, "http://llm.example.com/chat"),
        ({"routing": Routing.GATEWAY, "tls": TlsMode.SECRET}, "https://llm.example.com/chat"),
    ],
)
def test_an_endpoint_leads_through_its_host_name(facts: dict[str, Any], url: str) -> None:
    assert urls(**facts) == (url,)


@pytest.mark.parametrize(
    ("is_tls", "port", "url"),
    [
        (True, 443, "https://llm.example.com/chat"),
        (True, 8443, "https://llm.example.com:8443/chat"),
        (False, 80, "http://llm.example.com/chat"),
        (False, 443, "http://llm.example.com:443/chat"),
        (True, None, "https://llm.example.com/chat"),
    ],
)
def test_a_gateways_listener_decides_about_tls_and_port(is_tls: bool, port: int | None, url: str) -> None:
    for tls in TlsMode:
        found = urls(routing=Routing.GATEWAY, tls=tls, listener_tls=is_tls, listener_port=port)
        assert found == (url,)


def test_what_an_ingress_was_before_does_not_count() -> None:
    assert urls(listener_tls=True, listener_port=8443) == ("http://llm.example.com/chat",)


def test_there_is_no_way_from_outside_to_a_service_without_a_route() -> None:
    assert urls(routing=Routing.SERVICE) == ()
    assert urls(hostname="") == ()
    assert urls(routing=Routing.SERVICE, reach=Reach.INSIDE) == ("http://md-chat--pods.models.svc:8000",)


@pytest.mark.parametrize(
    ("is_sandbox", "by", "routing", "reachable"),
    [
        (True, Reach.ENDPOINT, Routing.SERVICE, True),
        (False, Reach.INSIDE, Routing.SERVICE, True),
        (False, Reach.ENDPOINT, Routing.SERVICE, False),
        (False, Reach.ENDPOINT, Routing.INGRESS, True),
        (False, Reach.ENDPOINT, Routing.GATEWAY, True),
    ],
)
def test_a_way_exists_exactly_where_there_are_addresses(
    is_sandbox: bool, by: Reach, routing: Routing, reachable: bool
) -> None:
    assert reach.is_reachable(is_sandbox=is_sandbox, reach=by, routing=routing) is reachable
    assert bool(urls(is_sandbox=is_sandbox, reach=by, routing=routing, observed=[HERE])) is reachable


def test_only_a_sandbox_is_believed_where_its_engines_listen() -> None:
    assert urls(is_sandbox=True, observed=[HERE, "http://[::1]:41002"]) == (HERE, "http://[::1]:41002")
    for by in Reach:
        assert HERE not in urls(reach=by, observed=[HERE])


@pytest.mark.parametrize(
    "url",
    [
        *("http://169.254.169.254:80", "http://10.0.0.7:8000", "http://localhost:8000", "http://engine:8000"),
        *(
            "http://127.0.0.1",
            "https://127.0.0.1:8000",
            "http://127.0.0.1:8000/admin",
            "http://127.0.0.1:8000?a",
        ),
        *("http://me@127.0.0.1:8000", "http://127.0.0.1:99999", "file:///etc/passwd", "127.0.0.1:8000", ""),
        *(
            "http://127.0.0.1:8000#a",
            "http://2130706433:8000",
            "http://[::ffff:10.0.0.7]:80",
            "http://0.0.0.0:80",
        ),
        *("http://127.0.0.1:80\r\nHost: a", "http://127.0.0.1 :80", "http://[::1", "http://127.0.0.1:0"),
        *("http://127.0.0.1:80\n", "http://127.0.0.1:\u0661", "http://127.1:80", "http://[::1%25lo]:80"),
        *("http://@127.0.0.1:80", "http://:a@127.0.0.1:80", "http://127.0.0.1:80/"),
    ],
)
def test_nothing_but_an_engine_on_loopback_is_taken(url: str) -> None:
    assert urls(is_sandbox=True, observed=[url]) == ()


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_leads_anywhere_else(host: str, rest: str) -> None:
    for url in (host, f"http://{host}:80", f"http://127.0.0.1:80{rest}", f"http://[::1]:80{rest}"):
        if reach.is_on_loopback(url):
            start, _, port = url.rpartition(":")
            assert start in ("http://127.0.0.1", "http://[::1]")
            assert port.isascii()
            assert port.isdigit()


@pytest.mark.parametrize("case", CASES)
def test_every_rendered_deployment_has_the_service_that_is_called(case: str) -> None:
    spec, context = CASES[case]
    objects = render(spec, context)
    (url,) = urls(
        reach=Reach.INSIDE,
        name=spec.name,
        engine=to_mapping(spec)["spec"]["engine"],
        namespace=context.namespace,
    )
    service = url.removeprefix("http://").partition(".")[0]
    assert url == f"http://{service}.{context.namespace}.svc:{PORT}"
    by_title = {(each["kind"], each["metadata"]["name"]): each["spec"] for each in objects if "spec" in each}
    if ("NIMService", service) in by_title:  # its operator makes a service of the same name
        assert by_title["NIMService", service]["expose"]["service"]["port"] == PORT
        return
    made = by_title["Service", service]
    assert [port["port"] for port in made["ports"]] == [PORT]
    assert not made.get("publishNotReadyAddresses")
    if spec.engine.kind is Engine.DYNAMO:
        assert made["selector"][naming.ROLE_LABEL] == "frontend"
        return
    # A headless service leads past its ports straight to the pods, so they must listen on the same one.
    assert made["clusterIP"] == "None"
    (container,) = by_title["StatefulSet", naming.workload(spec.name)]["template"]["spec"]["containers"]
    assert [port["containerPort"] for port in container["ports"]] == [PORT]


@pytest.mark.parametrize("case", CASES)
def test_every_engine_answers_to_the_deployments_name(case: str) -> None:
    spec, context = CASES[case]
    texts = _texts(render(spec, context))
    named = [
        following
        for text, following in zip(texts, [*texts[1:], ""], strict=True)
        if text in ("--served-model-name", "NIM_SERVED_MODEL_NAME")
    ]
    assert named
    assert set(named) == {spec.name}


def _texts(value: Any) -> list[str]:
    """All texts of an object in the order in which they stand."""
    match value:
        case dict():
            return [text for each in value.values() for text in _texts(each)]
        case list():
            return [text for each in value for text in _texts(each)]
        case str():
            return [value]
    return []
