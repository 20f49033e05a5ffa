"""How requests from outside reach a deployment's service: an HTTPRoute, an Ingress, or nothing.

One endpoint serves several deployments on one host name, so each has its own path, `/<name>/v1`, which
becomes the engine's `/v1`. Nothing else of the engine is published: `/metrics` and `/health` stay inside
the cluster. Pure.
"""

from __future__ import annotations

from deployments import naming
from deployments.context import RenderContext
from deployments.manifests.common import PORT, Manifest, metadata, tls_secret
from deployments.spec import DeploymentSpec
from deployments.vocabulary import Routing, TlsMode

#: ingress-nginx closes a stream after 60 seconds without a byte and refuses bodies over 1 MB unless told
#: otherwise.
_STREAMING = {
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "3600",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "3600",
    "nginx.ingress.kubernetes.io/proxy-buffering": "off",
    "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
    "nginx.ingress.kubernetes.io/proxy-body-size": "50m",
}


def routes(spec: DeploymentSpec, context: RenderContext, name: str = "") -> list[Manifest]:
    """The deployment's route, if its endpoint has any; called like the workload, or by the name given."""
    name = name or naming.workload(spec.name)
    match context.exposure.routing:
        case Routing.GATEWAY:
            return [_http_route(spec, context, name)]
        case Routing.INGRESS:
            return [_ingress(spec, context, name)]
        case Routing.SERVICE:
            return []


def route_secrets(spec: DeploymentSpec, context: RenderContext) -> list[Manifest]:
    """The certificate, where the route serves it.

    With the Gateway API the certificate belongs to the Gateway's listener, which is not ours.
    """
    exposure = context.exposure
    if exposure.routing is Routing.INGRESS and exposure.tls is TlsMode.PEM and context.tls_pair:
        return [tls_secret(spec, context, context.tls_pair)]
    return []


def _http_route(spec: DeploymentSpec, context: RenderContext, name: str) -> Manifest:
    """Timeouts are off because they cover the whole answer: any finite one would cut long streams."""
    exposure = context.exposure
    parent = {"name": exposure.gateway_name, "namespace": exposure.gateway_namespace or context.namespace}
    if exposure.gateway_section:
        parent["sectionName"] = exposure.gateway_section
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v1"}}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": naming.route_path(spec.name)}}],
        "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}],
        "timeouts": {"request": "0s", "backendRequest": "0s"},
        "backendRefs": [{"name": naming.client_service(spec.name), "port": PORT}],
    }
    route: Manifest = {"parentRefs": [parent], "rules": [rule]}
    if exposure.hostname:
        route["hostnames"] = [exposure.hostname]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata(spec, context, name),
        "spec": route,
    }


def _ingress(spec: DeploymentSpec, context: RenderContext, name: str) -> Manifest:
    """The Ingress API knows neither time limits nor rewriting: both are annotations of ingress-nginx."""
    exposure = context.exposure
    annotations = {
        **_STREAMING,
        "nginx.ingress.kubernetes.io/use-regex": "true",
        "nginx.ingress.kubernetes.io/rewrite-target": "/v1/$2",
    }
    service = {"name": naming.client_service(spec.name), "port": {"number": PORT}}
    path = {
        "path": f"{naming.route_path(spec.name)}(/|$)(.*)",
        "pathType": "ImplementationSpecific",
        "backend": {"service": service},
    }
    rule: Manifest = {"http": {"paths": [path]}}
    if exposure.hostname:
        rule["host"] = exposure.hostname
    ingress: Manifest = {"rules": [rule]}
    if exposure.ingress_class:
        ingress["ingressClassName"] = exposure.ingress_class
    if tls := _tls(spec, context):
        ingress["tls"] = [tls]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(spec, context, name, annotations),
        "spec": ingress,
    }


def _tls(spec: DeploymentSpec, context: RenderContext) -> Manifest | None:
    exposure = context.exposure
    if exposure.tls is TlsMode.NONE:
        return None
    secret = naming.tls_secret(spec.name) if exposure.tls is TlsMode.PEM else exposure.tls_secret
    return {"hosts": [exposure.hostname], "secretName": secret}
