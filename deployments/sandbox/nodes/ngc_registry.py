"""NVIDIA's registry: which images of nvcr.io exist, which need an NGC key to pull or to run, and for whom.

Packaged models (`nim/<publisher>/<model>`) have tags of the lines 1.x and 2.x. Images of feature branches need no
key from 2.0.10 on, those of production branches (`-pb`) always do. Dynamo's runtimes are open to everybody.
"""

from __future__ import annotations

import re

from deployments.sandbox.settings import GIB

HOST = "nvcr.io"
USER = "$oauthtoken"
_MODEL = re.compile(r"nim/[a-z0-9._-]+/[a-z0-9._-]+")
_MODEL_TAG = re.compile(r"(1\.\d{1,2}|2\.[0-2])(\.\d{1,2})?(-[A-Za-z0-9._-]+)?")
_DYNAMO = "nvidia/ai-dynamo/"
_RUNTIMES = {
    f"{_DYNAMO}vllm-runtime": 13 * GIB,
    f"{_DYNAMO}sglang-runtime": 14 * GIB,
    f"{_DYNAMO}tensorrtllm-runtime": 22 * GIB,
    f"{_DYNAMO}dynamo-frontend": GIB,
    f"{_DYNAMO}frontend": GIB,
}
_RUNTIME_TAG = re.compile(r"[01]\.\d{1,2}\.\d{1,2}([.-]?(post|rc)?\d*)?(-[A-Za-z0-9._-]+)?")
_MODEL_SIZE = 14 * GIB
_KEYLESS_SINCE = (2, 0, 10)


def is_packaged_model(path: str) -> bool:
    """Whether a path of the registry is a NIM."""
    return path.startswith("nim/")


def size_of(path: str, tag: str, digest: str) -> int | None:
    """Bytes of an image; None for one that does not exist."""
    if _MODEL.fullmatch(path):
        return _MODEL_SIZE if digest or tag == "latest" or _MODEL_TAG.fullmatch(tag) else None
    if path in _RUNTIMES:
        return _RUNTIMES[path] if digest or tag == "latest" or _RUNTIME_TAG.fullmatch(tag) else None
    return None


def version_of(tag: str) -> tuple[int, int, int]:
    """The version in a NIM's tag; `latest` and digests are the newest line."""
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", tag)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (2, 1, 5)


def is_keyless(path: str, tag: str) -> bool:
    """Whether a NIM runs, and is pulled, without an NGC key."""
    if "-pb" in path.rsplit("/", 1)[-1] or "-pb" in tag:
        return False
    return version_of(tag) >= _KEYLESS_SINCE


def wants_login(path: str, tag: str) -> bool:
    """Whether an anonymous pull is refused."""
    return not path.startswith(_DYNAMO) and not (is_packaged_model(path) and is_keyless(path, tag))


def refusal(path: str, passwords: list[str]) -> str:
    """What the registry answers to the keys that a pod holds; empty when one of them opens the image."""
    scope = f"scope=repository%3A{path.replace('/', '%2F')}%3Apull"
    if not passwords:
        answer = f"unexpected status from GET request to https://{HOST}/proxy_auth?{scope}: 401 Unauthorized"
        return f"failed to authorize: failed to fetch anonymous token: {answer}"
    if all(is_refused(password) for password in passwords):
        account = f"account=%24oauthtoken&{scope}"
        answer = f"unexpected status from GET request to https://{HOST}/proxy_auth?{account}: 403 Forbidden"
        return f"failed to authorize: failed to fetch oauth token: {answer}"
    return ""


def is_refused(key: str) -> bool:
    """The keys that NGC does not accept: whoever plays with the sandbox writes `invalid` into them."""
    return "invalid" in key.lower()
