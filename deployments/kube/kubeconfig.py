"""A kubeconfig that somebody uploaded, judged before anything is done with it.

In kubectl's hands a kubeconfig may run programs and read files; in a console's hands that would let whoever
may add a cluster run programs on the server and read its files. Only what stands in the document itself is
used: a server, a certificate authority, and a token or a client certificate. Everything else is refused by
name. Pure.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yaml

from deployments.kube.addresses import AddressRefused, is_loopback, judge_address, judge_host

LARGEST_KUBECONFIG = 256 * 1024
_DEEPEST = 12
_SECRET_CHARACTERS = frozenset(map(chr, range(33, 127)))


class KubeconfigRefused(ValueError):
    """The kubeconfig cannot be used; the message is a sentence for people and quotes no secret."""


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """All that is needed to speak to one Kubernetes API."""

    server: str
    ca_pem: str | None = None
    """None: the system's certificate authorities."""
    token: str | None = field(default=None, repr=False)
    client_certificate_pem: str | None = field(default=None, repr=False)
    client_key_pem: str | None = field(default=None, repr=False)
    tls_server_name: str | None = None
    """The name in the server's certificate, when it is not the host of the address."""
    verify: bool = True
    """False only for this machine."""
    token_file: str | None = None
    """Never from a kubeconfig: where a pod finds its own, rotating token."""


def read(text: str | bytes) -> ClusterAccess:
    """The access that the current context of a kubeconfig describes. Raises KubeconfigRefused."""
    document = _parse(text)
    context_name = document.get("current-context")
    contexts = _named(document, "contexts", "context")
    if not context_name and len(contexts) == 1:
        context_name = next(iter(contexts))
    if not isinstance(context_name, str) or context_name not in contexts:
        raise KubeconfigRefused(
            "The kubeconfig names no current context. Set current-context to one of its contexts."
        )
    context = contexts[context_name]
    clusters, users = _named(document, "clusters", "cluster"), _named(document, "users", "user")
    cluster, user = clusters.get(_text(context, "cluster")), users.get(_text(context, "user"))
    if cluster is None:
        raise KubeconfigRefused("The current context names a cluster that the kubeconfig does not describe.")
    if user is None:
        raise KubeconfigRefused("The current context names a user that the kubeconfig does not describe.")
    return _judge(cluster, user)


def _judge(cluster: dict[str, Any], user: dict[str, Any]) -> ClusterAccess:
    _refuse_programs_and_files(cluster, user)
    server = _text(cluster, "server").rstrip("/")
    try:
        judge_address(server)
        if name := _text(cluster, "tls-server-name"):
            judge_host(name)
    except AddressRefused as error:
        raise KubeconfigRefused(str(error)) from None
    if cluster.get("insecure-skip-tls-verify") and not is_loopback(_host(server)):
        raise KubeconfigRefused(
            "insecure-skip-tls-verify gives the credentials to anybody in between. Remove it, and put the "
            "cluster's certificate into certificate-authority-data."
        )
    token = _text(user, "token") or None
    if token and not set(token) <= _SECRET_CHARACTERS:
        raise KubeconfigRefused("The token has characters that no token has.")
    certificate = _pem(user, "client-certificate-data", "CERTIFICATE")
    key = _pem(user, "client-key-data", "PRIVATE KEY")
    if (certificate is None) != (key is None):
        raise KubeconfigRefused(
            "A client certificate needs its key: give client-certificate-data and client-key-data."
        )
    if token is None and certificate is None:
        raise KubeconfigRefused(
            "The kubeconfig has no credentials. Give a token, or a client certificate with its key."
        )
    return ClusterAccess(
        server=server,
        ca_pem=_pem(cluster, "certificate-authority-data", "CERTIFICATE"),
        token=token,
        client_certificate_pem=certificate,
        client_key_pem=key,
        tls_server_name=_text(cluster, "tls-server-name") or None,
        verify=not cluster.get("insecure-skip-tls-verify"),
    )


_REFUSED_IN_CLUSTER = {
    "certificate-authority": "points to a file. Put the certificate into certificate-authority-data.",
    "proxy-url": "sends everything through another machine. Remove proxy-url.",
}
_BASIC = "uses a user name and password, which Kubernetes no longer accepts. Use a token."
_IMPERSONATION = "acts as somebody else. Use the credentials of the account itself."
_REFUSED_IN_USER = {
    "exec": "runs a program to get credentials. Use the token of a service account.",
    "auth-provider": "runs code of an auth provider to get credentials. Use the token of a service account.",
    "tokenFile": "points to a file. Put the token into token.",
    "client-certificate": "points to a file. Put the certificate into client-certificate-data.",
    "client-key": "points to a file. Put the key into client-key-data.",
    "username": _BASIC,
    "password": _BASIC,
    "as": _IMPERSONATION,
    "as-groups": _IMPERSONATION,
    "as-uid": _IMPERSONATION,
    "as-user-extra": _IMPERSONATION,
}


def _refuse_programs_and_files(cluster: dict[str, Any], user: dict[str, Any]) -> None:
    for part, refused in ((user, _REFUSED_IN_USER), (cluster, _REFUSED_IN_CLUSTER)):
        for key, why in refused.items():
            if part.get(key):
                raise KubeconfigRefused(f"This kubeconfig {why}")


def _parse(text: str | bytes) -> dict[str, Any]:
    size = len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else len(text)
    if size > LARGEST_KUBECONFIG:
        raise KubeconfigRefused(f"The kubeconfig is larger than {LARGEST_KUBECONFIG // 1024} KiB.")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        _refuse_bombs(text)
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except KubeconfigRefused:
        raise
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        raise KubeconfigRefused("This is not a kubeconfig: it cannot be read as YAML.") from None
    if not isinstance(document, dict) or document.get("kind", "Config") != "Config":
        raise KubeconfigRefused("This is not a kubeconfig: it has no kind: Config.")
    return document


def _refuse_bombs(text: str) -> None:
    """Refuse deep nesting and aliases by the parser's events, before anything is built from them."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise KubeconfigRefused("The kubeconfig uses YAML aliases, which are not accepted.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise KubeconfigRefused("This is not a kubeconfig: it is nested too deeply.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _named(document: dict[str, Any], plural: str, single: str) -> dict[str, dict[str, Any]]:
    """The entries of a list of {name, <single>} by name."""
    entries = document.get(plural) or []
    if not isinstance(entries, list):
        raise KubeconfigRefused(f"This is not a kubeconfig: {plural} is not a list.")
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise KubeconfigRefused(f"This is not a kubeconfig: an entry of {plural} has no name.")
        value = entry.get(single)
        if not isinstance(value, dict):
            value = {}
        found.setdefault(entry["name"], value)
    return found


def _text(part: dict[str, Any], key: str) -> str:
    value = part.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise KubeconfigRefused(f"{key} in the kubeconfig must be text.")
    return value.strip()


def _pem(part: dict[str, Any], key: str, what: str) -> str | None:
    """The PEM text behind a base64 field."""
    raw = _text(part, key)
    if not raw:
        return None
    try:
        text = base64.b64decode("".join(raw.split()), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise KubeconfigRefused(f"{key} in the kubeconfig is not valid base64.") from None
    if "-----BEGIN " not in text or what not in text:
        raise KubeconfigRefused(f"{key} in the kubeconfig holds no PEM {what.lower()}.")
    return text


def _host(server: str) -> str:
    return urlsplit(server).hostname or ""
