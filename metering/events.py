"""What the gateway tells the ledger: one usage event per admitted request, and its form on the wire. Pure.

An event is minted where the request is admitted and never changed. It travels as MessagePack through a Valkey stream,
or through the gateway's spool while Valkey is away; the same bytes may arrive twice. Nothing of a prompt or an answer
is in it.
"""

from __future__ import annotations

import os
import time

import msgspec

from metering.vocabulary import RequestStatus

#: The Valkey stream that gateways write and the ledger reads, the name of the one field of its entries, and the group
#: in which all ledgers read it.
STREAM = "slipway:usage"
FIELD = "e"
GROUP = "ledger"


class Event(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=False):
    """One admitted request. Moments are microseconds since 1970 in UTC. New fields go to the end, with a default."""

    id: str
    """UUID (version 7) as 32 hexadecimal digits."""
    started: int
    """When it was admitted: decides the hour, the price and the month."""
    ended: int
    deployment_id: int
    deployment: str
    revision: int
    model: str
    """Slug of the catalogue entry."""
    organization_id: int
    user_id: int
    api_key_id: int
    status: RequestStatus
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    is_estimated: bool = False
    first: int | None = None
    """When the first token reached the gateway."""
    itl_us: int | None = None
    """Mean time between tokens, in microseconds; None with fewer than two tokens."""
    price_id: int | None = None
    """The price that the gateway knew of at the start; the ledger looks it up again by the start."""
    gateway: str = ""
    """Which gateway process wrote it."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Event)


def encode(event: Event) -> bytes:
    return _encoder.encode(event)


def decode(data: bytes) -> Event:
    """Raises ValueError (msgspec.ValidationError, msgspec.DecodeError) for anything that is no event."""
    return _decoder.decode(data)


def mint(now_us: int | None = None) -> str:
    """A new id: UUID version 7 (RFC 9562, section 5.7), so that ids sort by time. 32 hexadecimal digits."""
    milliseconds = (now_us if now_us is not None else time.time_ns() // 1000) // 1000
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"
