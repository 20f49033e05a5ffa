"""The one door to engines: where the replicas of a deployment are, which one takes a request, and the way there.

A base URL with an address is one replica; one with a host name is as many as its name has addresses, looked up again
every few seconds, so that connections that are kept do not stay with one replica of a service for ever. A request goes
to the replica that has the fewest of ours in flight; one that fails is left out for a while, longer each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from metering.gateway.link import Link

#: Seconds for a connection to be made, between two look-ups of a name, and that an unused connection is kept: vLLM's
#: own server closes what is idle for five.
CONNECT, LOOK_UP_EVERY, KEEP_IDLE = 2.0, 5.0, 4.0
_FIRST_REST, _LONGEST_REST = 1.0, 30.0


class Unreachable(Exception):
    """No connection to a replica could be made."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a base URL says."""

    host: str
    port: int
    prefix: str
    tls: bool
    authority: str
    """For the Host header."""

    @classmethod
    def of(cls, url: str) -> Place:
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not the address of an engine")
        return cls(
            parts.hostname, parts.port or (443 if tls else 80), parts.path.rstrip("/"), tls, parts.netloc
        )

    @property
    def is_address(self) -> bool:
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(self.host)
            return True
        return False


class Replica:
    """One address where an engine answers."""

    def __init__(self, place: Place, address: str, certificate: str) -> None:
        self.place = place
        self.address = address
        self.in_flight = 0
        self.rests_until = 0.0
        self._certificate = certificate
        self._failures = 0
        self._idle: list[tuple[Link, float]] = []

    def __repr__(self) -> str:
        return f"Replica({self.address}:{self.place.port})"

    async def link(self, *, fresh: bool = False) -> Link:
        """A connection: the one used last, unless a fresh one is wanted. Raises Unreachable."""
        oldest = time.monotonic() - KEEP_IDLE
        while self._idle:
            link, since = self._idle.pop()
            if not fresh and since > oldest and link.is_open:
                return link
            link.abort()
        place = self.place
        try:
            async with asyncio.timeout(CONNECT):
                _, link = await asyncio.get_running_loop().create_connection(
                    Link,
                    self.address,
                    place.port,
                    ssl=_trust(self._certificate) if place.tls else None,
                    server_hostname=place.host if place.tls else None,
                )
        except (OSError, TimeoutError) as error:
            raise Unreachable(type(error).__name__) from error
        return link

    def keep(self, link: Link) -> None:
        """Takes back a connection that may be used again."""
        self._idle.append((link, time.monotonic()))

    def failed(self) -> None:
        """Leaves it out for a while: 1 s, then twice as long each time, at most 30 s."""
        self.rests_until = time.monotonic() + min(_FIRST_REST * 2.0**self._failures, _LONGEST_REST)
        self._failures = min(self._failures + 1, 10)

    def worked(self) -> None:
        self._failures, self.rests_until = 0, 0.0

    def close(self) -> None:
        for link, _ in self._idle:
            link.abort()
        self._idle.clear()


class _Group:
    """The replicas behind one base URL."""

    def __init__(self, url: str, certificate: str) -> None:
        self.place = Place.of(url)
        self._certificate = certificate
        self._looked_up_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._replicas: dict[str, Replica] = {}
        self._is_fixed = self.place.is_address
        if self._is_fixed:
            self._take([self.place.host])

    async def replicas(self) -> Collection[Replica]:
        """Those known; waits only while none is."""
        if not self._is_fixed and time.monotonic() - self._looked_up_at > LOOK_UP_EVERY:
            if self._looking is None:
                self._looking = asyncio.create_task(self._look_up())
            if not self._replicas:
                await asyncio.shield(self._looking)
        return self._replicas.values()

    async def _look_up(self) -> None:
        try:
            async with asyncio.timeout(CONNECT):
                found = await asyncio.get_running_loop().getaddrinfo(
                    self.place.host, self.place.port, type=socket.SOCK_STREAM
                )
        except (OSError, TimeoutError):
            return  # what was known stays: a name server that is away takes no engine down
        finally:
            self._looked_up_at, self._looking = time.monotonic(), None
        self._take(dict.fromkeys(str(address[0]) for *_, address in found))

    def _take(self, addresses: Iterable[str]) -> None:
        wanted = list(addresses)
        for gone in set(self._replicas) - set(wanted):
            self._replicas.pop(gone).close()
        for address in wanted:
            if address not in self._replicas:
                self._replicas[address] = Replica(self.place, address, self._certificate)

    def close(self) -> None:
        self._take([])


class Upstreams:
    """All replicas that routes lead to."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], _Group] = {}
        self._turn = 0

    async def pick(
        self, urls: Iterable[str], certificate: str = "", avoid: Replica | None = None
    ) -> Replica | None:
        """The replica for the next request; `avoid` only where there is no other. None: there is none at all.

        When all are left out, the one that will be back first is tried: refusing without a try would keep a deployment
        away for longer than its engines are.
        """
        replicas = [replica for url in urls for replica in await self._group(url, certificate).replicas()]
        if not replicas:
            return None
        others = [replica for replica in replicas if replica is not avoid] or replicas
        now = time.monotonic()
        fit = [replica for replica in others if replica.rests_until <= now]
        if not fit:
            return min(others, key=lambda replica: replica.rests_until)
        self._turn += 1
        start = self._turn % len(fit)  # so that equals take turns
        return min(fit[start:] + fit[:start], key=lambda replica: replica.in_flight)

    def forget_all_but(self, wanted: set[tuple[str, str]]) -> None:
        """Closes what no route leads to any more; requests in flight go on."""
        for each in set(self._groups) - wanted:
            self._groups.pop(each).close()

    def close(self) -> None:
        self.forget_all_but(set())

    def _group(self, url: str, certificate: str) -> _Group:
        group = self._groups.get((url, certificate))
        if group is None:
            group = self._groups[url, certificate] = _Group(url, certificate)
        return group


@lru_cache(maxsize=256)
def _trust(certificate: str) -> ssl.SSLContext:
    """Public authorities, and the endpoint's own certificate where it has one."""
    context = ssl.create_default_context()
    if certificate:
        context.load_verify_locations(cadata=certificate)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
