"""What must always be true of limits and money, checked against the facts: for a command, and for a page.

Each check is one question to the database or to Valkey and gives one finding: what is true, in a sentence with numbers,
and what to do where it is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import redis
from django.conf import settings
from django.db import connection
from django.db.models import Count, Sum

from deployments.vocabulary import Tone
from metering import invoices
from metering.events import GROUP, STREAM
from metering.models import EngineCounter, UsageEvent, UsageHour, UsageReject

#: How far back limits and shares are looked at; how many events may wait before somebody should look.
LOOK_BACK, MOST_WAITING = timedelta(hours=24), 10_000
#: Shares that ask for a look: estimated requests, and the ledger against the engines' own counters.
MOST_ESTIMATED, MOST_DRIFT = 0.01, 0.001
OLDEST_HOLD = 3600.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must be true."""

    title: str
    tone: Tone
    sentence: str
    remedy: str = ""
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def is_broken(self) -> bool:
        return self.tone is Tone.BAD


def check(now: datetime) -> list[Finding]:
    """All of them, the broken ones first."""
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begin = (month - timedelta(days=1)).replace(day=1)
    found = [
        sums(begin, now),
        invoice_lines(begin, now),
        *gateways(now),
        worst_minute("requests", now),
        worst_minute("tokens", now),
        estimated(now),
        unpriced(now),
        rejects(),
        engines(),
    ]
    order = [Tone.BAD, Tone.WARN]
    return sorted(found, key=lambda finding: order.index(finding.tone) if finding.tone in order else 2)


def sums(begin: datetime, now: datetime) -> Finding:
    """Sum of events = sum of hours, by currency, since the beginning of last month."""
    columns = [Sum("input_tokens"), Sum("cached_tokens"), Sum("output_tokens"), Sum("amount")]
    events = _by_currency(UsageEvent.objects.filter(started_at__gte=begin), columns)
    hours = _by_currency(UsageHour.objects.filter(hour__gte=begin), columns)
    facts = tuple(
        (currency or "Unpriced", f"{row[3].normalize():f}") for currency, row in sorted(events.items())
    )
    if events == hours:
        count = UsageEvent.objects.filter(started_at__gte=begin).count()
        return Finding(
            "Events and hours",
            Tone.GOOD,
            f"{count:,} entries since {begin:%d %b %Y} add up to their hours, to the last digit.",
            facts=facts,
        )
    wrong = sorted(key for key in events.keys() | hours.keys() if events.get(key) != hours.get(key))
    names = ", ".join(currency or "unpriced" for currency in wrong)
    return Finding(
        "Events and hours",
        Tone.BAD,
        f"The hours differ from the entries in {names}.",
        "Somebody changed hours by hand. Restore the table of hours from the entries, which cannot be changed.",
        facts,
    )


def invoice_lines(begin: datetime, now: datetime) -> Finding:
    """Sum of hours = sum of unrounded invoice lines."""
    lines = invoices.lines(begin, now + timedelta(hours=1))
    whole = UsageHour.objects.filter(hour__gte=begin).aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
    total = sum((line.exact for line in lines), Decimal(0))
    if total == whole:
        return Finding(
            "Hours and invoice lines", Tone.GOOD, f"Invoice lines ({len(lines):,}) add up to their hours."
        )
    return Finding(
        "Hours and invoice lines",
        Tone.BAD,
        f"The lines say {total:f}, the hours {whole:f}.",
        "Do not send invoices of this month before this is understood.",
    )


