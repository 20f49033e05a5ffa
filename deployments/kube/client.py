"""The one door to Kubernetes: nothing else imports the official client.

Its transport, authentication and pooling are used; its model objects are not (see decode.py), and neither are its
retries: whoever calls knows better whether and when to try again, so every failure leaves here at once as one of
the errors in errors.py. Requests are bounded in time and answers in size, redirects are not followed, and the
address is judged at the moment of connecting (see transport.py). No error and no log line holds a secret.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from deployments.kube import decode, errors
from deployments.kube.errors import KubeError, NotFound
from deployments.kube.kinds import POD, Kind, kind_of
from deployments.kube.kubeconfig import ClusterAccess
from deployments.naming import FIELD_MANAGER

if TYPE_CHECKING:
    from kubernetes.client.rest import RESTClientObject

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
ANSWER_SECONDS = 30.0
LARGEST_LIST = 128 * 1024 * 1024
LARGEST_OBJECT = 4 * 1024 * 1024
LARGEST_LOG = 256 * 1024

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_APPLY = "application/apply-patch+yaml"
_JSON = "application/json"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_TOKEN_SECONDS = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """May we do this? Every namespace when `namespace` is empty."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    subresource: str = ""


def connect(access: ClusterAccess) -> Cluster:
    """A client for one cluster. Nothing is sent before the first request."""
    return Cluster(access)


def in_cluster_access(environment: Mapping[str, str], folder: Path = _SERVICE_ACCOUNT) -> ClusterAccess:
    """The access of the pod that this process runs in. Raises Unreachable outside of a cluster."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (folder / "token").is_file():
        raise errors.Unreachable(
            "This process does not run in a pod with a service account.",
            remedy="Run Slipway in the cluster, or add the cluster by a kubeconfig.",
        )
    host = f"[{host}]" if ":" in host else host
    return ClusterAccess(
        server=f"https://{host}:{port}",
        ca_pem=(folder / "ca.crt").read_text("ascii"),
        token_file=str(folder / "token"),
    )


class Cluster:
    """Requests to one Kubernetes API. Safe for use by several threads.

    Every method raises a KubeError of errors.py and nothing else. `requests` counts what was sent.
    """

    def __init__(self, access: ClusterAccess) -> None:
        self.access = access
        self.requests = 0
        self._rest: RESTClientObject | None = None
        self._token: tuple[float, str] | None = None

    def list(
        self,
        kind: Kind,
        shape: type[T],
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
    ) -> tuple[T, ...]:
        """All objects of a kind, decoded as `shape`; one request. Empty for an optional kind that is unknown."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        try:
            answer = self._ask(
                "GET", kind.path(namespace), f"list {kind.plural}", query=query, most=LARGEST_LIST
            )
        except NotFound:
            if kind.optional:
                return ()
            raise
        return decode.read_list(shape, answer.body)

    def list_metadata(self, kind: Kind, shape: type[T], *, labels: str | None = None) -> tuple[T, ...]:
        """The metadata of all objects of a kind, decoded as `shape`; the server sends nothing else of them."""
        try:
            answer = self._ask(
                "GET",
                kind.path(),
                f"list {kind.plural}",
                query={"labelSelector": labels},
                most=LARGEST_LIST,
                accept=_METADATA,
            )
        except NotFound:
            if kind.optional:
                return ()
            raise
        return decode.read_list(shape, answer.body)

    def get(self, kind: Kind, namespace: str | None, name: str) -> dict[str, Any] | None:
        """One object as plain values, or None."""
        return self.read(kind, namespace, name, dict[str, Any])

    def read(self, kind: Kind, namespace: str | None, name: str, shape: type[T]) -> T | None:
        """One object decoded as `shape`, or None."""
        path = kind.path(namespace, quote(name, safe=""))
        try:
            answer = self._ask("GET", path, f"read {kind.name} {name}")
        except NotFound:
            return None
        return decode.read_one(shape, answer.body)

    def apply(
        self,
        object: dict[str, Any],
        *,
        manager: str = FIELD_MANAGER,
        force: bool = True,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Server-side apply; returns the object as it is now.

        Idempotent: applying what is there already leaves the resourceVersion as it was. A dry run is judged by the
        server, its webhooks included, and kept nowhere.
        """
        kind, metadata = kind_of(object), object["metadata"]
        answer = self._ask(
            "PATCH",
            kind.path(metadata.get("namespace"), quote(metadata["name"], safe="")),
            f"apply {kind.name} {metadata['name']}",
            query={
                "fieldManager": manager,
                "force": "true" if force else None,
                "dryRun": "All" if dry_run else None,
            },
            body=msgspec.json.encode(object),
            content_type=_APPLY,
        )
        return decode.read_one(dict[str, Any], answer.body)

    def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str = "", propagation: str = "Background"
    ) -> bool:
        """Deletes one object; False when it was gone already.

        With a `uid`, an object of the same name that somebody made meanwhile is left alone (Conflict).
        """
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        if uid:
            options["preconditions"] = {"uid": uid}
        path = kind.path(namespace, quote(name, safe=""))
        try:
            self._ask("DELETE", path, f"delete {kind.name} {name}", body=options)
        except NotFound:
            return False
        return True

    def logs(
        self, namespace: str, pod: str, *, container: str = "", previous: bool = False, tail_lines: int = 100
    ) -> str:
        """The last lines of a container's log; `previous`: of its last run that ended."""
        query = {
            "container": container or None,
            "previous": "true" if previous else None,
            "tailLines": str(tail_lines),
            "limitBytes": str(LARGEST_LOG),
        }
        path = POD.path(namespace, quote(pod, safe="")) + "/log"
        answer = self._ask(
            "GET", path, f"read the log of {pod}", query=query, most=2 * LARGEST_LOG, accept="*/*"
        )
        return answer.body.decode("utf-8", "replace")

    def can_i(self, ask: Ask) -> bool:
        """Whether our account may do this (SelfSubjectAccessReview)."""
        attributes = {
            "verb": ask.verb,
            "group": ask.group,
            "resource": ask.resource,
            "subresource": ask.subresource,
            "namespace": ask.namespace,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = self._ask("POST", path, f"ask whether we may {ask.verb} {ask.resource}", body=review)
        return bool(decode.read_one(dict[str, Any], answer.body).get("status", {}).get("allowed"))

    def version(self) -> str:
        """The server's version, as in "v1.34.1"."""
        answer = self._ask("GET", "/version", "read the version")
        return str(decode.read_one(dict[str, Any], answer.body).get("gitVersion", ""))

    def api_groups(self) -> frozenset[str]:
        """Every "group/version" that the server offers, core left out."""
        answer = self._ask("GET", "/apis", "list the API groups")
        groups = decode.read_one(dict[str, Any], answer.body).get("groups") or ()
        return frozenset(v["groupVersion"] for group in groups for v in group.get("versions") or ())

    def resources(self, group_version: str) -> frozenset[str]:
        """The plurals that a "group/version" offers; none when the server does not know it."""
        try:
            answer = self._ask("GET", f"/apis/{group_version}", f"list the resources of {group_version}")
        except NotFound:
            return frozenset()
        found = decode.read_one(dict[str, Any], answer.body).get("resources") or ()
        return frozenset(str(resource.get("name", "")) for resource in found)

    def close(self) -> None:
        if self._rest is not None:
            self._rest.pool_manager.clear()
            self._rest = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        query: Mapping[str, str | None] | None = None,
        body: bytes | dict[str, Any] | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
        most: int = LARGEST_OBJECT,
    ) -> Answer:
        """One request, once. `doing` completes "Cannot …" in an error's sentence.

        The official client encodes a JSON body itself; one of another content type is given as bytes.
        """
        from urllib3.exceptions import HTTPError

        from deployments.kube.transport import read_bounded

        given = {key: value for key, value in (query or {}).items() if value is not None}
        url = self.access.server + path + (f"?{urlencode(given)}" if given else "")
        headers = {"Accept": accept, "User-Agent": "slipway", **self._authorization()}
        if body is not None:
            headers["Content-Type"] = content_type
        transport = self._client()
        self.requests += 1
        deadline = time.monotonic() + ANSWER_SECONDS
        try:
            response = transport.request(  # type: ignore[no-untyped-call]
                method, url, headers=headers, body=body, _request_timeout=(CONNECT_SECONDS, READ_SECONDS)
            )
            data = read_bounded(response.response, most, deadline)
        except KubeError:
            raise
        except Exception as error:
            if isinstance(error, HTTPError | OSError) or type(error).__name__ == "ApiException":
                raise _unreachable(doing, error) from error
            raise
        if not 200 <= response.status < 300:
            raise errors.from_answer(response.status, response.headers, data, doing)
        return Answer(response.status, response.headers, data)

    def _client(self) -> RESTClientObject:
        """The official client's transport, made at the first request: importing it takes a second."""
        if self._rest is None:
            from kubernetes.client import Configuration
            from kubernetes.client.rest import RESTClientObject

            from deployments.kube.transport import POOL_CLASSES, tls_context

            # retries=False: none of its own, redirects neither. proxy="": none from the environment.
            settings = Configuration(
                host=self.access.server, retries=False, proxy="", connection_pool_maxsize=4
            )
            settings.tls_server_name = self.access.tls_server_name
            rest = RESTClientObject(settings)
            rest.pool_manager.pool_classes_by_scheme = POOL_CLASSES
            if self.access.server.startswith("https:"):
                rest.pool_manager.connection_pool_kw["ssl_context"] = tls_context(self.access)
                if self.access.tls_server_name:
                    rest.pool_manager.connection_pool_kw["assert_hostname"] = self.access.tls_server_name
            self._rest = rest
        return self._rest

    def _authorization(self) -> dict[str, str]:
        token = self.access.token
        if self.access.token_file:
            now = time.monotonic()
            if self._token is None or now - self._token[0] > _TOKEN_SECONDS:
                # The kubelet replaces the file long before the token in it expires.
                self._token = (now, Path(self.access.token_file).read_text("ascii").strip())
            token = self._token[1]
        return {"Authorization": f"Bearer {token}"} if token else {}


def _unreachable(doing: str, error: Exception) -> KubeError:
    """The kind of silence in words; the original text stays in the cause, out of sight."""
    name, text = type(error).__name__, f"{error} {error.__cause__ or ''}"
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        return errors.Untrusted(f"Cannot {doing}: the server's certificate is not one that we trust.")
    if "SSL" in name or "SSLError" in text:
        return errors.Untrusted(f"Cannot {doing}: no secure connection could be made.")
    if name == "NameResolutionError":
        why = "the host name is not known"
    elif "Timeout" in name:
        why = "there is no answer in time"
    elif "refused" in text:
        why = "the connection is refused"
    else:
        why = "the connection broke"
    return errors.Unreachable(f"Cannot {doing}: {why}.")
