"""Where the gateway finds an engine: base URLs, up to the path before /v1. Pure.

A sandbox says itself where its engines listen, on loopback. Inside a cluster the service's DNS name leads to every
ready replica, each an address of its own where the service is headless. From outside, the endpoint's host name leads
to one door, and the cluster balances behind it. Every engine answers to the deployment's name as its model, so that
nobody has to write another one into a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from deployments import naming
from deployments.kube.decode import Pod
from deployments.manifests.common import PORT
from deployments.vocabulary import Engine, NimRunner, Reach, Routing, TlsMode

_SUFFIX = "/v1"
_ON_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):(?P<port>[1-9][0-9]{0,4})")
_HIGHEST_PORT = 65535
_USUAL_PORTS = {"http": 80, "https": 443}


def base_urls(
    *,
    is_sandbox: bool,
    reach: Reach,
    observed: Iterable[str],
    name: str,
    engine: Mapping[str, Any],
    namespace: str,
    hostname: str,
    routing: Routing,
    tls: TlsMode,
    listener_tls: bool | None = None,
    listener_port: int | None = None,
) -> tuple[str, ...]:
    """Base URLs of a deployment; empty when there is no way, or none yet.

    `engine` is the section of its document, `observed` what the last look found (only a sandbox's is believed), and
    the listener that of the Gateway, as its last check found it: with the Gateway API it decides about TLS.
    """
    if is_sandbox:
        return tuple(url for url in observed if is_on_loopback(url))
    if reach is Reach.INSIDE:
        return (f"http://{_service(name, engine)}.{namespace}.svc:{PORT}",)
    if routing is Routing.SERVICE or not hostname:
        return ()
    path = naming.route_path(name).removesuffix(_SUFFIX)
    if routing is Routing.GATEWAY and listener_tls is not None:
        return (f"{_origin(hostname, is_tls=listener_tls, port=listener_port)}{path}",)
    return (f"{_origin(hostname, is_tls=tls is not TlsMode.NONE)}{path}",)


def seen_at(pods: Iterable[Pod]) -> list[str]:
    """Where the ready pods of a sandbox that take requests say that they listen: of Dynamo's only the frontend does.

    Not for other clusters: whoever may write to a pod there could lead us to what listens on our own machine.
    """
    return sorted(
        url
        for pod in pods
        if pod.is_ready
        and pod.metadata.label(naming.ROLE_LABEL) in ("", "frontend")
        and (url := (pod.metadata.annotations or {}).get(naming.ENGINE_ANNOTATION, ""))
        and is_on_loopback(url)
    )


def is_reachable(*, is_sandbox: bool, reach: Reach, routing: Routing) -> bool:
    """Whether there can be a way at all: a service without a route is found inside its cluster only."""
    return is_sandbox or reach is Reach.INSIDE or routing is not Routing.SERVICE


def is_on_loopback(url: str) -> bool:
    """What a pod says of itself must lead the gateway nowhere but to this machine."""
    found = _ON_LOOPBACK.fullmatch(url)
    return found is not None and int(found["port"]) <= _HIGHEST_PORT


def _origin(hostname: str, *, is_tls: bool, port: int | None = None) -> str:
    scheme = "https" if is_tls else "http"
    return f"{scheme}://{hostname}" + (f":{port}" if port and port != _USUAL_PORTS[scheme] else "")


def _service(name: str, engine: Mapping[str, Any]) -> str:
    """The headless service has an address for each ready replica; operators make services of their own."""
    has_replicas = engine["kind"] == Engine.VLLM or (
        engine["kind"] == Engine.NIM and engine.get("runner", NimRunner.PODS) == NimRunner.PODS
    )
    return naming.headless_service(name) if has_replicas else naming.client_service(name)