def gateways(now: datetime) -> list[Finding]:
    """Each admitted request has one settled event; what waits; the oldest reservation."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            rows = [_numbers(client.hgetall(key)) for key in client.scan_iter("slipway:gateway:*", count=500)]
            waiting = int(client.xlen(STREAM))
            pending = _pending(client)
    except redis.RedisError:
        return [
            Finding(
                "Admitted and settled",
                Tone.WARN,
                "Valkey does not answer, so gateways cannot be asked.",
                "Usage waits on the gateways' disks, and limits hold by shares, until Valkey is back.",
            )
        ]
    admitted, settled = _total(rows, "admitted"), _total(rows, "settled")
    in_flight, spooled = _total(rows, "in_flight"), _total(rows, "spooled")
    lost = admitted - settled - in_flight
    facts = (
        ("Gateways", f"{sum(now.timestamp() - row.get('at', 0) < 30 for row in rows):,}"),
        ("In flight", f"{in_flight:,.0f}"),
        ("Waiting in Valkey", f"{waiting:,}"),
        ("Waiting on disk", f"{spooled:,.0f}"),
    )
    found = []
    if lost > 0:
        found.append(
            Finding(
                "Admitted and settled",
                Tone.BAD,
                f"{lost:,.0f} of {admitted:,.0f} admitted requests have no event.",
                "Start a gateway on the machine of the one that ended, with its GATEWAY_FOLDER: it settles them.",
                facts,
            )
        )
    else:
        sentence = (
            f"{settled:,.0f} of {admitted:,.0f} admitted requests are settled, the others are under way."
        )
        found.append(Finding("Admitted and settled", Tone.GOOD, sentence, facts=facts))
    if waiting > MOST_WAITING:
        found.append(
            Finding(
                "The ledger keeps up",
                Tone.WARN,
                f"{waiting:,} events wait for the ledger, {pending:,} of them were read already.",
                "Look whether record_usage runs and Postgres takes writes.",
            )
        )
    oldest = max((row.get("oldest_hold_s", 0.0) for row in rows), default=0.0)
    found.append(
        Finding(
            "Oldest reservation",
            Tone.WARN if oldest > OLDEST_HOLD else Tone.GOOD,
            f"The oldest reservation that is not settled is {oldest:,.0f} s old."
            if oldest
            else "None is open.",
            "An answer has been under way for an hour. Look at the deployment's log."
            if oldest > OLDEST_HOLD
            else "",
        )
    )
    return found


def worst_minute(what: str, now: datetime) -> Finding:
    """The most that any trailing minute of the last day has, against its limit.

    Gateways' clocks may differ a little from Valkey's, by which limits are kept, so the minute is taken a second short.
    Tokens are counted of requests that lie wholly inside: less than was used, so this never accuses wrongly.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WORST_REQUESTS if what == "requests" else _WORST_TOKENS, [now - LOOK_BACK])
        row = cursor.fetchone()
    title = f"Worst minute, {what}"
    if row is None or row[0] is None:
        return Finding(title, Tone.GOOD, "No request with such a limit in the last 24 hours.")
    share, counted, limit, deployment, scope = row
    whose = {"organization": "an organisation", "user": "a user", "api_key": "an API key"}[scope]
    sentence = (
        f"{counted:,.0f} of {limit:,} {what} a minute, by {whose} on {deployment}, in the last 24 hours."
    )
    if share <= 1:
        return Finding(title, Tone.GOOD, sentence)
    return Finding(
        title,
        Tone.BAD,
        sentence,
        "Look whether the limit was lowered meanwhile, or Valkey was away: then each gateway keeps to its share.",
    )


def estimated(now: datetime) -> Finding:
    """How many requests no engine has counted."""
    rows = UsageHour.objects.filter(hour__gte=now - LOOK_BACK).aggregate(
        all=Sum("requests"), estimated=Sum("estimated_requests")
    )
    whole, part = rows["all"] or 0, rows["estimated"] or 0
    share = part / whole if whole else 0.0
    return Finding(
        "Estimated tokens",
        Tone.WARN if share > MOST_ESTIMATED else Tone.GOOD,
        f"{part:,} of {whole:,} requests of the last 24 hours are estimated ({100 * share:.2f} %).",
        "An engine does not report usage. Look at the version and arguments of the deployment."
        if share > MOST_ESTIMATED
        else "",
    )


def unpriced(now: datetime) -> Finding:
    """Usage that costs nothing because nobody has said what it costs."""
    rows = UsageHour.objects.filter(hour__gte=now - LOOK_BACK, currency="")
    count = rows.aggregate(sum=Sum("requests"))["sum"] or 0
    names = sorted(set(rows.values_list("deployment", flat=True)[:1000]))[:5]
    return Finding(
        "Unpriced usage",
        Tone.WARN if count else Tone.GOOD,
        f"{count:,} requests of the last 24 hours have no price: {', '.join(names)}."
        if count
        else "Every request of the last 24 hours has a price.",
        "Set a price on the deployment's Pricing page. It counts from then on." if count else "",
    )


def rejects() -> Finding:
    """What could not be taken in."""
    rows = UsageReject.objects.values_list("reason").annotate(count=Count("id")).order_by("-count")[:5]
    reasons = [(reason, f"{count:,}") for reason, count in rows]
    count = UsageReject.objects.count()
    return Finding(
        "Rejected events",
        Tone.WARN if count else Tone.GOOD,
        f"{count:,} events could not be taken in." if count else "Every event could be taken in.",
        "Look at them in Django admin. They are kept as they came." if count else "",
        tuple(reasons),
    )


