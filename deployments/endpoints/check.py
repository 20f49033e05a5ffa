"""Whether an endpoint can serve: namespace, route, certificate and storage, looked up in its cluster.

At most six requests, whatever is there. What may not be read is not held against the endpoint: it is told as
"could not be checked", and the rollout will show it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from deployments.clusters.access import access_of
from deployments.endpoints import certificates
from deployments.kube.client import Ask, Cluster, connect
from deployments.kube.errors import Forbidden, KubeError
from deployments.kube.kinds import SECRET, STORAGE_CLASS, Kind
from deployments.models import Endpoint
from deployments.vocabulary import Routing, TlsMode

LONGEST_REASON = 500

_REGISTRY_TYPES = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")

NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
GATEWAY = Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways", optional=True)
INGRESS_CLASS = Kind("networking.k8s.io/v1", "IngressClass", "ingressclasses", namespaced=False)

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an endpoint cannot serve, and what to do about it."""

    sentence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a Gateway takes requests for the host name."""

    is_tls: bool
    port: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    problems: tuple[Problem, ...]
    unseen: tuple[str, ...] = ()
    """What could not be looked at for want of rights."""
    tls_expires_at: datetime | None = None
    listener: Listener | None = None
    """None: there is no Gateway, or none that takes our routes."""

    @property
    def ready(self) -> bool:
        return not self.problems


def check(endpoint: Endpoint) -> Outcome:
    """Looks, and writes the outcome to the columns of the check alone."""
    now = timezone.now()
    try:
        with connect(access_of(endpoint.cluster)) as cluster:
            outcome = look(cluster, endpoint, now)
    except KubeError as error:
        outcome = Outcome((Problem(error.sentence, error.remedy),))
        found: dict[str, Any] = {}  # a cluster that does not answer tells nothing new
    else:
        listener = outcome.listener
        found = {
            "tls_expires_at": outcome.tls_expires_at,
            "listener_tls": listener.is_tls if listener else None,
            "listener_port": listener.port if listener else None,
        }
    found |= {"ready": outcome.ready, "not_ready_reason": reason_of(outcome), "checked_at": now}
    for column, value in found.items():
        setattr(endpoint, column, value)
    Endpoint.objects.filter(pk=endpoint.pk).update(**found)
    return outcome


def reason_of(outcome: Outcome) -> str:
    """The first problem, sentence and remedy on a line each, as the column holds them."""
    if outcome.ready:
        return ""
    first = outcome.problems[0]
    return f"{first.sentence}\n{first.remedy}".strip()[:LONGEST_REASON]


def look(cluster: Cluster, endpoint: Endpoint, now: datetime) -> Outcome:
    """Raises a KubeError when the cluster does not answer."""
    looker = _Look(cluster, endpoint, now)
    problems = tuple(looker.problems())
    return Outcome(problems, tuple(looker.unseen), looker.tls_expires_at, looker.listener)


class _Look:
    """One look at one endpoint; what may not be read is gathered on the way."""

    def __init__(self, cluster: Cluster, endpoint: Endpoint, now: datetime) -> None:
        self.cluster, self.endpoint, self.now = cluster, endpoint, now
        self.unseen: list[str] = []
        self.listener: Listener | None = None
        self.tls_expires_at = endpoint.tls_expires_at if endpoint.tls == TlsMode.PEM else None

    def problems(self) -> Iterator[Problem]:
        namespace, seen = self._read(NAMESPACE, None, self.endpoint.namespace)
        yield from self._namespace(namespace, seen)
        if self.endpoint.routing == Routing.GATEWAY:
            yield from self._gateway(namespace or {})
        elif self.endpoint.routing == Routing.INGRESS and self.endpoint.ingress_class:
            yield from self._ingress_class()
        if self.endpoint.tls == TlsMode.SECRET and namespace is not None:
            yield from self._secret()
        elif self.endpoint.tls == TlsMode.PEM:
            yield from self._own_certificate()
        if self.endpoint.storage_class:
            yield from self._storage_class()
        if self.endpoint.pull_secret and namespace is not None:
            yield from self._pull_secret()

    def _read(self, kind: Kind, namespace: str | None, name: str) -> tuple[dict[str, Any] | None, bool]:
        """The object or None, and whether we could look at all."""
        try:
            return self.cluster.get(kind, namespace, name), True
        except Forbidden:
            self.unseen.append(f"{kind.name} {name}")
            return None, False

    def _namespace(self, found: Object | None, seen: bool) -> Iterator[Problem]:
        name = self.endpoint.namespace
        if found is not None:
            if found.get("status", {}).get("phase") == "Terminating":
                yield Problem(
                    f"Namespace {name} is being deleted.", "Wait until it is gone and make it again."
                )
        elif seen:
            may = self.cluster.can_i(Ask("create", "namespaces"))
            said = "" if may else " Slipway may not make it."
            yield Problem(
                f"There is no namespace {name} on {self.endpoint.cluster.name}.{said}",
                f"Run kubectl create namespace {name}, then check again.",
            )

    def _gateway(self, namespace: Object) -> Iterator[Problem]:
        endpoint = self.endpoint
        where = endpoint.gateway_namespace or endpoint.namespace
        what = f"Gateway {where}/{endpoint.gateway_name}"
        gateway, seen = self._read(GATEWAY, where, endpoint.gateway_name)
        if gateway is None:
            if seen:
                yield Problem(
                    f"There is no {what} on {endpoint.cluster.name}.",
                    "Create it, name another one, or route in another way.",
                )
            return
        for kind in ("Accepted", "Programmed"):
            condition = _condition(gateway, kind)
            if condition is None or condition.get("status") != "True":
                told = str((condition or {}).get("message") or "Nobody has taken it up.")[:200]
                yield Problem(
                    f"{what} is not {kind.lower()}: {told}",
                    "Look at the Gateway's controller in the cluster, then check again.",
                )
                return
        found = find_listener(gateway, endpoint, (namespace.get("metadata") or {}).get("labels") or {})
        if isinstance(found, Problem):
            yield found
        else:
            self.listener = found

    def _ingress_class(self) -> Iterator[Problem]:
        name = self.endpoint.ingress_class
        found, seen = self._read(INGRESS_CLASS, None, name)
        if found is None and seen:
            yield Problem(
                f"There is no ingress class {name} on {self.endpoint.cluster.name}.",
                "Install its controller, name another class, or route in another way.",
            )

    def _storage_class(self) -> Iterator[Problem]:
        name = self.endpoint.storage_class
        found, seen = self._read(STORAGE_CLASS, None, name)
        if found is None and seen:
            yield Problem(
                f"There is no storage class {name} on {self.endpoint.cluster.name}.",
                "Name another one, or leave it empty for the cluster's default.",
            )

    def _pull_secret(self) -> Iterator[Problem]:
        """Only its type is looked at; what it holds is dropped unread."""
        what = f"Secret {self.endpoint.namespace}/{self.endpoint.pull_secret}"
        secret, seen = self._read(SECRET, self.endpoint.namespace, self.endpoint.pull_secret)
        kind = (secret or {}).get("type")
        del secret
        if kind is None:
            if seen:
                yield Problem(f"There is no {what} for images.", "Create it, name another one, or none.")
        elif kind not in _REGISTRY_TYPES:
            yield Problem(f"{what} is no registry secret.", f"It has the type {_REGISTRY_TYPES[0]}.")

    def _own_certificate(self) -> Iterator[Problem]:
        judged = certificates.judge_chain(self.endpoint.tls_certificate, self.endpoint.hostname, self.now)
        if judged.chain_problems:
            yield Problem(judged.chain_problems[0], "Upload a new certificate with its key.")

    def _secret(self) -> Iterator[Problem]:
        """Only the certificate is taken out of the secret; its key is dropped unread."""
        endpoint = self.endpoint
        what = f"Secret {endpoint.namespace}/{endpoint.tls_secret_name}"
        secret, seen = self._read(SECRET, endpoint.namespace, endpoint.tls_secret_name)
        if secret is None:
            if seen:
                yield Problem(f"There is no {what} for TLS.", "Create it with tls.crt and tls.key.")
            return
        data = secret.pop("data", None) or {}
        chain, has_key = _decoded(data.pop("tls.crt", "")), bool(data.pop("tls.key", ""))
        del data
        if secret.get("type") != "kubernetes.io/tls" or not chain or not has_key:
            yield Problem(
                f"{what} is no TLS secret.", "It has the type kubernetes.io/tls, with tls.crt and tls.key."
            )
            return
        judged = certificates.judge_chain(chain, endpoint.hostname, self.now)
        if judged.certificate is not None:
            self.tls_expires_at = judged.certificate.expires_at
        if judged.chain_problems:
            yield Problem(f"{what}: {judged.chain_problems[0]}", "Put a new certificate into the secret.")


def find_listener(gateway: Object, endpoint: Endpoint, labels: Mapping[str, str]) -> Listener | Problem:
    """The listener that takes routes of the endpoint's namespace and host name, one with TLS before one without."""
    what = f"Gateway {gateway['metadata'].get('namespace', '')}/{gateway['metadata']['name']}"
    section = endpoint.gateway_section
    listeners = [
        listener
        for listener in gateway.get("spec", {}).get("listeners") or ()
        if (not section or listener.get("name") == section) and _takes_http(listener)
    ]
    if not listeners:
        wanted = f"no HTTP listener called {section}" if section else "no listener for HTTP"
        return Problem(f"{what} has {wanted}.", "Name one of its listeners, or leave the listener empty.")
    same = endpoint.namespace == gateway["metadata"].get("namespace")
    allowing = [listener for listener in listeners if _admits(listener, same=same, labels=labels)]
    if not allowing:
        return Problem(
            f"{what} takes no routes from namespace {endpoint.namespace}.",
            "Allow the namespace in allowedRoutes of a listener.",
        )
    serving = [each for each in allowing if _meets(str(each.get("hostname") or ""), endpoint.hostname)]
    if not serving:
        names = ", ".join(str(listener["hostname"]) for listener in allowing)
        return Problem(
            f"{what} does not serve {endpoint.hostname}; its listeners are for {names}.",
            "Add a listener for the name, or choose a name that they cover.",
        )
    found = [Listener(each.get("protocol") == "HTTPS", each.get("port")) for each in serving]
    return next((each for each in found if each.is_tls), found[0])


def _takes_http(listener: Object) -> bool:
    return listener.get("protocol", "HTTP") in ("HTTP", "HTTPS")


def _admits(listener: Object, *, same: bool, labels: Mapping[str, str]) -> bool:
    namespaces = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    scope = namespaces.get("from", "Same")
    if scope == "Selector":
        return _selects(namespaces.get("selector") or {}, labels)
    return scope == "All" or (scope == "Same" and same)


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for term in selector.get("matchExpressions") or ():
        key, values = term.get("key", ""), term.get("values") or ()
        held = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }.get(term.get("operator", ""), False)
        if not held:
            return False
    return True


def _meets(pattern: str, hostname: str) -> bool:
    """A listener's wildcard stands for one label or more."""
    return not pattern or pattern == hostname or (pattern.startswith("*.") and hostname.endswith(pattern[1:]))


def _condition(object: Object, kind: str) -> Object | None:
    conditions = (object.get("status") or {}).get("conditions") or ()
    return next((found for found in conditions if found.get("type") == kind), None)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
