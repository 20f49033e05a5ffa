"""Sums of usage hours for a question: one query for the figures, and one for each kind of name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, QuerySet, Sum
from django.db.models.functions import TruncDay

from console.models import Organization, User
from metering.models import ApiKey, UsageHour
from metering.period import DAY, Period
from metering.pricing import totals
from metering.usage.asking import FILTERS, Group, Question

MOST_ROWS = 1000
#: The longest period whose time series is by the hour; beyond, by the day of the zone, made of whole hours of UTC.
_HOURLY = 2 * DAY
_FIGURES = ("requests", "corrections", "input_tokens", "cached_tokens", "output_tokens")


class Figures(NamedTuple):
    """Of a row or of everything. Amounts are exact, one for each currency; what has no price is in none of them."""

    requests: int
    corrections: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    amounts: dict[str, Decimal]

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class Row(NamedTuple):
    """One group."""

    key: tuple[Any, ...]
    """Its values of the group's columns."""
    name: str
    figures: Figures


class Answer(NamedTuple):
    """To a question. `rows` are at most MOST_ROWS, those with most tokens first, or in the order of time."""

    rows: list[Row]
    total: Figures
    is_cut: bool


def answer(question: Question) -> Answer:
    """Adds up, in the database as far as possible. Currencies are never added to each other."""
    columns = question.group.columns
    hours = _hours(question).order_by()
    if question.group is Group.TIME:
        start = F("hour") if is_by_hour(question.period) else TruncDay("hour", tzinfo=question.period.zone)
        hours = hours.annotate(start=start)
    found = hours.values_list(*columns, "currency").annotate(*map(Sum, (*_FIGURES, "amount")))
    parts: dict[tuple[Any, ...], list[Figures]] = {}
    for row in found.iterator(chunk_size=2000):
        parts.setdefault(row[: len(columns)], []).append(_figures(row[len(columns) :]))
    sums = {key: _sum(each) for key, each in parts.items()}
    total = _sum(sums.values())
    if question.group is Group.TIME:
        keys = sorted(sums)
    else:
        keys = sorted(sums, key=lambda key: (-sums[key].tokens, -sums[key].requests, key))
    shown = keys[:MOST_ROWS]
    names = _names(question.group, shown, _hours(question))
    return Answer([Row(key, names[key], sums[key]) for key in shown], total, len(keys) > len(shown))


def _hours(question: Question) -> QuerySet[UsageHour]:
    chosen = {FILTERS[word]: value for word, value in question.filters.items()}
    period = question.period
    return UsageHour.objects.filter(hour__gte=period.begin, hour__lt=period.end, **chosen)


def is_by_hour(period: Period) -> bool:
    """Whether a time series of this period is by the hour, and not by the day."""
    return period.step != DAY and period.end - period.begin <= _HOURLY


def time_name(at: datetime, period: Period) -> str:
    """A row of a time series for people, by the clock of the zone: "23 Nov 10:00", or "23 Nov 2026" for a day."""
    here = at.astimezone(period.zone)
    return f"{here:%-d %b %H:%M}" if is_by_hour(period) else f"{here:%-d %b %Y}"


def _figures(row: tuple[Any, ...]) -> Figures:
    currency, requests, corrections, input_, cached, output, amount = row
    amounts = {currency: amount} if currency else {}
    return Figures(int(requests), int(corrections), int(input_), int(cached), int(output), amounts)


def _sum(parts: Iterable[Figures]) -> Figures:
    each = list(parts)
    return Figures(
        sum(part.requests for part in each),
        sum(part.corrections for part in each),
        sum(part.input_tokens for part in each),
        sum(part.cached_tokens for part in each),
        sum(part.output_tokens for part in each),
        totals(pair for part in each for pair in part.amounts.items()),
    )


def _names(
    group: Group, keys: list[tuple[Any, ...]], hours: QuerySet[UsageHour]
) -> dict[tuple[Any, ...], str]:
    if group is Group.TOTAL:
        return dict.fromkeys(keys, "Total")
    if group is Group.TIME:
        return {key: _moment(key[0]) for key in keys}
    if group is Group.MODEL:
        return {key: key[0] for key in keys}
    known = _known(group, {key[0] for key in keys}, hours)
    names = {key: known.get(key[0], f"{group.label} {key[0]}") for key in keys}
    if group is Group.API_KEY_AND_MODEL:
        return {key: f"{name} · {key[1]}" for key, name in names.items()}
    return names


def _known(group: Group, ids: set[int], hours: QuerySet[UsageHour]) -> dict[int, str]:
    """Names of today; a deployment that is gone keeps the one that it had."""
    if group is Group.ORGANIZATION:
        return dict(Organization.objects.filter(pk__in=ids).values_list("pk", "name"))
    if group is Group.USER:
        return dict(User.objects.filter(pk__in=ids).values_list("pk", "email"))
    if group is Group.DEPLOYMENT:
        named = hours.filter(deployment_id__in=ids).order_by().values_list("deployment_id", "deployment")
        return dict(named.distinct())
    keys = ApiKey.objects.filter(pk__in=ids).values_list("pk", "name", "prefix", "kind", "user__email")
    return {
        # A playground's key is made anew every hour: its beginning says nothing, and whose it is says all.
        pk: f"{name}, {email}" if kind == ApiKey.Kind.PLAYGROUND else f"{name} ({prefix}…)"
        for pk, name, prefix, kind, email in keys
    }


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
