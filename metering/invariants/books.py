"""The books add up: events are their hours, and hours are their invoice lines."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection
from django.db.models import Sum

from metering import invoices, pricing
from metering.invariants.finding import Finding, broken, holds
from metering.models import UsageHour

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def events_and_hours(since: datetime | None) -> Finding:
    """Each hour of each key is the sum of its events; said by month and currency."""
    title = "Events and hours"
    since = since or _BEGINNING
    with connection.cursor() as cursor:
        cursor.execute(_COMPARED, [since, since])
        rows = cursor.fetchall()
    facts = [
        (f"{month} {currency or 'unpriced'}", f"{pricing.in_full(amount)} for {entries:,} entries")
        for month, currency, entries, amount, _ in rows
    ]
    if wrong := sum(row[-1] for row in rows):
        where = ", ".join(f"{month} {currency or 'unpriced'}" for month, currency, *_, off in rows if off)
        return broken(
            title,
            f"{wrong:,} hours differ from the sum of their entries, in {where}.",
            "Somebody changed hours by hand. Make the hours anew from the entries, which cannot be changed.",
            *facts,
        )
    entries = sum(row[2] for row in rows)
    return holds(title, f"{entries:,} entries add up to their hours, to the last digit.", *facts)


def invoice_lines(since: datetime | None) -> Finding:
    """Unrounded lines are the sum of the hours, currency by currency."""
    title = "Hours and invoice lines"
    begin = since or _BEGINNING
    lines = invoices.lines(begin)
    said = pricing.totals((line.currency, line.exact) for line in lines)
    hours = UsageHour.objects.filter(hour__gte=begin).values_list("currency").annotate(Sum("amount"))
    summed = dict(hours.order_by("currency"))
    if said == summed:
        return holds(title, f"{len(lines):,} invoice lines add up to their hours.")
    wrong = sorted(key for key in said.keys() | summed.keys() if said.get(key) != summed.get(key))
    return broken(
        title,
        f"The lines differ from their hours in {', '.join(currency or 'unpriced' for currency in wrong)}.",
        "Do not send invoices of these months before this is understood.",
    )


_COMPARED = """
WITH entries AS (
    SELECT date_trunc('hour', started_at, 'UTC') AS hour, deployment_id, organization_id, user_id, api_key_id,
           coalesce(price_id, 0) AS price_id, status::text, max(currency) AS currency,
           count(*) FILTER (WHERE kind = 'request') AS requests,
           count(*) FILTER (WHERE kind = 'request' AND is_estimated) AS estimated_requests,
           count(*) FILTER (WHERE kind = 'correction') AS corrections,
           sum(input_tokens)::bigint AS input_tokens, sum(cached_tokens)::bigint AS cached_tokens,
           sum(output_tokens)::bigint AS output_tokens, coalesce(sum(amount), 0) AS amount
    FROM metering_usageevent WHERE started_at >= %s
    GROUP BY 1, 2, 3, 4, 5, 6, 7
), hours AS (
    SELECT hour, deployment_id, organization_id, user_id, api_key_id, price_id, status::text, currency::text,
           requests, estimated_requests, corrections, input_tokens, cached_tokens, output_tokens, amount
    FROM metering_usagehour WHERE hour >= %s
)
SELECT to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM') AS month, coalesce(entries.currency, hours.currency) AS money,
       coalesce(sum(entries.requests + entries.corrections), 0)::bigint, coalesce(sum(entries.amount), 0),
       count(*) FILTER (WHERE entries IS DISTINCT FROM hours)
FROM entries
FULL JOIN hours USING (hour, deployment_id, organization_id, user_id, api_key_id, price_id, status)
GROUP BY 1, 2 ORDER BY 1, 2
"""
