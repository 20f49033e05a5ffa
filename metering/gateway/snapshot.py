"""What a gateway decides by: a copy of what Postgres says about keys, deployments, shares and limits. Pure.

A snapshot is whole and never changed; a new one takes its place. It is also what is kept on disk, so that a gateway
that starts while Postgres is away serves as the last one did. Digests of keys are in it, keys are not.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from deployments.vocabulary import DesiredState, LimitScope, Sharing
from metering.limiter import Bucket, bucket_key

#: Requests and tokens per minute; None: no limit.
Limit = tuple[int | None, int | None]
Limits = dict[LimitScope, Limit]


class Key(msgspec.Struct, frozen=True, gc=False):
    """A live key of a live person who still belongs to the organisation."""

    id: int
    organization_id: int
    user_id: int
    expires: float
    """Unix seconds; 0: never."""
    deployments: frozenset[int] | None
    """None: for all that is shared with the organisation."""
    is_suspended: bool = False
    """The organisation is: its keys are known, and may do nothing."""


class Route(msgspec.Struct, frozen=True):
    """A deployment as the gateway sees it."""

    deployment_id: int
    name: str
    revision: int
    model: str
    """Slug of the catalogue entry."""
    created: int
    """Unix seconds."""
    state: DesiredState
    sharing: Sharing
    organizations: frozenset[int]
    """Those that it is shared with, when it is shared with selected ones."""
    upstreams: tuple[str, ...]
    """Base URLs, up to the path before /v1. Empty: there is no way to it from here, or none yet."""
    reports_continuously: bool
    """The engine can report usage in every event of a stream."""
    context: int = 0
    """Tokens of prompt and answer together; 0: not known."""
    price_id: int | None = None
    certificate: str = ""
    """PEM of a certificate that the endpoint's host name shows and no public authority has signed."""
    shadow: bool = False
    limits: Limits = {}
    overrides: dict[int, Limits] = {}
    """Limits of single organisations, which stand in for the general ones of the same scope."""

    def is_open_to(self, key: Key) -> bool:
        """Whether a key may use it."""
        if self.sharing is Sharing.SELECTED:
            is_shared = key.organization_id in self.organizations
        else:
            is_shared = self.sharing is Sharing.ALL
        return is_shared and (key.deployments is None or self.deployment_id in key.deployments)

    def buckets(self, key: Key) -> tuple[Bucket, ...]:
        """What a request with this key is counted in: only what has a limit."""
        limits = self.limits
        if key.organization_id in self.overrides:
            limits = {**limits, **self.overrides[key.organization_id]}
        if not limits:
            return ()
        ids = {
            LimitScope.ORGANIZATION: key.organization_id,
            LimitScope.USER: key.user_id,
            LimitScope.API_KEY: key.id,
        }
        return tuple(
            Bucket(bucket_key(self.deployment_id, scope, ids[scope]), scope, *limit)
            for scope, limit in limits.items()
            if limit != (None, None)
        )


class Keys(msgspec.Struct, frozen=True):
    """Keys by the digest of their text."""

    by_digest: dict[str, Key] = {}


class Routes(msgspec.Struct, frozen=True):
    """Deployments by name."""

    by_name: dict[str, Route] = {}


class Snapshot(NamedTuple):
    """Everything at one time, and how old it is."""

    keys: Keys
    routes: Routes
    read_at: float
    """Unix seconds of the last reading that succeeded; 0: never."""

    def models_of(self, key: Key) -> list[Route]:
        """What a key may use, by name."""
        return sorted(
            (route for route in self.routes.by_name.values() if route.is_open_to(key)),
            key=lambda route: route.name,
        )


EMPTY = Snapshot(Keys(), Routes(), 0.0)


class _Kept(msgspec.Struct):
    """The form on disk. The version changes when an older form means something else."""

    version: int
    keys: Keys
    routes: Routes
    read_at: float


_VERSION = 1


def pack(snapshot: Snapshot) -> bytes:
    return msgspec.msgpack.encode(_Kept(_VERSION, *snapshot))


def unpack(data: bytes) -> Snapshot:
    """Raises ValueError for anything that this version did not write."""
    kept = msgspec.msgpack.decode(data, type=_Kept)
    if kept.version != _VERSION:
        raise ValueError("a snapshot of another version")
    return Snapshot(kept.keys, kept.routes, kept.read_at)
