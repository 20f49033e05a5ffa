"""What the host name of an endpoint may be. Pure.

It is written into routes of the cluster and into the addresses that clients use, so it is a name that can be routed:
no address, no name of this machine, no metadata service.
"""

from __future__ import annotations

import re

from deployments.document.rules import Refused, line
from deployments.kube.addresses import AddressRefused, judge_host

LONGEST = 253

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
#: Letters that the two versions of IDNA turn into different names.
_DEVIATIONS = "ßς\u200c\u200d"


def hostname(raw: object) -> str:
    """The name in lower case and, beyond ASCII, in its xn-- form. Raises Refused."""
    typed = line(raw, 1000)
    name = typed.lower()
    if "://" in name or "/" in name:
        raise Refused("Write the host name alone, without https:// and without a path.")
    if ":" in name or name.startswith("["):
        raise Refused("Write a host name without a port. An IP address cannot be routed by name.")
    if name.startswith("*."):
        raise Refused("An endpoint has one host name, so a wildcard cannot be one.")
    name = _ascii(name.rstrip("."))
    if len(name) > LONGEST:
        raise Refused(f"{len(name)} characters are too long for a host name. Use at most {LONGEST}.")
    try:
        judge_host(name)
    except AddressRefused as error:
        raise Refused(str(error)) from None
    labels = name.split(".")
    if labels[-1].isdigit():
        raise Refused(f"{name} is an IP address. Write a name such as models.example.com.")
    if labels[-1] == "localhost" or name == "localhost.localdomain":
        raise Refused(f"{name} means the machine of whoever asks. Write a name such as models.example.com.")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise Refused(
                f"“{typed[:80]}” is not a host name: use lower-case letters, digits, hyphens and dots, "
                "as in models.example.com."
            )
    return name


def _ascii(name: str) -> str:
    if name.isascii():
        return name
    if any(letter in name for letter in _DEVIATIONS):
        raise Refused(
            "This name has letters that programs read in two ways. Write its form that begins with xn--."
        )
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        raise Refused("This name has characters that no host name has.") from None
