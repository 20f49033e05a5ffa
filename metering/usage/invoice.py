"""What an organisation owes for a month (UTC): lines, adjustments, and a total for each currency.

A month is closed some days after its end. Requests that the ledger recorded before then are its lines. What it recorded
later stands on the invoice of the month in which that happened, as an adjustment, and so does every correction: once a
month is closed, nothing on its invoice changes. Each line is rounded once, half up; totals add up rounded lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Count, F, Max, Q, Sum
from django.db.models.functions import TruncMonth

from deployments.models import Price
from metering.models import UsageEvent
from metering.pricing import line, totals
from metering.vocabulary import EntryKind

#: How long after its end a month is closed: most late events have come by then.
CLOSED_AFTER = timedelta(days=3)
_LATEST = timedelta(days=70)
"""No event is recorded so long after its start that it would miss this; the ledger takes none older than 35 days."""
_FIRST, _LAST = 2000, 2999


class Month(NamedTuple):
    """A month of UTC."""

    begin: datetime

    @property
    def end(self) -> datetime:
        return self.begin.replace(
            year=self.begin.year + self.begin.month // 12, month=self.begin.month % 12 + 1
        )

    @property
    def before(self) -> Month:
        return Month((self.begin - timedelta(days=1)).replace(day=1))

    @property
    def closes(self) -> datetime:
        return self.end + CLOSED_AFTER

    @property
    def word(self) -> str:
        """As in an address: 2026-11."""
        return f"{self.begin:%Y-%m}"


def month_of(at: datetime) -> Month:
    return Month(at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def read_month(word: str, now: datetime) -> Month | None:
    """From "2026-11"; None for what is no month, or not here yet."""
    if not re.fullmatch(r"\d{4}-(?:0[1-9]|1[0-2])", word, re.ASCII) or not _FIRST <= int(word[:4]) <= _LAST:
        return None
    found = Month(datetime(int(word[:4]), int(word[5:]), 1, tzinfo=UTC))
    return found if found.begin <= now else None


class Line(NamedTuple):
    """Usage of one deployment at one price. `exact` is not rounded."""

    organization_id: int
    currency: str
    """Empty: it had no price, and costs nothing."""
    is_adjustment: bool
    month: datetime
    """In which the requests began, or the correction was made."""
    deployment: str
    price_id: int | None
    requests: int
    corrections: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    exact: Decimal

    @property
    def amount(self) -> Decimal:
        return line(self.exact, self.currency)


def lines(month: Month, organization_id: int | None = None) -> list[Line]:
    """Of one organisation, or of all. One query."""
    in_time = Q(started_at__gte=month.begin, recorded_at__lt=month.closes)
    late = Q(
        kind=EntryKind.REQUEST,
        started_at__lt=month.begin,
        recorded_at__gte=month.before.closes,
        recorded_at__lt=month.closes,
    )
    events = UsageEvent.objects.filter(
        in_time | late, started_at__gte=month.begin - _LATEST, started_at__lt=month.end
    )
    if organization_id is not None:
        events = events.filter(organization_id=organization_id)
    is_request = Q(kind=EntryKind.REQUEST)
    groups = (
        events.annotate(month=TruncMonth("started_at", tzinfo=UTC))
        .values("organization_id", "currency", "kind", "month", "deployment_id", "price_id")
        .annotate(
            name=Max("deployment"),
            requests=Count("id", filter=is_request),
            corrections=Count("id", filter=~is_request),
            input=Sum("input_tokens"),
            cached=Sum("cached_tokens"),
            output=Sum("output_tokens"),
            exact=Sum("amount"),
        )
        .order_by(
            "organization_id", "currency", "-kind", "month", "name", F("price_id").asc(nulls_first=True)
        )
    )
    return [_line(each, month) for each in groups]


def _line(row: Mapping[str, Any], month: Month) -> Line:
    return Line(
        organization_id=row["organization_id"],
        currency=row["currency"],
        is_adjustment=row["kind"] == EntryKind.CORRECTION.value or row["month"] != month.begin,
        month=row["month"],
        deployment=row["name"],
        price_id=row["price_id"],
        requests=row["requests"],
        corrections=row["corrections"],
        input_tokens=int(row["input"]),
        cached_tokens=int(row["cached"]),
        output_tokens=int(row["output"]),
        exact=row["exact"] or Decimal(0),
    )


def sums(found: Iterable[Line]) -> dict[str, Decimal]:
    """The total of each currency: rounded lines added up."""
    return totals((each.currency, each.amount) for each in found if each.currency)


def prices(found: Iterable[Line]) -> dict[int, Price]:
    """Those of the lines, by their ids; they are never changed and never deleted."""
    return Price.objects.in_bulk([each.price_id for each in found if each.price_id is not None])
