"""Which addresses webhooks may go to. Pure.

An address is typed in by somebody, so it is a way to have this process speak to what only it can reach. It is judged
when it is saved, and what its name leads to is judged again on every connect, on the address that is then connected to.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST_URL = 2048
_NAME = re.compile(r"(?=.{1,253}\.?$)[a-z0-9_](?:[a-z0-9_-]{0,62}\.?)+", re.ASCII)
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.ASCII)
#: Never spoken to, whatever networks are allowed: they hand out credentials to whoever asks from inside.
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("169.254.0.0/16", "fe80::/10", "100.100.100.200", "168.63.129.16"),
        *("192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_INNER_NAMES = ("localhost", "metadata", "instance-data")
_INNER_ENDINGS = (".localhost", ".local", ".internal", ".svc", ".cluster.local")


class AddressRefused(ValueError):
    """An address that no webhook goes to; the message is a sentence for people."""


def judge(url: str, allowed: Sequence[Network] = ()) -> SplitResult:
    """The parts of an address that may be saved. `allowed`: inner networks. Raises AddressRefused."""
    if (
        len(url) > LONGEST_URL
        or not url.isascii()
        or any(ord(each) <= 32 or ord(each) == 127 for each in url)
    ):
        raise AddressRefused("The address has characters that no address has, or is too long.")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise AddressRefused("The address cannot be read. Write it as https://host/path.") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and allowed):
        raise AddressRefused("The address must begin with https://.")
    if not host:
        raise AddressRefused("The address names no host. Write it as https://host/path.")
    if "@" in parts.netloc or "\\" in url:
        raise AddressRefused("The address must not hold a user name or password.")
    if parts.fragment:
        raise AddressRefused("The address must not have a part after #.")
    _judge_host(host.lower(), allowed)
    return parts


def judge_ip(text: str, allowed: Sequence[Network] = (), *, is_plain: bool = False) -> None:
    """Refuse what is not public, unless it is in an allowed network. `is_plain`: without TLS. Raises AddressRefused."""
    address = ipaddress.ip_address(text.partition("%")[0])
    faces = _faces(address)
    if any(face in network for face in faces for network in _NEVER):
        raise AddressRefused(f"{address} is link-local or a metadata service, which is never spoken to.")
    if any(face.is_unspecified or face.is_multicast for face in faces):
        raise AddressRefused(f"{address} is not the address of one machine.")
    if all(any(face in network for network in allowed) for face in faces):
        return
    if is_plain:
        raise AddressRefused(f"{address} is in no allowed network, so that it needs https://.")
    if not all(face.is_global for face in faces):
        raise AddressRefused(
            f"{address} is an address inside. Whoever runs Slipway can allow its network with WEBHOOK_NETWORKS."
        )


def _judge_host(host: str, allowed: Sequence[Network]) -> None:
    name = host.rstrip(".")
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        pass
    else:
        judge_ip(name, allowed)
        return
    if name and all(_NUMBER.fullmatch(part) for part in name.split(".")):
        try:
            meant = ipaddress.IPv4Address(socket.inet_aton(name))
        except OSError:
            raise AddressRefused(f"{name[:80]} is not an address.") from None
        raise AddressRefused(f"{name[:80]} is an unusual spelling of {meant}. Write four decimal numbers.")
    if not _NAME.fullmatch(host) or ".." in host:
        raise AddressRefused(f"{host[:80]} is not a host name.")
    if not allowed and (name in _INNER_NAMES or name.endswith(_INNER_ENDINGS)):
        raise AddressRefused(
            f"{name} is a name inside. Whoever runs Slipway can allow its network with WEBHOOK_NETWORKS."
        )


def _faces(address: Address) -> list[Address]:
    """The address, or the IPv4 addresses that are wrapped in it."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address.sixtofour:
        return [address, address.sixtofour]
    if address.teredo:
        return [address, *address.teredo]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    return [address]
