"""Registry secrets of a namespace that fit an image: operators find them by the host that they are for."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from deployments.sandbox.nodes.registry import parse_image

if TYPE_CHECKING:
    from deployments.sandbox.store import Object, Store


def secrets_for(store: Store, namespace: str, images: Iterable[str]) -> list[str]:
    """Names of the secrets with credentials for a host of these images, in order."""
    parsed = (parse_image(image) for image in images)
    hosts = {image.host for image in parsed if image is not None}
    found = store.list("secrets", namespace)
    return sorted(each["metadata"]["name"] for each in found if _hosts(each) & hosts)


def _hosts(secret: Object) -> set[str]:
    if secret.get("type") != "kubernetes.io/dockerconfigjson":
        return set()
    try:
        document = json.loads(base64.b64decode((secret.get("data") or {}).get(".dockerconfigjson") or ""))
        return {str(host).removeprefix("https://").rstrip("/") for host in document["auths"]}
    except (binascii.Error, ValueError, KeyError, TypeError):
        return set()
