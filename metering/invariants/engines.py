"""The ledger against the engines' own counters, where replicas can be reached one by one."""

from __future__ import annotations

from django.db import connection

from metering.invariants.finding import Finding, holds, look

#: Differences that ask for a look: a share, and so many tokens, because requests are under way at every look.
MOST_DRIFT, MOST_TOKENS = 0.001, 1000


def compared() -> Finding:
    """Between the first look at a deployment's engines and the last one."""
    title = "Ledger and engines"
    with connection.cursor() as cursor:
        cursor.execute(_COMPARED)
        replicas, counted, booked = cursor.fetchone()
    if not replicas:
        return holds(
            title, "Not comparable: no replica has been reached by itself, only through a host name."
        )
    if not counted and not booked:
        return holds(title, "The engines have counted no tokens since they were first looked at.")
    drift = (booked - counted) / counted if counted else 1.0
    sentence = f"The ledger has {booked:,} tokens, the engines counted {counted:,} ({100 * drift:+.2f} %)."
    facts = (("Replicas looked at", f"{replicas:,}"),)
    if abs(drift) <= MOST_DRIFT or abs(booked - counted) <= MOST_TOKENS:
        return holds(title, sentence, *facts)
    if booked < counted:
        return look(
            title, sentence, "Somebody calls engines without the gateway, or requests are under way.", *facts
        )
    remedy = "An engine that starts anew forgets what it counted since the last look; otherwise look at its reports."
    return look(title, sentence, remedy, *facts)


_COMPARED = """
WITH looked AS (
    SELECT deployment_id, count(*) AS replicas, sum(input_tokens + output_tokens) AS tokens, min(since) AS since,
           max(seen_at) AS until
    FROM metering_enginecounter GROUP BY 1
)
SELECT coalesce(sum(replicas), 0)::bigint, coalesce(sum(tokens), 0)::bigint, coalesce(sum((
    SELECT sum(input_tokens + output_tokens) FROM metering_usageevent AS event
    WHERE event.deployment_id = looked.deployment_id AND started_at >= looked.since AND ended_at <= looked.until
      AND kind = 'request'
)), 0)::bigint
FROM looked
"""