def engines() -> Finding:
    """The ledger against the engines' own counters, where replicas are reachable one by one."""
    with connection.cursor() as cursor:
        cursor.execute(_ENGINES)
        counted, booked = cursor.fetchone()
    title = "Ledger and engines"
    if not EngineCounter.objects.exists():
        return Finding(title, Tone.GOOD, "Not comparable: no replica is reachable by itself.")
    if not counted:
        return Finding(
            title, Tone.GOOD, "The engines have counted no tokens since they were first looked at."
        )
    drift = (booked - counted) / counted
    is_off = abs(drift) > MOST_DRIFT and abs(booked - counted) > 1000
    return Finding(
        title,
        Tone.WARN if is_off else Tone.GOOD,
        f"The ledger has {booked:,} tokens, the engines counted {counted:,} ({100 * drift:+.2f} %).",
        "Somebody calls engines without the gateway, or requests are under way." if is_off else "",
    )


def _by_currency(rows: Any, columns: list[Sum]) -> dict[str, tuple[Any, ...]]:
    found = (
        rows.values("currency")
        .annotate(*columns)
        .values_list(
            "currency", "input_tokens__sum", "cached_tokens__sum", "output_tokens__sum", "amount__sum"
        )
    )
    return {row[0]: (*row[1:4], row[4] or Decimal(0)) for row in found.order_by("currency")}


def _numbers(row: dict[bytes, bytes]) -> dict[str, float]:
    return {key.decode(): float(value) for key, value in row.items()}


def _total(rows: list[dict[str, float]], name: str) -> float:
    return sum(row.get(name, 0.0) for row in rows)


def _pending(client: redis.Redis) -> int:
    try:
        return int(client.xpending(STREAM, GROUP)["pending"])  # type: ignore[index]
    except redis.ResponseError:
        return 0


_LIMITS = """
WITH limited AS (
    SELECT event.started_at, event.ended_at, event.input_tokens + event.output_tokens AS tokens, event.deployment_id,
           event.deployment, scope, event.organization_id,
           CASE scope WHEN 'organization' THEN event.organization_id WHEN 'user' THEN event.user_id
                      ELSE event.api_key_id END AS who,
           CASE WHEN override.id IS NULL THEN general.requests_per_minute ELSE override.requests_per_minute END
               AS requests_limit,
           CASE WHEN override.id IS NULL THEN general.tokens_per_minute ELSE override.tokens_per_minute END
               AS tokens_limit
    FROM metering_usageevent AS event
    CROSS JOIN (VALUES ('organization'), ('user'), ('api_key')) AS scopes (scope)
    LEFT JOIN deployments_ratelimit AS general USING (deployment_id, scope)
    LEFT JOIN metering_limitoverride AS override USING (deployment_id, organization_id, scope)
    LEFT JOIN metering_limitmode AS mode ON mode.deployment_id = event.deployment_id
    WHERE event.started_at >= %s AND event.kind = 'request' AND NOT coalesce(mode.shadow, false)
)
"""
_WORST = """
SELECT counted::float8 / {limit}, counted, {limit}, deployment, scope FROM (
    SELECT *, {counted} OVER (
        PARTITION BY deployment_id, scope, who ORDER BY {moment}
        RANGE BETWEEN interval '{seconds} s' PRECEDING AND CURRENT ROW
    ) AS counted
    FROM limited WHERE {limit} IS NOT NULL AND ended_at - started_at <= interval '{longest} s'
) AS minutes ORDER BY 1 DESC LIMIT 1
"""
_WORST_REQUESTS = _LIMITS + _WORST.format(
    limit="requests_limit", counted="count(*)", moment="started_at", seconds=59, longest=10**6
)
#: What took ten seconds at most and ended in the last 49 lies wholly inside the last 59.
_WORST_TOKENS = _LIMITS + _WORST.format(
    limit="tokens_limit", counted="sum(tokens)", moment="ended_at", seconds=49, longest=10
)
_ENGINES = """
SELECT (SELECT coalesce(sum(input_tokens + output_tokens), 0) FROM metering_enginecounter),
       coalesce(sum(event.input_tokens + event.output_tokens), 0)
FROM (
    SELECT deployment_id, min(since) AS since, max(seen_at) AS until FROM metering_enginecounter GROUP BY 1
) AS looked
JOIN metering_usageevent AS event
    ON event.deployment_id = looked.deployment_id AND event.started_at >= looked.since
    AND event.ended_at <= looked.until AND event.kind = 'request'
"""
