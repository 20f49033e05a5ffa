"""Which entries of the stream can be taken in, and why the others cannot. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from metering.events import Event, decode

#: How late an event may come, and how far ahead a gateway's clock may be.
OLDEST, NEWEST = timedelta(days=35), timedelta(minutes=5)
MOST_TOKENS = 10**9
_LONGEST_GATEWAY = 64
_ID = re.compile("[0-9a-f]{32}")
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


def judge(entries: Iterable[Entry], now: datetime) -> list[Good | Reject]:
    """One by one, in their order."""
    first, last = microseconds(now - OLDEST), microseconds(now + NEWEST)
    return [_judge(entry, first, last) for entry in entries]


def moment(since_1970: int) -> datetime:
    """Of microseconds."""
    return _EPOCH + timedelta(microseconds=since_1970)


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _judge(entry: Entry, first: int, last: int) -> Good | Reject:
    try:
        event = decode(entry.payload)
    except ValueError as error:
        return Reject(entry.id, _storable(f"This is no event: {error}", 300), entry.payload)
    reason = _wrong(event, first, last)
    if reason:
        gateway = _storable(event.gateway, _LONGEST_GATEWAY)
        return Reject(_storable(event.id, 40), reason, entry.payload, gateway)
    return Good(event.id, event, entry.payload)


def _wrong(event: Event, first: int, last: int) -> str:
    """What is wrong with it; empty when nothing is. It must have begun and ended between `first` and `last`."""
    if not _ID.fullmatch(event.id):
        return "The id is none of ours."
    if event.started < first:
        return f"It began more than {OLDEST.days} days ago."
    if max(event.started, event.ended) > last:
        return "It is in the future: look at the gateway's clock."
    if not event.started <= (event.started if event.first is None else event.first) <= event.ended:
        return "It ends before it begins."
    if not (
        0 <= event.cached_tokens <= MOST_TOKENS
        and 0 <= event.input_tokens <= MOST_TOKENS
        and 0 <= event.output_tokens <= MOST_TOKENS
    ):
        return "A number of tokens is impossible."
    if event.cached_tokens > event.input_tokens:
        return "More tokens of the input were cached than there are."
    names = (event.deployment, event.model, event.gateway)
    if not event.deployment or any(map(_is_unfit, names, (48, 63, _LONGEST_GATEWAY))):
        return "The name of the deployment, the model or the gateway is impossible."
    if not (
        0 < event.deployment_id < 2**63
        and 0 < event.organization_id < 2**63
        and 0 < event.user_id < 2**63
        and 0 < event.api_key_id < 2**63
    ):
        return "An id is impossible."
    if not 0 <= event.revision < 2**31 or not 0 <= (event.itl_us or 0) < 2**62:
        return "A figure is impossible."
    return ""


def _is_unfit(name: str, longest: int) -> bool:
    return len(name) > longest or "\0" in name


def _storable(text: str, longest: int) -> str:
    """PostgreSQL stores no NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:longest]
