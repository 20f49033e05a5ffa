"""Which container images exist, how large they are, and what a registry answers for the others.

The sandbox pulls nothing. It decides from the reference alone, the way a real registry would: published tags of
the vLLM image (at any host that mirrors it) and a few well-known small images are there, NVIDIA's registry has
rules of its own (`ngc_registry.py`), private paths refuse anonymous pulls, and hosts called `unreachable.*` do not
answer.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from deployments.sandbox.nodes import ngc_registry
from deployments.sandbox.settings import GIB

_REFERENCE = re.compile(
    r"(?:(?P<host>[a-zA-Z0-9.-]+\.[a-zA-Z0-9.-]+(?::\d+)?|localhost(?::\d+)?)/)?"
    r"(?P<path>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_MIB = 1024**2
_VLLM_SIZE = 11 * GIB
_SMALL = {
    "library/busybox": 2 * _MIB,
    "library/nginx": 72 * _MIB,
    "library/python": 370 * _MIB,
    "curlimages/curl": 12 * _MIB,
}
VLLM_TAGS = frozenset(f"v0.{minor}.{patch}" for minor in range(26, 34) for patch in (0, 1)) | {"latest"}


@dataclass(frozen=True, slots=True)
class Image:
    """A reference taken apart; `name` is its full form with host and tag, as containerd prints it."""

    host: str
    path: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """host/path:tag, with the digest if there is one."""
        suffix = f"@{self.digest}" if self.digest else ""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.host}/{self.path}{tag}{suffix}"

    @property
    def serves_vllm(self) -> bool:
        """Whether this is the vLLM server image or a mirror of it."""
        return self.path.split("/")[-1] == "vllm-openai"

    @property
    def serves_nim(self) -> bool:
        """Whether this is one of NVIDIA's packaged models."""
        return self.host == ngc_registry.HOST and ngc_registry.is_packaged_model(self.path)


@dataclass(frozen=True, slots=True)
class Pull:
    """What the registry says: the size in bytes, or the sentence of the refusal."""

    size: int = 0
    error: str = ""


def parse_image(reference: str) -> Image | None:
    """The parts of an image reference with the defaults of Docker Hub; None when it is not a valid one."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    host, path, tag, digest = match["host"], match["path"], match["tag"], match["digest"] or ""
    if host is None:
        host = "docker.io"
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return Image(host, path, tag or ("" if digest else "latest"), digest)


def pull(image: Image, pull_secrets: Iterable[dict[str, object]] = ()) -> Pull:
    """Ask for an image with the pod's pull secrets (live Secret objects)."""
    resolve = f'failed to pull and unpack image "{image.name}": failed to resolve reference "{image.name}"'
    if image.host.startswith("unreachable."):
        request = f'failed to do request: Head "https://{image.host}/v2/{image.path}/manifests/{image.tag}"'
        return Pull(error=f"{resolve}: {request}: dial tcp 192.0.2.10:443: i/o timeout")
    if image.host.endswith(".invalid"):
        request = f'failed to do request: Head "https://{image.host}/v2/{image.path}/manifests/{image.tag}"'
        return Pull(error=f"{resolve}: {request}: dial tcp: lookup {image.host}: no such host")
    refusal = _refusal(image, pull_secrets)
    if refusal:
        return Pull(error=f"{resolve}: {refusal}")
    size = _size(image)
    if size is None:
        return Pull(error=f"rpc error: code = NotFound desc = {resolve}: {image.name}: not found")
    return Pull(size=size)


def _refusal(image: Image, pull_secrets: Iterable[dict[str, object]]) -> str:
    """Why the registry lets nobody in with these secrets; empty when it does."""
    if image.host == ngc_registry.HOST:
        if not ngc_registry.wants_login(image.path, image.tag):
            return ""
        logins = (_login(image, secret) for secret in pull_secrets)
        keys = [password for user, password in logins if user == ngc_registry.USER and password]
        return ngc_registry.refusal(image.path, keys)
    if "private" not in image.path.split("/")[:-1]:
        return ""
    if any(all(_login(image, secret)) for secret in pull_secrets):
        return ""
    scope = f"scope=repository%3A{image.path.replace('/', '%2F')}%3Apull"
    answer = f"unexpected status from GET request to https://{image.host}/token?{scope}: 401 Unauthorized"
    return f"failed to authorize: failed to fetch anonymous token: {answer}"


def _size(image: Image) -> int | None:
    if image.host == ngc_registry.HOST:
        return ngc_registry.size_of(image.path, image.tag, image.digest)
    if image.serves_vllm:
        return _VLLM_SIZE if image.digest or image.tag in VLLM_TAGS else None
    return _SMALL.get(image.path)


def _login(image: Image, secret: dict[str, object]) -> tuple[str, str]:
    """User and password that a secret has for the image's host; empty strings for a secret of another kind."""
    data = secret.get("data")
    if secret.get("type") != "kubernetes.io/dockerconfigjson" or not isinstance(data, dict):
        return "", ""
    try:
        document = json.loads(base64.b64decode(data.get(".dockerconfigjson") or "", validate=True))
        entry = document["auths"][image.host]
        user, password = entry.get("username"), entry.get("password")
        if not user and entry.get("auth"):
            user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return "", ""
    return str(user or ""), str(password or "")
