"""What the address of a cluster's Prometheus may be. Pure.

KEDA calls it from inside the cluster, never this console, so names of services and private addresses are fine. It is
written into objects that many people may read, so it holds no credentials.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from deployments.document.rules import Refused, line
from deployments.kube.addresses import AddressRefused, judge_host

LONGEST: Final = 300
EXAMPLE: Final = "http://prometheus-server.monitoring:9090"


def address(raw: object) -> str:
    """An http(s) address without credentials, query or fragment; empty stays empty. Raises Refused."""
    value = line(raw, LONGEST)
    if not value:
        return ""
    if any(character.isspace() or not "!" <= character <= "~" for character in value):
        raise Refused(f"An address has no spaces and only plain letters. Write it like {EXAMPLE}.")
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise Refused(f"This address cannot be read. Write it like {EXAMPLE}.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise Refused(f"The address begins with http:// or https:// and names a host, like {EXAMPLE}.")
    if "@" in parts.netloc:
        raise Refused("The address must not hold a user name or password: many may read it in the cluster.")
    if parts.query or parts.fragment or value.endswith(("?", "#")):
        raise Refused("The address ends with the path: no ? and no #.")
    try:
        judge_host(host)
    except AddressRefused as error:
        raise Refused(str(error)) from None
    return value.rstrip("/")
