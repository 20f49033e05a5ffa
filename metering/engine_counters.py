"""Keeps the tokens that engines count themselves across their restarts, so that the ledger can be held against them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from metering.engine_metrics.door import Place, Reading
from metering.models import EngineCounter


def keep(readings: Sequence[Reading], now: datetime) -> None:
    """Only of engines that count all their tokens: what stands before engines may count in another way."""
    known = {(each.deployment_id, each.upstream): each for each in EngineCounter.objects.all()}
    EngineCounter.objects.bulk_create(
        [
            _next(
                known.get((place.deployment_id, place.upstream)),
                place,
                (figures.prompt_tokens, figures.generation_tokens),
                now,
            )
            for place, figures in ((each.place, each.figures) for each in readings)
            if figures.is_engine
            and figures.prompt_tokens is not None
            and figures.generation_tokens is not None
        ],
        update_conflicts=True,
        unique_fields=["deployment_id", "upstream"],
        update_fields=["seen_at", "input_read", "output_read", "input_tokens", "output_tokens"],
    )


def _next(before: EngineCounter | None, place: Place, read: tuple[int, int], now: datetime) -> EngineCounter:
    """The counter after another look, which read so many input and output tokens."""
    counter = before or EngineCounter(
        deployment_id=place.deployment_id,
        upstream=place.upstream,
        since=now,
        input_read=read[0],
        output_read=read[1],
    )
    counter.input_tokens += grown(counter.input_read, read[0])
    counter.output_tokens += grown(counter.output_read, read[1])
    counter.input_read, counter.output_read, counter.seen_at = *read, now
    return counter


def grown(before: int, after: int) -> int:
    """A counter that became smaller began anew."""
    return after - before if after >= before else after
