"""From admission to the ledger: every admitted request has exactly one settled event, and it arrives.

Gateways write their own counters to Valkey every few seconds; the ledger counts what it has of each. A gateway's
figures are read first, then what waits, then what is recorded: an event may then be counted twice on its way, and never
missed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import redis
from django.conf import settings
from django.db.models import Min

from metering.events import GROUP, STREAM
from metering.invariants.finding import Finding, broken, holds, look
from metering.models import GatewayTally

#: Where each gateway writes its figures (metering/gateway/recorder.py).
FIGURES = "slipway:gateway:"
#: Seconds after which a gateway that says nothing is gone, events have waited too long, a reader is none, and a
#: reservation is too old.
SILENT, LONGEST_WAIT, READS, OLDEST_HOLD = 60.0, 60.0, 30.0, 3600.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """What one says of itself. Moments are unix seconds; `spooled` has all that it has not handed over yet."""

    name: str
    admitted: float = 0
    settled: float = 0
    in_flight: float = 0
    spooled: float = 0
    at: float = 0
    since: float = 0
    oldest_hold_s: float = 0

    @classmethod
    def of(cls, name: str, figures: Mapping[bytes, bytes]) -> Gateway:
        known = {
            key.decode(): float(value) for key, value in figures.items() if key.decode() in cls.__slots__
        }
        return cls(name, **known)


@dataclass(frozen=True, slots=True)
class Told:
    """What Valkey says."""

    gateways: tuple[Gateway, ...]
    waiting: int
    """Events in the stream: not taken in yet, or just now."""
    oldest: float
    """Seconds since the oldest of them came."""
    readers: int


def ask(now: datetime) -> Told | None:
    """None: Valkey does not answer."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            keys = list(client.scan_iter(f"{FIGURES}*", count=500))
            gateways = tuple(
                Gateway.of(key.decode().removeprefix(FIGURES), client.hgetall(key)) for key in keys
            )
            first = client.xrange(STREAM, count=1)
            return Told(gateways, int(client.xlen(STREAM)), _age(first), _readers(client))
    except (redis.RedisError, OSError):
        return None


def findings(told: Told | None, now: datetime) -> list[Finding]:
    if told is None:
        return [
            look(
                "Admitted and settled",
                "Valkey does not answer, so gateways cannot be asked.",
                "Usage waits on the gateways' disks, and limits hold by shares, until Valkey is back.",
            )
        ]
    return [_settled(told, now), _recorded(told), _keeps_up(told), _oldest_hold(told, now)]


def _settled(told: Told, now: datetime) -> Finding:
    """Of a gateway that is gone nothing is under way any more."""
    title = "Admitted and settled"
    gone = [each for each in told.gateways if now.timestamp() - each.at > SILENT]
    lost = 0.0
    for each in told.gateways:
        lost += max(0.0, each.admitted - each.settled - (0.0 if each in gone else each.in_flight))
    admitted, settled = _total(told, "admitted"), _total(told, "settled")
    in_flight = sum(each.in_flight for each in told.gateways if each not in gone)
    facts = (
        ("Gateways", f"{len(told.gateways) - len(gone):,}"),
        ("In flight", f"{in_flight:,.0f}"),
        ("Waiting on disk", f"{_total(told, 'spooled'):,.0f}"),
    )
    if lost:
        names = ", ".join(each.name for each in gone if each.admitted > each.settled)
        return broken(
            title,
            f"{lost:,.0f} of {admitted:,.0f} admitted requests have no event{f', of {names}' if names else ''}.",
            "Start a gateway with the GATEWAY_FOLDER of the one that ended: it settles what that one left.",
            *facts,
        )
    if spooled := sum(each.spooled for each in gone):
        return look(
            title,
            f"{spooled:,.0f} events wait on the disks of gateways that do not run.",
            "Start a gateway with the same GATEWAY_FOLDER: it brings them in.",
            *facts,
        )
    rest = ", the others are under way" if admitted > settled else ""
    return holds(title, f"{settled:,.0f} of {admitted:,.0f} admitted requests are settled{rest}.", *facts)


def _recorded(told: Told) -> Finding:
    """What gateways have handed over is in the stream or in the ledger."""
    title = "Settled and recorded"
    tallies = dict(GatewayTally.objects.values_list("gateway", "events"))
    began = GatewayTally.objects.aggregate(first=Min("since"))["first"]
    begin = began.timestamp() if began else float("inf")
    counted = [each for each in told.gateways if each.name in tallies or each.since >= begin]
    short = sum(max(0.0, each.settled - each.spooled - tallies.get(each.name, 0)) for each in counted)
    recorded = sum(tallies.get(each.name, 0) for each in counted)
    facts = (("Waiting in Valkey", f"{told.waiting:,}"),)
    if short > told.waiting:
        return broken(
            title,
            f"{short - told.waiting:,.0f} settled requests have not reached the ledger and wait nowhere.",
            "Valkey lost them, or Postgres is older than they are. Run Valkey with appendonly yes; what is lost can "
            "be found in the gateways' logs.",
            *facts,
        )
    return holds(
        title, f"The ledger has {recorded:,} events of the gateways that are known, and lost none.", *facts
    )


def _keeps_up(told: Told) -> Finding:
    title = "The ledger keeps up"
    facts = (("Ledgers reading", f"{told.readers:,}"), ("Oldest event waiting", f"{told.oldest:,.0f} s"))
    if told.oldest > LONGEST_WAIT or (told.waiting and not told.readers):
        return look(
            title,
            f"{told.waiting:,} events wait, the oldest for {told.oldest:,.0f} s.",
            "Look whether manage.py record_usage runs, and whether Postgres takes writes.",
            *facts,
        )
    return holds(title, f"{told.waiting:,} events wait." if told.waiting else "No event waits.", *facts)


def _oldest_hold(told: Told, now: datetime) -> Finding:
    title = "Oldest reservation"
    live = [each for each in told.gateways if now.timestamp() - each.at <= SILENT]
    oldest = max((each.oldest_hold_s for each in live), default=0.0)
    if oldest > OLDEST_HOLD:
        return look(
            title,
            f"The oldest reservation that is not settled is {oldest:,.0f} s old.",
            "An answer has been under way for an hour. Look at the deployment's log.",
        )
    return holds(
        title, f"The oldest that is not settled is {oldest:,.0f} s old." if oldest else "None is open."
    )


def _total(told: Told, name: str) -> float:
    return sum(getattr(each, name) for each in told.gateways)


def _age(first: object) -> float:
    """The id of an entry begins with the time at which Valkey took it."""
    if not isinstance(first, list) or not first:
        return 0.0
    return max(0.0, time.time() - int(first[0][0].split(b"-")[0]) / 1000)


def _readers(client: redis.Redis) -> int:
    try:
        consumers = client.xinfo_consumers(STREAM, GROUP)
    except redis.ResponseError:  # no ledger has ever read
        return 0
    return sum(each["idle"] < READS * 1000 for each in consumers)  # type: ignore[union-attr]
