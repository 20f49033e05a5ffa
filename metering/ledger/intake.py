"""Takes a batch of events in: all of it, or nothing, in one transaction.

1. No price is made meanwhile, so that the newest one is known of everything that began before now.
2. COPY into a table of this connection, also of what cannot be taken in, with the reason.
3. What names an organisation, a person or a key that does not exist is put aside as well.
4. The others are priced with the price that was in force when they began, and inserted; an event that is there already
   changes nothing, however often and however late it comes.
5. The hours get the sums of what is really new, and their histograms how long it took; keys the time of their last use,
   and gateways the number of what came.

The statement that does it is one, so that the sums can be of nothing else than the rows. Money is multiplied and never
divided: a product of numerics is exact. Rows are written in one order, so that two ledgers do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import DataError, IntegrityError, connection, transaction

from metering.events import Event
from metering.ledger import partitions
from metering.ledger.judging import Entry, Good, Reject, judge, moment

_LONGEST_PAYLOAD = 8192


class Taken(NamedTuple):
    """What became of a batch."""

    recorded: int = 0
    known: int = 0
    """What was there already, recorded or rejected."""
    rejected: int = 0

    def __add__(self, other: object) -> Taken:  # type: ignore[override]
        assert isinstance(other, Taken)
        return Taken(self.recorded + other.recorded, self.known + other.known, self.rejected + other.rejected)


def take(entries: Sequence[Entry], now: datetime) -> Taken:
    """Takes a batch in. Raises what the database raises when it is away; then nothing of it is taken."""
    judged = judge(entries, now)
    try:
        return _take(judged)
    except (DataError, IntegrityError):
        partitions.forget()  # perhaps one is gone that was there
    return _take_apart(judged)


def _take_apart(judged: Sequence[Good | Reject]) -> Taken:
    """One of them cannot be stored, which no check has foreseen: the others are not to wait for it."""
    try:
        return _take(judged)
    except (DataError, IntegrityError) as error:
        if len(judged) > 1:
            middle = len(judged) // 2
            return _take_apart(judged[:middle]) + _take_apart(judged[middle:])
        reason = f"The database refuses it: {type(error).__name__}."
        return _take([Reject(judged[0].entry, reason, judged[0].payload)])


def _take(judged: Sequence[Good | Reject]) -> Taken:
    partitions.ensure(moment(each.event.started) for each in judged if isinstance(each, Good))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BEGIN)
        # Django translates the errors of statements, not those of COPY.
        with connection.wrap_database_errors, cursor.copy(_COPY) as copy:
            for row in _rows(judged):
                copy.write_row(row)
        cursor.execute(_RECORD)
        recorded, rejected = cursor.fetchone()
        if rejected:
            # The first of two with one id last, so that it is the one that stays.
            cursor.executemany(
                _KEEP, [(each.payload[:_LONGEST_PAYLOAD], each.entry) for each in reversed(judged)]
            )
    return Taken(recorded, len(judged) - recorded - rejected, rejected)


def _rows(judged: Iterable[Good | Reject]) -> Iterable[tuple[object, ...]]:
    for each in judged:
        if isinstance(each, Good):
            yield each.entry, None, each.event.gateway, *_figures(each.event)
        else:
            yield each.entry, each.reason, each.gateway, *_NO_FIGURES


def _figures(event: Event) -> tuple[object, ...]:
    return (
        event.id,
        event.started,
        event.first,
        event.ended,
        event.deployment_id,
        event.deployment,
        event.revision,
        event.model,
        event.organization_id,
        event.user_id,
        event.api_key_id,
        event.status.value,
        event.input_tokens,
        event.cached_tokens,
        event.output_tokens,
        event.is_estimated,
        event.itl_us,
    )


_NO_FIGURES = (None,) * 17

#: SHARE waits for a price that is being made, and lets other ledgers work.
_BEGIN = """
LOCK TABLE deployments_price IN SHARE MODE;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (
    entry text, wrong text, gateway text,
    id uuid, started bigint, first bigint, ended bigint, deployment_id bigint, deployment text, revision integer,
    model text, organization_id bigint, user_id bigint, api_key_id bigint, status text, input_tokens bigint,
    cached_tokens bigint, output_tokens bigint, is_estimated boolean, itl_us bigint
) ON COMMIT DELETE ROWS;
TRUNCATE incoming
"""
_COPY = "COPY incoming FROM STDIN"
#: What could not be taken in is kept as it came. Only then, as it is most of the bytes of a batch.
_KEEP = "UPDATE metering_usagereject SET payload = %s WHERE entry = %s AND at = now()"
_RECORD = """
WITH judged AS (
    SELECT incoming.*, 'epoch'::timestamptz + started * interval '1 microsecond' AS started_at,
           CASE
               WHEN wrong IS NOT NULL THEN wrong
               WHEN organization.id IS NULL THEN 'The organisation does not exist.'
               WHEN person.id IS NULL THEN 'The user does not exist.'
               WHEN api_key.id IS NULL THEN 'The API key does not exist.'
           END AS reason
    FROM incoming
    LEFT JOIN console_organization AS organization ON organization.id = organization_id
    LEFT JOIN console_user AS person ON person.id = user_id
    LEFT JOIN metering_apikey AS api_key ON api_key.id = api_key_id
), price AS (
    -- From when to when each price is in force; of two that begin at one moment the later made one, the other never is.
    SELECT deployment_id, id, currency, input_per_million AS input, output_per_million AS output,
           coalesce(cached_input_per_million, input_per_million) AS cached, effective_from,
           lead(effective_from, 1, 'infinity') OVER (PARTITION BY deployment_id ORDER BY effective_from, id) AS until
    FROM deployments_price WHERE deployment_id IN (SELECT DISTINCT deployment_id FROM incoming)
), refused AS (
    INSERT INTO metering_usagereject (at, entry, reason, payload)
    SELECT now(), entry, reason, '' FROM judged WHERE reason IS NOT NULL ORDER BY entry
    ON CONFLICT (entry) DO NOTHING
    RETURNING entry
), fresh AS (
    INSERT INTO metering_usageevent (
        id, kind, note, started_at, first_at, ended_at, deployment_id, deployment, revision, model, organization_id,
        user_id, api_key_id, status, input_tokens, cached_tokens, output_tokens, is_estimated, ttft_us, itl_us,
        price_id, currency, amount
    )
    SELECT judged.id, 'request', '', started_at,
           'epoch'::timestamptz + first * interval '1 microsecond',
           'epoch'::timestamptz + ended * interval '1 microsecond',
           judged.deployment_id, deployment, revision, model, organization_id, user_id, api_key_id, status,
           input_tokens, cached_tokens, output_tokens, is_estimated, first - started, itl_us,
           price.id, coalesce(price.currency, ''),
           CASE
               WHEN price.id IS NULL THEN NULL
               WHEN status = 'refused' OR (status = 'engine_failed' AND output_tokens = 0) THEN 0
               ELSE ((input_tokens - cached_tokens) * price.input
                     + cached_tokens * price.cached
                     + output_tokens * price.output) * 0.000001
           END
    FROM judged
    LEFT JOIN price ON price.deployment_id = judged.deployment_id AND price.input IS NOT NULL
          AND started_at >= price.effective_from AND started_at < price.until
    WHERE reason IS NULL
    ORDER BY started_at, judged.id
    ON CONFLICT DO NOTHING
    RETURNING *
), hours AS (
    INSERT INTO metering_usagehour AS old (
        hour, deployment_id, deployment, model, organization_id, user_id, api_key_id, status, price_id, currency,
        requests, estimated_requests, corrections, input_tokens, cached_tokens, output_tokens, amount
    )
    SELECT date_trunc('hour', started_at, 'UTC') AS hour, deployment_id, max(deployment), max(model),
           organization_id, user_id, api_key_id, status, coalesce(price_id, 0) AS price, max(currency),
           count(*), count(*) FILTER (WHERE is_estimated), 0, sum(input_tokens), sum(cached_tokens),
           sum(output_tokens), coalesce(sum(amount), 0)
    FROM fresh
    GROUP BY 1, deployment_id, organization_id, user_id, api_key_id, price, status
    ORDER BY 1, deployment_id, organization_id, user_id, api_key_id, price, status
    ON CONFLICT (hour, deployment_id, organization_id, user_id, api_key_id, price_id, status) DO UPDATE SET
        requests = old.requests + excluded.requests,
        estimated_requests = old.estimated_requests + excluded.estimated_requests,
        input_tokens = old.input_tokens + excluded.input_tokens,
        cached_tokens = old.cached_tokens + excluded.cached_tokens,
        output_tokens = old.output_tokens + excluded.output_tokens,
        amount = old.amount + excluded.amount
), latency AS (
    INSERT INTO metering_latencybucket AS old (deployment_id, hour, measure, bucket, count, total_us)
    SELECT * FROM (
        SELECT deployment_id, date_trunc('hour', started_at, 'UTC') AS hour, 'ttft',
               slipway_latency_bucket(ttft_us) AS bucket, count(*), sum(ttft_us)
        FROM fresh WHERE ttft_us IS NOT NULL GROUP BY 1, 2, 4
        UNION ALL
        SELECT deployment_id, date_trunc('hour', started_at, 'UTC'), 'itl',
               slipway_latency_bucket(itl_us) AS bucket, count(*), sum(itl_us)
        FROM fresh WHERE itl_us IS NOT NULL GROUP BY 1, 2, 4
        UNION ALL
        SELECT deployment_id, date_trunc('hour', started_at, 'UTC'), 'e2e',
               slipway_latency_bucket(us) AS bucket, count(*), sum(us)
        FROM (
            SELECT deployment_id, started_at, (extract(epoch FROM ended_at - started_at) * 1000000)::bigint AS us
            FROM fresh WHERE status = 'completed'
        ) AS whole GROUP BY 1, 2, 4
    ) AS measured
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (deployment_id, hour, measure, bucket) DO UPDATE SET
        count = old.count + excluded.count,
        total_us = old.total_us + excluded.total_us
), used AS (
    UPDATE metering_apikey AS api_key
    SET last_used_at = newest.at
    FROM (SELECT api_key_id, max(started_at) AS at FROM fresh GROUP BY 1 ORDER BY 1) AS newest
    WHERE api_key.id = newest.api_key_id
      AND (api_key.last_used_at IS NULL OR api_key.last_used_at < newest.at)
), tallied AS (
    INSERT INTO metering_gatewaytally AS old (gateway, events)
    SELECT gateway, sum(events) FROM (
        SELECT gateway, count(DISTINCT fresh.id) AS events FROM judged JOIN fresh USING (id) GROUP BY gateway
        UNION ALL
        SELECT gateway, count(DISTINCT entry) FROM judged JOIN refused USING (entry) GROUP BY gateway
    ) AS counted
    WHERE gateway <> ''
    GROUP BY gateway ORDER BY gateway
    ON CONFLICT (gateway) DO UPDATE SET events = old.events + excluded.events
)
SELECT (SELECT count(*) FROM fresh), (SELECT count(*) FROM refused)
"""
