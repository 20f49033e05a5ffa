"""Which network addresses the console may speak to.

Addresses of clusters and endpoints are typed in by people, so each of them is a way to make this process
talk to something it should not: above all a cloud's metadata service, which hands out credentials to
whoever asks from inside. Names are judged here when they are saved; what they resolve to is judged again on
every connect (`judge_ip`), because a name may change its mind. Private ranges are fine: that is where
clusters live. Pure.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

LONGEST_URL = 2048

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA_NAMES = {
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.azure.internal",
    "metadata.packet.net",
    "metadata.tencentyun.com",
    "instance-data",
    "instance-data.ec2.internal",
}
# Metadata services outside the link-local range: Alibaba, Azure's wire server, Oracle, AWS over IPv6.
_METADATA_ADDRESSES = {
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAME = re.compile(r"(?=.{1,253}\.?$)(?!-)[a-z0-9_-]{1,63}(?:\.(?!-)[a-z0-9_-]{1,63})*\.?", re.ASCII)
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.ASCII)


class AddressRefused(ValueError):
    """An address that is not spoken to; the message is a sentence for people."""


def judge_address(url: str) -> None:
    """Accept `https://host[:port][/path]`, or `http://` of this machine. Raises AddressRefused."""
    if len(url) > LONGEST_URL or any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise AddressRefused("The server's address has characters that no address has, or is too long.")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise AddressRefused("The server's address cannot be read. Write it as https://host:port.") from None
    if parts.scheme not in ("https", "http") or not host:
        raise AddressRefused("The server's address must begin with https:// and name a host.")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("The server's address must not hold a user name or password.")
    if parts.query or parts.fragment:
        raise AddressRefused("The server's address must end with the path: no ? and no #.")
    judge_host(host)
    if parts.scheme == "http" and not is_loopback(host):
        raise AddressRefused("Plain http is only accepted for this machine (127.0.0.1). Use https.")


def judge_host(host: str) -> None:
    """Accept a DNS name or an IP address that may be spoken to. Raises AddressRefused."""
    name = host.lower().strip("[]")
    address = _address_of(name)
    if address is not None:
        judge_ip(address)
        return
    if not _NAME.fullmatch(name):
        raise AddressRefused(f"{host[:80]!r} is not a host name.")
    plain = name.rstrip(".")
    if plain in _METADATA_NAMES or plain.endswith(".metadata.google.internal"):
        raise AddressRefused(f"{plain} is a metadata service, which is never spoken to.")


def judge_ip(address: _Address | str) -> None:
    """Refuse link-local, metadata, multicast and unspecified addresses, wrapped ones too.

    Raises AddressRefused.
    """
    if isinstance(address, str):
        address = ipaddress.ip_address(address.partition("%")[0])
    for face in _faces(address):
        if face.is_link_local or face in _METADATA_ADDRESSES:
            raise AddressRefused(f"{address} is link-local or a metadata service, which is never spoken to.")
        if face.is_unspecified or face.is_multicast or face == ipaddress.ip_address("255.255.255.255"):
            raise AddressRefused(f"{address} is not the address of one machine.")


def is_loopback(host: str) -> bool:
    """True for this machine, by name or by address."""
    name = host.lower().strip("[]").rstrip(".")
    if name == "localhost":
        return True
    address = _address_of(name)
    return address is not None and any(face.is_loopback for face in _faces(address))


def _address_of(name: str) -> _Address | None:
    """The IP address that a host text means, or None for a name. Odd spellings are refused, not guessed."""
    try:
        return ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        pass
    # Resolvers also read 2852039166, 0251.0376.0251.0376 and 0xa9.254.43518 as IPv4 addresses.
    if all(_NUMBER.fullmatch(part) for part in name.rstrip(".").split(".")):
        try:
            meant = ipaddress.IPv4Address(socket.inet_aton(name.rstrip(".")))
        except OSError:
            raise AddressRefused(f"{name[:80]!r} is not an address.") from None
        raise AddressRefused(f"{name[:80]!r} is an unusual spelling of {meant}. Write four decimal numbers.")
    if ":" in name:
        raise AddressRefused(f"{name[:80]!r} is not an address.")
    return None


def _faces(address: _Address) -> list[_Address]:
    """The address and every IPv4 address that is wrapped in it."""
    faces: list[_Address] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            faces.append(address.ipv4_mapped)
        if address.sixtofour:
            faces.append(address.sixtofour)
        if address in _NAT64 or int(address) >> 32 == 0:
            faces.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.teredo:
            faces.extend(address.teredo)
    return faces
