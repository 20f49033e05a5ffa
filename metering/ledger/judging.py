"""Which entries of the stream can be taken in, and why the others cannot. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from metering.events import Event, decode

#: How late an event may come, and how far ahead a gateway's clock may be.
OLDEST, NEWEST = timedelta(days=35), timedelta(minutes=5)
MOST_TOKENS = 10**9
_LONGEST_GATEWAY = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Entry(NamedTuple):
    """One entry of the stream, as it is there."""

    id: str
    payload: bytes


class Good(NamedTuple):
    """What can be taken in, as far as it can be told without the database."""

    entry: str
    """The event's id."""
    event: Event
    payload: bytes


class Reject(NamedTuple):
    """What cannot be taken in, and why."""

    entry: str
    """The event's id, or the entry's where the event cannot be read."""
    reason: str
    payload: bytes
    gateway: str = ""


def judge(entry: Entry, now: datetime) -> Good | Reject:
    try:
        event = decode(entry.payload)
    except ValueError as error:
        return Reject(entry.id, _storable(f"This is no event: {error}", 300), entry.payload)
    reason = _wrong(event, now)
    if reason:
        return Reject(
            _storable(event.id, 40), reason, entry.payload, _storable(event.gateway, _LONGEST_GATEWAY)
        )
    return Good(event.id, event, entry.payload)


def moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _wrong(event: Event, now: datetime) -> str:
    """What is wrong with it; empty when nothing is."""
    if len(event.id) != 32 or not all(digit in "0123456789abcdef" for digit in event.id):
        return "The id is none of ours."
    try:
        started, ended = moment(event.started), moment(event.ended)
    except OverflowError:
        return "The time is impossible."
    if started < now - OLDEST:
        return f"It began {started:%Y-%m-%d %H:%M} UTC, more than {OLDEST.days} days ago."
    if started > now + NEWEST:
        return f"It begins {started:%Y-%m-%d %H:%M} UTC, in the future: look at the gateway's clock."
    if ended < started or (event.first is not None and not event.started <= event.first <= event.ended):
        return "It ends before it begins."
    counts = (event.input_tokens, event.output_tokens, event.cached_tokens)
    if not all(0 <= count <= MOST_TOKENS for count in counts):
        return "A number of tokens is impossible."
    if event.cached_tokens > event.input_tokens:
        return "More tokens of the input were cached than there are."
    if not (
        0 < len(event.deployment) <= 48 and len(event.model) <= 63 and len(event.gateway) <= _LONGEST_GATEWAY
    ):
        return "The name of the deployment, the model or the gateway is impossible."
    if "\0" in event.deployment + event.model + event.gateway:
        return "The name of the deployment, the model or the gateway is impossible."
    if not all(
        0 < number < 2**63
        for number in (event.deployment_id, event.organization_id, event.user_id, event.api_key_id)
    ):
        return "An id is impossible."
    if not 0 <= event.revision < 2**31 or not 0 <= (event.itl_us or 0) < 2**62:
        return "A figure is impossible."
    return ""


def _storable(text: str, longest: int) -> str:
    """PostgreSQL stores no NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:longest]
