"""Where the gateway finds an engine: base URLs, up to the path before /v1. Pure.

A sandbox says itself where its engines listen, on loopback. Inside a cluster the service's DNS name leads to every
ready replica, each an address of its own where the service is headless. From outside, the endpoint's host name leads
to one door, and the cluster balances behind it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from deployments import naming
from deployments.kube.decode import Pod
from deployments.vocabulary import Engine, NimRunner, Reach, Routing, TlsMode

PORT = 8000
_SUFFIX = "/v1"


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
) -> tuple[str, ...]:
    """Base URLs of a deployment; empty when there is no way, or none yet.

    `engine` is the section of its document, `observed` what the last look found (only a sandbox's is believed).
    """
    if is_sandbox:
        return tuple(url for url in observed if is_on_loopback(url))
    if reach is Reach.INSIDE:
        return (f"http://{_service(name, engine)}.{namespace}.svc:{PORT}",)
    if not is_reachable(reach, routing) or not hostname:
        return ()
    scheme = "http" if tls is TlsMode.NONE else "https"
    return (f"{scheme}://{hostname}{naming.route_path(name).removesuffix(_SUFFIX)}",)


def seen_at(pods: Iterable[Pod]) -> list[str]:
    """Where the ready pods that take requests say that they listen: of Dynamo's only the frontend takes any."""
    return sorted(
        url
        for pod in pods
        if pod.is_ready
        and pod.metadata.label(naming.ROLE_LABEL) in ("", "frontend")
        and (url := (pod.metadata.annotations or {}).get(naming.ENGINE_ANNOTATION, ""))
        and is_on_loopback(url)
    )


def is_reachable(reach: Reach, routing: Routing) -> bool:
    """Whether there can be a way at all: a service without a route is found inside its cluster only."""
    return reach is Reach.INSIDE or routing is not Routing.SERVICE


def is_on_loopback(url: str) -> bool:
    """What a pod says of itself must lead the gateway nowhere but to this machine."""
    parts = urlsplit(url)
    try:
        return (
            parts.scheme == "http"
            and ipaddress.ip_address(parts.hostname or "").is_loopback
            and parts.port is not None
            and not (parts.path or parts.query or parts.fragment or parts.username)
        )
    except ValueError:
        return False


def _service(name: str, engine: Mapping[str, Any]) -> str:
    """The headless service has an address for each ready replica; operators make services of their own."""
    has_replicas = engine["kind"] == Engine.VLLM or (
        engine["kind"] == Engine.NIM and engine.get("runner", NimRunner.PODS) == NimRunner.PODS
    )
    return naming.headless_service(name) if has_replicas else naming.client_service(name)
