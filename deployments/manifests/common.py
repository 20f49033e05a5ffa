"""What the engines' manifests share: metadata, secrets, services, and safe text.

Secrets carry base64 `data`, never `stringData`: the API turns the latter into the former on write, so a
later apply could neither see that nothing changed nor remove a key. Pure: no Django, no I/O.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from deployments import naming
from deployments.context import RenderContext
from deployments.engines import ngc
from deployments.spec import DeploymentSpec, Variable
from deployments.vocabulary import Engine

Manifest = dict[str, Any]

PORT: Final = 8000
PORT_NAME: Final = "http"
TOKEN_KEY: Final = "token"  # noqa: S105 - the name of a key
NGC_KEY: Final = "NGC_API_KEY"
"""The key of the secret and the variable of the container: NVIDIA's operator expects both under this name."""


class EngineNotOffered(Exception):
    """This engine, or this source of weights with it, cannot be deployed. The message is for people."""


def metadata(
    spec: DeploymentSpec, context: RenderContext, name: str, annotations: Mapping[str, str] | None = None
) -> Manifest:
    """Metadata of an object of this deployment, with the labels that find it again."""
    made: Manifest = {
        "name": name,
        "namespace": context.namespace,
        "labels": naming.labels(spec.name, spec.engine.kind),
    }
    if annotations:
        made["annotations"] = dict(annotations)
    return made


def literal(text: str) -> str:
    """Text that reaches the container as it is: the kubelet expands $(NAME) in arguments and variables."""
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def secrets(spec: DeploymentSpec, context: RenderContext) -> list[Manifest]:
    """The secrets that pods use; each only when there is something to put in it."""
    made = []
    if values := secret_values(spec, context):
        made.append(_secret(spec, context, naming.environment_secret(spec.name), values))
    if context.weights_token is not None:
        token = {TOKEN_KEY: context.weights_token}
        made.append(_secret(spec, context, naming.weights_secret(spec.name), token))
    if spec.engine.kind is Engine.NIM and context.ngc_key is not None:
        made.append(_secret(spec, context, naming.ngc_secret(spec.name), {NGC_KEY: context.ngc_key}))
    if (login := _registry_login(spec, context)) is not None:
        kind = "kubernetes.io/dockerconfigjson"
        name = naming.registry_secret(spec.name)
        made.append(_secret(spec, context, name, {".dockerconfigjson": login}, kind))
    return made


def pull_secrets(spec: DeploymentSpec, context: RenderContext) -> list[str]:
    """Names of the secrets that pull the image: ours, and the one that the endpoint names."""
    ours = [naming.registry_secret(spec.name)] if _registry_login(spec, context) is not None else []
    return [*ours, *([context.pull_secret] if context.pull_secret else [])]


def _registry_login(spec: DeploymentSpec, context: RenderContext) -> str | None:
    """A .dockerconfigjson document; NVIDIA's registry takes the NGC key as the password of a fixed user."""
    if context.registry_credentials is not None:
        return context.registry_credentials
    if context.ngc_key is None or not ngc.is_of_nvidia(spec.engine.image):
        return None
    login = base64.b64encode(f"{ngc.REGISTRY_USER}:{context.ngc_key}".encode()).decode()
    entry = {"username": ngc.REGISTRY_USER, "password": context.ngc_key, "auth": login}
    return json.dumps({"auths": {ngc.REGISTRY: entry}}, separators=(",", ":"))


def tls_secret(spec: DeploymentSpec, context: RenderContext, pair: tuple[str, str]) -> Manifest:
    """The endpoint's own certificate chain and key."""
    files = {"tls.crt": pair[0], "tls.key": pair[1]}
    return _secret(spec, context, naming.tls_secret(spec.name), files, "kubernetes.io/tls")


def secret_values(spec: DeploymentSpec, context: RenderContext) -> dict[str, str]:
    """Values of those secret variables of the spec that have one."""
    return {
        name: context.secret_values[name]
        for name in sorted(spec.secret_names)
        if name in context.secret_values
    }


def secrets_checksum(spec: DeploymentSpec, context: RenderContext) -> str | None:
    """Changes when a secret variable's value changes, so that pods restart and read it; None without any.

    Keyed, because annotations can be read by people who may not read secrets: against a plain hash a short
    password could be guessed offline. Without a key there is no checksum, as none is better than a leak.
    The token for weights is left out on purpose: it is only used while loading, and every restart of a
    container reads it anew.
    """
    values = secret_values(spec, context)
    if not values or not context.checksum_key:
        return None
    message = json.dumps([spec.name, values], sort_keys=True).encode()
    return hmac.new(context.checksum_key, message, hashlib.sha256).hexdigest()[:32]


def variable(spec: DeploymentSpec, given: Variable) -> Manifest:
    """One environment variable of the spec: its text, or a reference to the secret that holds it."""
    if not given.secret:
        return {"name": given.name, "value": literal(given.value or "")}
    return from_secret(given.name, naming.environment_secret(spec.name), given.name)


def from_secret(name: str, secret: str, key: str) -> Manifest:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def services(spec: DeploymentSpec, context: RenderContext) -> list[Manifest]:
    """The headless service that a StatefulSet needs, and the one that clients use."""
    headless = _service(spec, context, naming.headless_service(spec.name))
    headless["spec"]["clusterIP"] = "None"
    return [headless, client_service(spec, context)]


def client_service(spec: DeploymentSpec, context: RenderContext, role: str = "") -> Manifest:
    """The service that routes and the gateway send requests to; only to pods of this role, where one is given."""
    made = _service(spec, context, naming.client_service(spec.name))
    if role:
        made["spec"]["selector"][naming.ROLE_LABEL] = role
    return made


def _service(spec: DeploymentSpec, context: RenderContext, name: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(spec, context, name),
        "spec": {
            "type": "ClusterIP",
            "selector": naming.selector(spec.name),
            "ports": [
                {
                    "name": PORT_NAME,
                    "port": PORT,
                    "targetPort": PORT_NAME,
                    "protocol": "TCP",
                    "appProtocol": "http",
                }
            ],
        },
    }


def _secret(
    spec: DeploymentSpec, context: RenderContext, name: str, values: Mapping[str, str], kind: str = "Opaque"
) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(spec, context, name),
        "type": kind,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }
