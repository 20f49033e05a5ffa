"""A Kubernetes API that has just the objects that a test gives it."""

from __future__ import annotations

import base64
import socket
from typing import Any

from tests.faults.server import Answer, Request, says

GATEWAY = "/apis/gateway.networking.k8s.io/v1/namespaces/gateways/gateways/inference"
NAMESPACE = "/api/v1/namespaces/models"
INGRESS_CLASS = "/apis/networking.k8s.io/v1/ingressclasses/nginx"
STORAGE_CLASS = "/apis/storage.k8s.io/v1/storageclasses/fast"
SECRET = "/api/v1/namespaces/models/secrets/tls"
PULL_SECRET = "/api/v1/namespaces/models/secrets/registry"


class Objects(dict[str, Any]):
    """By address. At first: a namespace with a label, and a Gateway that takes everything."""

    def __init__(self) -> None:
        super().__init__()
        labels = {"team": "models"}
        self[NAMESPACE] = {"metadata": {"name": "models", "labels": labels}, "status": {"phase": "Active"}}
        self[GATEWAY] = gateway()
        self.forbidden: set[str] = set()
        self.may_create = True


def gateway(*, programmed: str = "True", **listener: Any) -> dict[str, Any]:
    http = {"name": "http", "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}, **listener}
    return {
        "metadata": {"name": "inference", "namespace": "gateways"},
        "spec": {"listeners": [http]},
        "status": {
            "conditions": [
                {"type": "Accepted", "status": "True"},
                {"type": "Programmed", "status": programmed, "message": "No address was assigned"},
            ]
        },
    }


def tls_secret(chain: str, **changes: Any) -> dict[str, Any]:
    data = {"tls.crt": base64.b64encode(chain.encode()).decode(), "tls.key": "c2VjcmV0"}
    return {"metadata": {"name": "tls"}, "type": "kubernetes.io/tls", "data": data, **changes}


def serve(objects: Objects) -> Answer:
    def answer(connection: socket.socket, request: Request) -> None:
        if "selfsubjectaccessreviews" in request.path:
            says(201, {"status": {"allowed": objects.may_create}})(connection, request)
        elif request.path in objects.forbidden:
            status = {"kind": "Status", "message": "you may not", "reason": "Forbidden"}
            says(403, status)(connection, request)
        elif request.path in objects:
            says(200, objects[request.path])(connection, request)
        else:
            says(404, {"kind": "Status", "message": "not found", "reason": "NotFound"})(connection, request)

    return answer
