"""Limits against what was let through: the worst trailing minute of the last day.

Only what began a minute or more after the limits last changed is counted: before that, others held. Gateways' clocks
may differ a little from Valkey's, by which limits are kept, so the minute is taken a second short. Tokens are counted
of requests that lie wholly inside it. All of this counts less than was used, so nobody is accused wrongly.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from django.db import connection

from metering.invariants.finding import Finding, broken, holds
from metering.invariants.quality import LOOK_BACK

_WHOSE = {"organization": "an organisation", "user": "a user", "api_key": "an API key"}


def worst(what: Literal["requests", "tokens"], now: datetime) -> Finding:
    """The most that any of them has, against its limit."""
    title = f"Worst minute, {what}"
    with connection.cursor() as cursor:
        cursor.execute(_WORST[what], [now - LOOK_BACK])
        row = cursor.fetchone()
    if row is None:
        return holds(title, "No request with such a limit in the last 24 hours.")
    share, counted, limit, deployment, scope = row
    sentence = f"{counted:,.0f} of {limit:,} {what} a minute, by {_WHOSE[scope]} on {deployment}, in the last 24 hours."
    if share <= 1:
        return holds(title, sentence)
    remedy = (
        "Look whether Valkey was away or emptied: a gateway then keeps to its share, see the docs on limits."
    )
    return broken(title, sentence, remedy)


_LIMITED = """
WITH ruled AS (
    SELECT deployment_id, coalesce(change.at + interval '60 s', '-infinity') AS since
    FROM (
        SELECT deployment_id FROM deployments_ratelimit UNION SELECT deployment_id FROM metering_limitoverride
    ) AS either
    LEFT JOIN metering_limitmode AS mode USING (deployment_id)
    LEFT JOIN metering_limitchange AS change USING (deployment_id)
    WHERE NOT coalesce(mode.shadow, false)
), limited AS (
    SELECT event.started_at, event.ended_at, event.input_tokens + event.output_tokens AS tokens, event.deployment_id,
           event.deployment, scope, event.organization_id,
           CASE scope WHEN 'organization' THEN event.organization_id WHEN 'user' THEN event.user_id
                      ELSE event.api_key_id END AS who,
           CASE WHEN override.id IS NULL THEN general.requests_per_minute ELSE override.requests_per_minute END
               AS requests_limit,
           CASE WHEN override.id IS NULL THEN general.tokens_per_minute ELSE override.tokens_per_minute END
               AS tokens_limit
    FROM ruled
    JOIN metering_usageevent AS event USING (deployment_id)
    CROSS JOIN (VALUES ('organization'), ('user'), ('api_key')) AS scopes (scope)
    LEFT JOIN deployments_ratelimit AS general USING (deployment_id, scope)
    LEFT JOIN metering_limitoverride AS override USING (deployment_id, organization_id, scope)
    WHERE event.started_at >= %s AND event.started_at >= ruled.since AND event.kind = 'request'
)
SELECT counted::float8 / {limit}, counted, {limit}, deployment, scope FROM (
    SELECT *, {counted} OVER (
        PARTITION BY deployment_id, scope, who ORDER BY {moment}
        RANGE BETWEEN interval '{seconds} s' PRECEDING AND CURRENT ROW
    ) AS counted
    FROM limited WHERE {limit} IS NOT NULL AND ended_at - started_at <= interval '{longest} s'
) AS minutes ORDER BY 1 DESC LIMIT 1
"""
_WORST = {
    "requests": _LIMITED.format(
        limit="requests_limit", counted="count(*)", moment="started_at", seconds=59, longest=10**6
    ),
    # What took ten seconds at most and ended in the last 49 lies wholly inside the last 59.
    "tokens": _LIMITED.format(
        limit="tokens_limit", counted="sum(tokens)", moment="ended_at", seconds=49, longest=10
    ),
}
